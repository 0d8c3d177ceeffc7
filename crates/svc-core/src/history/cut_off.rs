//! What a run left undone, told by its own log: because it crashed, or because it could not do better.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Body, Event};
use crate::goal::Goal;
use crate::names::{RunId, ServiceName};
use crate::plan::{Step, Target};
use crate::standing::owing::is_unsettled;
use crate::view::{ServiceView, View};

/// A service that a run left otherwise than it found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutOff {
    /// The run.
    pub run: RunId,
    /// The service.
    pub service: ServiceName,
    /// The run crashed; else it ended, and said so.
    pub crashed: bool,
    /// What was being done: `staging`, `backing up` …; nothing: it was between two steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What ran before and was stopped, or may have been.
    pub down: Vec<Target>,
    /// Old and new data were changing places, or could not be brought to one side.
    pub exchanging: bool,
}

/// The services that a run was at work on when its log ends; of a run that ended, those it could not bring back.
#[must_use]
pub fn cut_off(run: &RunId, events: &[Event]) -> Vec<CutOff> {
    let view = View::of(events);
    let crashed = view.report.is_none();
    // What `svc stop` stopped is as it should be.
    let is_stop = matches!(view.plan.as_ref().map(|plan| &plan.goal), Some(Goal::Stop { .. }));
    let is_left = |service: &ServiceView| match &service.report {
        Some(report) => report.owes(),
        None => crashed && service.began.is_some(),
    };
    let left = view.services.iter().filter(|(_, service)| is_left(service));
    left.map(|(name, service)| {
        let step = service.step.as_ref().map(|(step, _)| step);
        CutOff {
            run: run.clone(),
            service: name.clone(),
            crashed,
            phase: step.map(|step| step.phase().to_owned()),
            down: if is_stop { Vec::new() } else { owed(service, step, &prior(events, name)) },
            exchanging: matches!(step, Some(Step::Exchange { .. } | Step::Revert { .. }))
                || is_unsettled(events, name),
        }
    })
    .collect()
}

/// What ran before, as the run wrote down.
fn prior(events: &[Event], name: &ServiceName) -> Vec<Target> {
    let noted = events.iter().rev().find_map(|event| match &event.body {
        Body::PriorState { service, prior } if service == name => Some(prior.running.clone()),
        _ => None,
    });
    noted.unwrap_or_default()
}

/// What its own report says; without one, what the events do.
fn owed(service: &ServiceView, step: Option<&Step>, prior: &[Target]) -> Vec<Target> {
    let said = service.report.as_ref().map(|report| &report.down).filter(|down| !down.is_empty());
    said.cloned().unwrap_or_else(|| down(service, step, prior))
}

/// What was stopped and not started again, and what the step under way may have stopped.
fn down(service: &ServiceView, step: Option<&Step>, prior: &[Target]) -> Vec<Target> {
    let mut down = service.down.clone();
    let maybe: Vec<&Target> = match step {
        Some(Step::Stop { targets } | Step::Pause { targets } | Step::Restart { targets }) => {
            targets.iter().collect()
        }
        Some(Step::Revert { stop, .. }) => stop.iter().flatten().collect(),
        _ => Vec::new(),
    };
    let is_owed = |target: &&Target| prior.is_empty() || prior.contains(target);
    for target in maybe.into_iter().filter(is_owed) {
        if !down.contains(target) {
            down.push(target.clone());
        }
    }
    down
}
