//! `svc attach` and `svc cancel`: runs that other processes do.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use svc_core::code::Code;
use svc_core::event::{Body, Event};
use svc_core::failure::Failure;
use svc_core::history::{self, Fate};
use svc_core::names::RunId;
use svc_core::run_log;

use super::runs::{unnamed, unreadable};
use crate::args::RunArgs;
use crate::context::Context;
use crate::render;
use crate::run::{say, write_out};
use crate::unit::{self, OnInterrupt};

/// Shows a run until it ends; one that has ended already is shown as it ended.
pub(crate) async fn attach(context: &Context, args: &RunArgs) -> Result<Code, Failure> {
    let run = choose(context, args)?;
    let report = unit::show(context, &run, OnInterrupt::Leave).await?;
    let events = events(context, &run)?;
    if let Some(goal) = events.iter().find_map(goal).filter(|_| !context.global.json) {
        say(&render::messages(&report, goal, context.choice().colour_on_stderr()));
    }
    Ok(report.code)
}

/// Asks a run to end in good order.
pub(crate) fn cancel(context: &Context, args: &RunArgs) -> Result<Code, Failure> {
    context.require_root("cancel")?;
    let run = choose(context, args)?;
    let path = history::log(&context.scope.runs_dir(), &run);
    let unreadable = |error: std::io::Error| unreadable(&context.scope.runs_dir(), &error);
    let pid = events(context, &run)?.iter().rev().find_map(process);
    let Some(pid) = pid.and_then(Pid::from_raw) else { return Err(not_at_work(&run)) };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Err(not_at_work(&run)) };
    // Whoever holds the log is the process of that number: with the log held after it was opened, it is the one.
    if !run_log::is_held(&path).map_err(unreadable)? {
        return Err(not_at_work(&run));
    }
    pidfd_send_signal(&process, Signal::TERM).map_err(|error| {
        Failure::new(Code::Permission, format!("run {run} cannot be signalled")).because(error.to_string())
    })?;
    write_out(&format!("Run {run} was asked to end; what ran before runs again.\n")).map(|()| Code::Ok)
}

/// The run that was named; else the newest that is at work.
fn choose(context: &Context, args: &RunArgs) -> Result<RunId, Failure> {
    let directory = context.scope.runs_dir();
    let runs = history::runs(&directory).map_err(|error| unreadable(&directory, &error))?;
    if let Some(word) = &args.run {
        return history::choose(&runs, word).cloned().map_err(|error| unnamed(&error));
    }
    let is_at_work =
        |run: &&RunId| history::summary(&directory, run).is_ok_and(|summary| summary.fate == Fate::Running);
    runs.iter()
        .find(is_at_work)
        .cloned()
        .ok_or_else(|| Failure::new(Code::Usage, "no run is at work").hint("svc runs"))
}

fn events(context: &Context, run: &RunId) -> Result<Vec<Event>, Failure> {
    let directory = context.scope.runs_dir();
    run_log::read(&history::log(&directory, run)).map_err(|error| unreadable(&directory, &error))
}

const fn goal(event: &Event) -> Option<&svc_core::goal::Goal> {
    match &event.body {
        Body::RunStarted { plan, .. } => Some(&plan.goal),
        _ => None,
    }
}

fn process(event: &Event) -> Option<i32> {
    match &event.body {
        Body::RunStarted { pid, .. } | Body::Recovering { pid, .. } => i32::try_from(*pid).ok(),
        _ => None,
    }
}

fn not_at_work(run: &RunId) -> Failure {
    Failure::new(Code::Usage, format!("run {run} is not at work")).hint(format!("svc runs {run}"))
}
