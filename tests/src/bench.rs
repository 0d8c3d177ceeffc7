//! `cargo box bench`: what svc costs, beside the bare tools that it saves typing.
//!
//! Each time is half of a pair: svc and the bare tools in turn, on the same machine in the same minute. What is judged
//! are their ratios, so that a slow machine slows both.

mod course;
mod figure;
mod page;
mod stopwatch;

use std::{env, fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result};

use crate::{Machine, crowd, store::Store, svc, tool::say, tree};

pub use stopwatch::run as stopwatch;

/// Where this program is in the box, to measure there: entering a box takes longer than what is measured.
const STOPWATCH: &str = "/run/stopwatch";

/// Measures this `svc` in a box of its own, shows the figures and writes them down; whether all are within their bounds.
pub fn run(store: &Arc<Store>, svc: &Path, name: &str, pairs: usize) -> Result<bool> {
    say(&format!("measuring in the box `{name}`, which is deleted afterwards; this takes minutes"));
    let mut machine = Machine::create(store, name, &tree::pristine(store)?)?.ephemeral();
    svc::install_this(svc, machine.disks())?;
    machine.up()?;
    prepare(&machine)?;
    let figures = course::run(&machine, pairs)?;
    page::show(&figures)?;
    let page = svc::workspace().join("docs/benchmarks.md");
    fs::write(&page, page::text(&machine, &figures, pairs)?)
        .with_context(|| format!("cannot write `{}`", page.display()))?;
    say(&format!("written to `{}`", page.display()));
    machine.delete()?;
    Ok(figures.iter().all(|figure| figure.holds))
}

fn prepare(machine: &Machine) -> Result<()> {
    say("fifty units, fifty containers and twenty thousand files come up");
    let program = fs::read(env::current_exe()?).context("cannot read this program")?;
    machine.write(STOPWATCH, program)?;
    machine.check(&format!("chmod 755 {STOPWATCH}"))?;
    crowd::settle(machine)?;
    crowd::plant(machine, course::FILES)?;
    machine.write(course::HUNDRED, crowd::services(100))?;
    machine.write(course::THOUSAND, crowd::services(1000))?;
    machine.write(course::TREE, crowd::tree())
}
