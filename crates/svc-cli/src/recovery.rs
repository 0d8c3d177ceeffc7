//! What runs that died owe, done before anything new is begun.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::engine::Engine;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::history;
use svc_core::names::RunId;
use svc_core::recover::{Recovery, recover};
use svc_core::report::Report;
use svc_core::run_log::{self, RunLog};
use svc_core::standing::unfinished;

use crate::context::Context;
use crate::run::{perform, say};

/// Brings every run that died to its end before another verb begins; says so in a line each. `NotResumed`: something is
/// still down.
pub(crate) async fn first(context: &Context) -> Code {
    // A directory that cannot be read is said by the verb itself, which cannot write there either.
    let runs = unfinished(&context.scope.runs_dir(), false).unwrap_or_default();
    let mut code = Code::Ok;
    for run in runs {
        say(&format!("note: run {run} had died; what it owes is done first\n"));
        match one(context, &run).await {
            Ok(Some((_, report))) if report.code == Code::NotResumed => code = Code::NotResumed,
            Ok(_) => {}
            Err(failure) => say(&format!("warning: {}\n", failure.message)),
        }
    }
    code
}

/// Does what one run owes; nothing: it is at work, another process does it, or its log does not say what it was to do.
///
/// # Errors
/// When its log cannot be read or written.
pub(crate) async fn one(context: &Context, run: &RunId) -> Result<Option<(Goal, Report)>, Failure> {
    let Some((log, recovery)) = open(context, run)? else { return Ok(None) };
    let (goal, next) = (recovery.plan.goal.clone(), recovery.next);
    let work = async move |engine: Engine| engine.recover(&recovery).await;
    Ok(Some((goal, perform(context, run.clone(), log, next, work).await)))
}

/// Does the part of that which needs only file systems.
///
/// # Errors
/// When trees are old and new in part and cannot be brought to one side: their service must stay off.
pub(crate) async fn data(context: &Context, run: &RunId) -> Result<(), Failure> {
    let Some((log, recovery)) = open(context, run)? else { return Ok(()) };
    let next = recovery.next;
    let work = async move |engine: Engine| engine.recover_data(&recovery).await;
    perform(context, run.clone(), log, next, work).await
}

fn open(context: &Context, run: &RunId) -> Result<Option<(RunLog, Recovery)>, Failure> {
    let directory = context.scope.runs_dir();
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Code::Failed, error);
    let Some(log) = RunLog::reopen(&directory, run).map_err(|error| failed(&error))? else { return Ok(None) };
    // Read under its lock: another one may just have ended it.
    let events = run_log::read(&history::log(&directory, run)).map_err(|error| failed(&error))?;
    Ok(recover(&events, Timestamp::now()).map(|recovery| (log, recovery)))
}
