//! What people and programs see of a run, and of a plan before it.

mod config;
mod doctor;
mod json;
mod logs;
mod messages;
mod paint;
mod plain;
mod plan;
mod pretty;
mod repository;
mod result;
mod runs;
mod services;
mod snapshots;
mod status;
mod table;
mod timers;

use std::io::{self, IsTerminal, Stdout};
use std::os::fd::AsFd;

use indicatif::ProgressDrawTarget;
use rustix::fs::{FileType, fstat};
use rustix::termios::tcgetwinsize;
use svc_core::renderer::Renderer;

use crate::args::Output;
pub(crate) use config::{effective_table, problem_lines};
pub(crate) use doctor::{finding_table, first_fix};
use json::Json;
pub(crate) use logs::LogText;
pub(crate) use messages::{failure_text, messages, next_line};
pub(crate) use paint::Look;
use plain::Plain;
pub(crate) use plan::plan_text;
use pretty::{Bars, Pretty};
pub(crate) use repository::{checked, pruned, stats, unlocked};
pub(crate) use runs::{past_run, run_table};
pub(crate) use services::{home, service_table};
pub(crate) use snapshots::snapshot_table;
pub(crate) use status::{status_messages, status_of, status_table};
pub(crate) use timers::timer_table;

/// Columns where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 100;

/// What the choice of renderers depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct RenderChoice {
    /// `--json`.
    pub(crate) json: bool,
    /// `--plain`.
    pub(crate) plain: bool,
    /// Whether stdout is a terminal.
    pub(crate) stdout_is_tty: bool,
    /// Whether stdout is a file: nothing of it comes to the terminal by another way, as it may through a pipe.
    pub(crate) stdout_is_file: bool,
    /// Whether stderr is a terminal.
    pub(crate) stderr_is_tty: bool,
    /// `TERM=dumb`.
    pub(crate) term_dumb: bool,
    /// `--no-color` or `NO_COLOR`.
    pub(crate) no_color: bool,
    /// The terminal's columns, or what is thought good without one.
    pub(crate) width: usize,
}

/// Which renderers show a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Events as JSON on stdout.
    Json,
    /// Lines on stdout.
    Plain,
    /// Tables on stdout, bars on stderr.
    Pretty,
    /// Lines on stdout, which goes to a file; bars on stderr.
    PlainWithBars,
}

impl RenderChoice {
    /// What this process's terminal, environment and options say.
    pub(crate) fn detect(output: Output) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            json: output.json,
            plain: output.plain,
            stdout_is_tty: io::stdout().is_terminal(),
            stdout_is_file: is_file(io::stdout()),
            stderr_is_tty: io::stderr().is_terminal(),
            term_dumb: std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
            no_color: output.no_color || set("NO_COLOR"),
            width: columns(io::stdout()).or_else(|| columns(io::stderr())).unwrap_or(DEFAULT_WIDTH),
        }
    }

    /// Which renderers fit.
    pub(crate) const fn shown(&self) -> Shown {
        match self {
            Self { json: true, .. } => Shown::Json,
            Self { plain: true, .. } | Self { term_dumb: true, .. } | Self { stderr_is_tty: false, .. } => {
                Shown::Plain
            }
            Self { stdout_is_tty: true, .. } => Shown::Pretty,
            Self { stdout_is_file: true, .. } => Shown::PlainWithBars,
            Self { stdout_is_file: false, .. } => Shown::Plain,
        }
    }

    /// How text on stdout is to look.
    pub(crate) const fn look(&self) -> Look {
        let glyphs = self.stdout_is_tty && !self.term_dumb && !self.plain;
        Look { width: self.width, colour: glyphs && !self.no_color, glyphs }
    }

    /// How text on stderr is to look.
    pub(crate) const fn colour_on_stderr(&self) -> bool {
        self.stderr_is_tty && !self.term_dumb && !self.no_color
    }
}

/// The renderers that fit, on this process's stdout and stderr.
pub(crate) fn choose(choice: RenderChoice) -> Vec<Box<dyn Renderer>> {
    let bars = || {
        let width = move || columns(io::stderr()).unwrap_or(choice.width);
        Bars::new(ProgressDrawTarget::stderr_with_hz(10), choice.colour_on_stderr(), width)
    };
    match choice.shown() {
        Shown::Json => vec![Box::new(Json::new(io::stdout()))],
        Shown::Plain => vec![Box::new(Plain::new(io::stdout(), choice.width))],
        Shown::Pretty => vec![Box::new(Pretty::new(Some(io::stdout()), choice.look(), bars()))],
        Shown::PlainWithBars => vec![
            Box::new(Plain::new(io::stdout(), choice.width)),
            Box::new(Pretty::<Stdout>::new(None, choice.look(), bars())),
        ],
    }
}

/// The columns of a terminal, if it is one.
fn columns(terminal: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(terminal).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn is_file(out: impl AsFd) -> bool {
    fstat(out).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

#[cfg(test)]
mod tests;
