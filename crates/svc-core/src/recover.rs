//! What a run that died owes: the rest of its plan. A pure fold of its log; whoever does the rest writes on in that log, so
//! that a recovery that dies itself is recovered in the same way.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::code::Code;
use crate::event::{Body, Event};
use crate::failure::Failure;
use crate::goal::Goal;
use crate::ledger::{Ledger, Moment};
use crate::names::{RunId, ServiceName};
use crate::plan::{Plan, PlannedStep, ServicePlan, Step, Target, When};
use crate::report::ServiceReport;

/// What is left to do of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The run.
    pub run: RunId,
    /// What is left to do, as a plan.
    pub plan: Plan,
    /// When the run began.
    pub began: Timestamp,
    /// The number of its next event.
    pub next: u64,
    /// What the run was at work on, in the order of its plan.
    pub(crate) unfinished: IndexMap<ServiceName, Unfinished>,
    /// The services that it did not come to, or had done with.
    pub(crate) settled: Vec<ServiceReport>,
}

/// A service that a run was at work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub(crate) plan: ServicePlan,
    pub(crate) ledger: Ledger,
    pub(crate) report: ServiceReport,
    /// What was begun is to be undone; else it is brought to its end.
    pub(crate) aborted: bool,
}

/// The rest of a run's plan, from its events; nothing: the log does not even say what it was to do.
///
/// A service that the run itself could not bring back counts as unfinished, too.
#[must_use]
pub fn recover(events: &[Event], now: Timestamp) -> Option<Recovery> {
    let (first, plan) = events.iter().find_map(|event| match &event.body {
        Body::RunStarted { plan, .. } => Some((event, plan)),
        _ => None,
    })?;
    let mut recovery = Recovery {
        run: first.run.clone(),
        plan: Plan { services: Vec::new(), ..plan.clone() },
        began: first.at,
        next: events.last().map_or(0, |event| event.seq + 1),
        unfinished: IndexMap::new(),
        settled: Vec::new(),
    };
    for service in &plan.services {
        let trace = Trace::of(service, events, now);
        match trace.report.clone() {
            Some(report) if !report.owes() => match trace.unclosed(&report) {
                Some(unfinished) => recovery.add(unfinished),
                None => recovery.settled.push(report),
            },
            None if !trace.began => recovery.settled.push(never_begun(service)),
            _ => recovery.add(trace.unfinished(&plan.goal)),
        }
    }
    Some(recovery)
}

impl Recovery {
    fn add(&mut self, unfinished: Unfinished) {
        self.plan.services.push(unfinished.plan.clone());
        self.unfinished.insert(unfinished.plan.service.clone(), unfinished);
    }
}

fn never_begun(service: &ServicePlan) -> ServiceReport {
    let mut report = ServiceReport::new(service.service.clone());
    report.skipped.clone_from(&service.skipped);
    report.failures.clone_from(&service.refused);
    if service.skipped.is_none() {
        report.failures.push(Failure::new(Code::Failed, "the run died before it began with this"));
    }
    report.code = Code::worst(report.failures.iter().map(|failure| failure.code));
    report
}

/// What the log says of one service.
struct Trace<'a> {
    planned: &'a ServicePlan,
    began: bool,
    ledger: Ledger,
    report: Option<ServiceReport>,
    partial: ServiceReport,
    /// The step that was under way.
    step: Option<&'a Step>,
    /// It was going back already.
    failed: bool,
    started: Vec<&'a Target>,
}

impl<'a> Trace<'a> {
    fn of(planned: &'a ServicePlan, events: &'a [Event], now: Timestamp) -> Self {
        let mut trace = Self {
            planned,
            began: false,
            ledger: Ledger::default(),
            report: None,
            partial: ServiceReport::new(planned.service.clone()),
            step: None,
            failed: false,
            started: Vec::new(),
        };
        for event in events {
            if event.body.service() == Some(&planned.service) {
                trace.ledger.apply(&event.body, Moment { instant: instant(event.at, now), at: event.at });
                trace.heed(&event.body);
            } else if matches!(event.body, Body::CancelRequested { .. }) {
                trace.failed |= trace.began && trace.report.is_none();
            }
        }
        trace
    }

    fn heed(&mut self, body: &'a Body) {
        match body {
            Body::ServiceStarted { .. } => {
                self.began = true;
                // A recovery begins anew with what the run before it could not bring back.
                self.report = None;
            }
            Body::StepStarted { step, .. } => {
                self.step = Some(step);
                self.failed |= matches!(step, Step::Revert { .. });
            }
            Body::StepFinished { failure, .. } => {
                let step = self.step.take();
                self.failed |= failure.is_some() && step.is_some_and(Step::ends_the_rest);
                self.partial.failures.extend(failure.clone());
            }
            Body::SnapshotSaved { snapshot, .. } => self.partial.snapshots.push(snapshot.clone()),
            Body::Forgotten { snapshots, .. } => self.partial.forgotten.extend(snapshots.iter().cloned()),
            Body::Started { target, .. } => self.started.push(target),
            Body::ServiceFinished { report } => self.report = Some(report.clone()),
            _ => {}
        }
    }

    /// What the end of the run would have cleared away, of a service that had come to its own end.
    fn unclosed(&self, report: &ServiceReport) -> Option<Unfinished> {
        let (ledger, report) = (self.ledger.clone(), report.clone());
        let plan = ServicePlan { steps: Vec::new(), refused: Vec::new(), ..self.planned.clone() };
        let unfinished = Unfinished { plan: plan.with_needed_closing(), ledger, report, aborted: false };
        (!self.ledger.hot.is_empty()).then_some(unfinished)
    }

    fn unfinished(mut self, goal: &Goal) -> Unfinished {
        let is_committed = !self.ledger.exchanging.is_empty();
        let is_done = !self.ledger.exchanged.is_empty() && !self.failed;
        let goes_on = (is_committed || is_done) && !self.ledger.mixed;
        let mut report = self.report.clone().unwrap_or_else(|| self.partial.clone());
        if goes_on {
            // What kept an earlier recovery from it is seen anew.
            report.failures.clear();
        }
        // Whether it can be brought back now is seen anew.
        for failure in report.failures.iter_mut().filter(|failure| failure.code == Code::NotResumed) {
            failure.code = Code::UnitOrContainer;
        }
        if self.report.is_none() && !goes_on {
            report.failures.push(self.how_it_died());
        }
        let steps = if matches!(goal, Goal::Stop { .. }) { Vec::new() } else { self.rest(goes_on) };
        let plan = ServicePlan { steps, refused: Vec::new(), ..self.planned.clone() }.with_needed_closing();
        Unfinished { plan, ledger: self.ledger, report, aborted: !goes_on }
    }

    fn how_it_died(&self) -> Failure {
        let doing = self.step.map_or_else(String::new, |step| format!(" while {}", step.phase()));
        Failure::new(Code::Failed, format!("the run died{doing}"))
    }

    /// The steps that bring it to its end, or those that pay back what it owes.
    fn rest(&mut self, goes_on: bool) -> Vec<PlannedStep> {
        let all = &self.planned.steps;
        let exchange = all.iter().position(|step| matches!(step.step, Step::Exchange { .. })).unwrap_or(0);
        let is_committed = !self.ledger.exchanging.is_empty();
        let is_left = |(index, planned): &(usize, &PlannedStep)| match &planned.step {
            _ if !goes_on => planned.when != When::Normal,
            // Whatever came up meanwhile has to be off while the trees change places.
            Step::Stop { .. } | Step::Exchange { .. } => is_committed,
            _ => *index > exchange,
        };
        let mut steps: Vec<PlannedStep> =
            all.iter().enumerate().filter(is_left).map(|(_, planned)| planned.clone()).collect();
        // Nothing is started before all trees are back.
        if !goes_on {
            steps.sort_by_key(|planned| !matches!(planned.step, Step::Revert { .. }));
        }
        if let Some(Step::Restart { targets }) = self.step {
            let targets: Vec<Target> =
                targets.iter().filter(|target| !self.started.contains(target)).cloned().collect();
            self.ledger.lost(&targets, Instant::now());
            let reason = "it was being restarted".to_owned();
            steps.insert(0, PlannedStep { step: Step::Resume { targets }, when: When::Always, reason });
        }
        steps
    }
}

/// When something of the log happened, as this process counts time; what is older than the machine's start is counted
/// from now.
fn instant(at: Timestamp, now: Timestamp) -> Instant {
    let ago = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    let here = Instant::now();
    here.checked_sub(ago).unwrap_or(here)
}

#[cfg(test)]
mod tests;
