//! A run as calm lines: for pipes, journals and terminals that cannot do more.

use std::io::{self, Write};

use jiff::Timestamp;
use svc_core::event::{Body, Event};
use svc_core::renderer::Renderer;
use svc_core::view::View;
use svc_tui::story::Story;
use svc_tui::text;

use super::paint::Look;
use super::{plan, result};

/// Names longer than this do not push the text of all lines aside.
const LONGEST_NAME: usize = 24;

/// Writes a plan table, a line for each event worth one, and a table of results.
pub(crate) struct Plain<W> {
    out: W,
    look: Look,
    view: View,
    story: Story,
}

impl<W: Write> Plain<W> {
    pub(crate) fn new(out: W, width: usize) -> Self {
        let look = Look { width, colour: false, glyphs: false };
        Self { out, look, view: View::default(), story: Story::default() }
    }

    fn say(&mut self, event: &Event) -> io::Result<()> {
        let lines = self.story.tell(event, &self.view);
        let names = self.view.services.keys().map(|name| text::width(name.as_str()));
        let column = names.max().unwrap_or(0).min(LONGEST_NAME);
        for line in lines {
            match event.body.service() {
                // A long name is not cut: these lines are what scripts and searches read.
                Some(name) => writeln!(self.out, "{name:column$}  {line}")?,
                None => writeln!(self.out, "{line}")?,
            }
        }
        Ok(())
    }
}

impl<W: Write + Send> Renderer for Plain<W> {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        self.view.apply(event);
        match &event.body {
            Body::RunStarted { plan, .. } => writeln!(self.out, "{}", plan::table(plan, self.look))?,
            _ => self.say(event)?,
        }
        self.out.flush()
    }

    fn tick(&mut self, _now: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(report) = &self.view.report {
            write!(self.out, "\n{}", result::table(report, self.view.plan.as_ref(), self.look))?;
        }
        self.out.flush()
    }
}
