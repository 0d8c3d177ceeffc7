//! `cargo box bench`: what svc costs, beside the bare tools that it saves typing.
//!
//! Each time is half of a pair: svc and the bare tools in turn, on the same machine in the same minute. What is judged
//! are their ratios and differences, so that a slow machine slows both.

mod course;
mod downtime;
mod figure;
mod outage;
mod page;
mod probe;
mod scene;
mod server;
mod stopwatch;

use std::{env, fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{Machine, crowd, store::Store, svc, tool::say, tree};

pub use server::run as serve;
pub use stopwatch::run as stopwatch;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// How long commands take.
    Commands,
    /// How long a backup takes a service away.
    Downtime,
}

/// Measures this `svc` in a box of its own, shows the figures and writes them down; whether all are within their bounds.
pub fn run(store: &Arc<Store>, svc: &Path, name: &str, subject: Subject, pairs: usize) -> Result<bool> {
    let load = page::load()?;
    say(&format!(
        "measuring in the box `{name}`, which is deleted afterwards; this takes minutes; load: {load}"
    ));
    let mut machine = Machine::create(store, name, &tree::pristine(store)?)?.ephemeral();
    svc::install_this(svc, machine.disks())?;
    machine.up()?;
    prepare(&mut machine, subject)?;
    let figures = match subject {
        Subject::Commands => course::run(&machine, pairs)?,
        Subject::Downtime => downtime::run(&machine, pairs)?,
    };
    page::show(&figures)?;
    let page = svc::workspace().join("docs/benchmarks.md");
    page::write(&page, &machine, subject, &figures, pairs, &load)
        .with_context(|| format!("cannot write `{}`", page.display()))?;
    say(&format!("written to `{}`", page.display()));
    machine.delete()?;
    Ok(figures.iter().all(|figure| figure.holds))
}

fn prepare(machine: &mut Machine, subject: Subject) -> Result<()> {
    let program = fs::read(env::current_exe()?).context("cannot read this program")?;
    machine.write(stopwatch::PROGRAM, program)?;
    machine.check(&format!("chmod 755 {}", stopwatch::PROGRAM))?;
    match subject {
        Subject::Commands => {
            say("fifty units, fifty containers and twenty thousand files come up");
            crowd::settle(machine)?;
            crowd::plant(machine, course::FILES)?;
            machine.write(course::HUNDRED, crowd::services(100))?;
            machine.write(course::THOUSAND, crowd::services(1000))?;
            machine.write(course::TREE, crowd::tree())
        }
        Subject::Downtime => {
            say("five containers with their data on three file systems come up");
            scene::build(machine)
        }
    }
}
