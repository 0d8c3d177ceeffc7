//! What runs that died owe, done before anything new is begun.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::engine::Engine;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::history;
use svc_core::names::{RunId, ServiceName, UnitName};
use svc_core::plan::{Plan, ServicePlan};
use svc_core::recover::{Recovery, recover};
use svc_core::report::Report;
use svc_core::run_log::{self, RunLog};
use svc_core::standing::unfinished;

use crate::barrier;
use crate::context::Context;
use crate::run::{perform, say};

/// The runs that died and were brought to their end before another verb.
#[derive(Debug, Default)]
pub(crate) struct First {
    tried: Vec<RunId>,
    is_down: bool,
}

impl First {
    /// `NotResumed`: something is still down.
    pub(crate) const fn code(&self) -> Code {
        if self.is_down { Code::NotResumed } else { Code::Ok }
    }

    /// Brings every run that has died since to its end, and says so in a line each. Whether there was one: what was seen
    /// of the services before is out of date then.
    pub(crate) async fn recover(&mut self, context: &Context) -> bool {
        // A directory that cannot be read is said by the verb itself, which cannot write there either.
        let mut runs = unfinished(&context.scope.runs_dir(), false).unwrap_or_default();
        runs.retain(|run| !self.tried.contains(run));
        for run in &runs {
            say(&format!("note: run {run} had died; what it owes is done first\n"));
            match one(context, run).await {
                Ok(Some((_, report))) => self.is_down |= report.code == Code::NotResumed,
                Ok(None) => {}
                Err(failure) => say(&format!("warning: {}\n", failure.message)),
            }
        }
        let is_any = !runs.is_empty();
        self.tried.extend(runs);
        is_any
    }
}

/// Brings every run that died to its end before another verb begins.
pub(crate) async fn first(context: &Context) -> First {
    let mut first = First::default();
    first.recover(context).await;
    remove_copies(context).await;
    first
}

/// Removes the frozen copies that runs could not remove before they ended. What is still left, `svc doctor` tells.
pub(crate) async fn remove_copies(context: &Context) {
    let left = history::frozen_left(&context.scope.runs_dir()).unwrap_or_default();
    for (_, copy) in left {
        match context.outside.freezer.remove(&copy).await {
            Ok(()) => {
                let copy = copy.to.display();
                say(&format!("note: the frozen copy `{copy}` was left over and is removed\n"));
            }
            Err(error) => say(&format!("warning: {error}\n")),
        }
    }
}

/// Does what one run owes; nothing: it is at work, another process does it, or its log does not say what it was to do.
///
/// # Errors
/// When its log cannot be read or written.
pub(crate) async fn one(context: &Context, run: &RunId) -> Result<Option<(Goal, Report)>, Failure> {
    lower_barrier(context, run).await?;
    let Some((log, recovery)) = open(context, run)? else { return Ok(None) };
    let (goal, next) = (recovery.plan.goal.clone(), recovery.next);
    let work = async move |engine: Engine| engine.recover(&recovery).await;
    Ok(Some((goal, perform(context, run.clone(), log, next, work).await)))
}

/// Does the part of that which needs only file systems. Units whose data could not be brought to one side cannot start from
/// now on.
///
/// # Errors
/// When trees are old and new in part and cannot be brought to one side: their service must stay off.
pub(crate) async fn data(context: &Context, run: &RunId) -> Result<(), Failure> {
    let stuck = settle(context, run).await?;
    let units: Vec<UnitName> = stuck.iter().flat_map(|(units, _)| units.clone()).collect();
    let Some((_, failure)) = stuck.into_iter().next() else { return Ok(()) };
    barrier::raise(run, &units).map_err(|error| {
        let message = "units whose data is old and new in part could not be held back";
        Failure::new(Code::NotResumed, message).because(error.to_string())
    })?;
    Err(failure)
}

/// Brings the trees of a run to one side; where that failed, gives the units of the service, and why.
async fn settle(context: &Context, run: &RunId) -> Result<Vec<(Vec<UnitName>, Failure)>, Failure> {
    let Some((log, recovery)) = open(context, run)? else { return Ok(Vec::new()) };
    let (next, plan) = (recovery.next, recovery.plan.clone());
    let work = async move |engine: Engine| engine.recover_data(&recovery).await;
    let stuck = perform(context, run.clone(), log, next, work).await;
    Ok(stuck.into_iter().map(|(name, failure)| (units(context, &plan, &name), failure)).collect())
}

/// The units of a service that Docker's own waiting does not hold. What the run's own plan says of them is known also under
/// a configuration that cannot be read any more.
fn units(context: &Context, plan: &Plan, name: &ServiceName) -> Vec<UnitName> {
    let planned = plan.services.iter().filter(|service| service.service == *name);
    let configured = context.config.services.get(name).map(|service| service.units.clone());
    planned.flat_map(ServicePlan::units).chain(configured.unwrap_or_default()).collect()
}

/// Lets units start again whose data can be brought to one side now.
async fn lower_barrier(context: &Context, run: &RunId) -> Result<(), Failure> {
    if barrier::is_raised(run) && settle(context, run).await?.is_empty() {
        barrier::lower(run).map_err(|error| Failure::from_error(Code::Failed, &error))?;
    }
    Ok(())
}

fn open(context: &Context, run: &RunId) -> Result<Option<(RunLog, Recovery)>, Failure> {
    let directory = context.scope.runs_dir();
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Code::Failed, error);
    let Some(log) = RunLog::reopen(&directory, run).map_err(|error| failed(&error))? else { return Ok(None) };
    // Read under its lock: another one may just have ended it.
    let events = run_log::read(&history::log(&directory, run)).map_err(|error| failed(&error))?;
    Ok(recover(&events, Timestamp::now()).map(|recovery| (log, recovery)))
}
