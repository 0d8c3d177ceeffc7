//! One service's part of a run: its steps in order, and after a failure those that put things back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::control::stays_off;
use super::quiet::Unseen;
use super::sources::Looked;
use super::{Engine, caught, millis};
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::freeze::Traces;
use crate::goal::Goal;
use crate::ledger::Ledger;
use crate::names::{RepositoryName, ServiceName};
use crate::plan::{PlannedStep, ServicePlan, Step, Target, When};
use crate::recover::Unfinished;
use crate::report::ServiceReport;

/// One service's part of a run.
pub(super) struct ServiceRun<'a> {
    pub(super) engine: &'a Engine,
    pub(super) goal: &'a Goal,
    pub(super) plan: &'a ServicePlan,
    pub(super) ledger: Ledger,
    pub(super) report: ServiceReport,
    /// Repositories that took no snapshot, and why.
    pub(super) unsaved: Vec<(RepositoryName, Code)>,
    /// How long the hot passes took, in milliseconds.
    pub(super) hot_took: BTreeMap<RepositoryName, u64>,
    began: Instant,
    /// The same by the clock that can be set.
    pub(super) began_at: Timestamp,
    pub(super) aborted: bool,
    /// Another process began it and died.
    pub(super) resumed: bool,
    /// Repositories whose last backup was later than this one began, for the clock was set back. Nothing: it never had its
    /// lock, and was not worked on.
    pub(super) later: Option<Vec<RepositoryName>>,
    /// It had to be made to hold still a second time.
    pub(super) held_again: bool,
    /// Why the frozen copies may be torn.
    pub(super) torn: Option<String>,
    /// What is still to be looked at about them.
    pub(super) unseen: Option<Unseen>,
    /// Which sources hold something, and which are empty directories; nothing: nobody has looked.
    pub(super) looked: Option<Looked>,
    /// Whether each change of the frozen copies' files can be told.
    pub(super) traces: Traces,
    /// What went wrong beside the snapshots, and makes them no worse: a `post` hook, so that what it clears up is as it was
    /// in the backup.
    pub(super) beside: Code,
}

impl<'a> ServiceRun<'a> {
    pub(super) fn new(engine: &'a Engine, goal: &'a Goal, plan: &'a ServicePlan) -> Self {
        let report = ServiceReport::new(plan.service.clone());
        let (ledger, unsaved) = (Ledger::default(), Vec::new());
        let (aborted, resumed, held_again) = (false, false, false);
        let (later, torn, unseen, looked) = (None, None, None, None);
        let (hot_took, began, began_at) = (BTreeMap::new(), Instant::now(), (engine.now)());
        Self {
            engine,
            goal,
            plan,
            ledger,
            report,
            unsaved,
            hot_took,
            began,
            began_at,
            aborted,
            resumed,
            later,
            held_again,
            torn,
            unseen,
            looked,
            traces: Traces::Plain,
            beside: Code::Ok,
        }
    }

    /// Goes on where a run died.
    pub(super) fn resumed(engine: &'a Engine, goal: &'a Goal, unfinished: &'a Unfinished) -> Self {
        Self {
            ledger: unfinished.ledger.clone(),
            report: unfinished.report.clone(),
            aborted: unfinished.aborted,
            resumed: true,
            ..Self::new(engine, goal, &unfinished.plan)
        }
    }

    pub(super) fn service(&self) -> ServiceName {
        self.plan.service.clone()
    }

    /// Tells what has happened, and keeps account of it.
    pub(super) fn tell(&mut self, body: Body) {
        self.ledger.apply(&body, self.engine.moment());
        self.engine.recorder.tell(body);
    }

    /// Announces what is about to happen, and keeps account of it once that is on disk.
    pub(super) async fn announce(&mut self, body: Body) -> Result<(), Failure> {
        let announced = self.engine.recorder.announce(body.clone()).await;
        announced.map_err(|error| Failure::from_error(Code::NoSpace, &error))?;
        self.ledger.apply(&body, self.engine.moment());
        Ok(())
    }

    /// How long it has been at work, by a clock that cannot be set.
    pub(super) fn lasts(&self) -> Duration {
        self.began.elapsed()
    }

    /// It ends with this, and nothing is done.
    pub(super) fn with(self, report: ServiceReport) -> Self {
        Self { report, ..self }
    }

    /// Runs to the end and reports. What is left to do then needs its repositories alone.
    pub(super) async fn run(mut self) -> Self {
        self.engine.recorder.tell(Body::ServiceStarted { service: self.service() });
        self.report.skipped.clone_from(&self.plan.skipped);
        self.report.failures.extend(self.plan.refused.iter().cloned());
        let plans = !self.plan.steps.is_empty() || !self.plan.refused.is_empty();
        let touches = self.resumed || plans || self.goal.is_lifecycle();
        let lock = if touches { self.enter().await.map(Some) } else { Ok(None) };
        match &lock {
            Ok(Some(_)) => {
                self.later = Some(self.later_backups());
                self.run_steps().await;
            }
            Ok(None) => {}
            Err(failure) => {
                // What was seen of it beside another run's work says nothing.
                if failure.code == Code::Busy {
                    self.report.failures.clear();
                }
                self.report.failures.push(failure.clone());
            }
        }
        // The lock is held to the end: the record is read and written under it.
        self.finish().await;
        self
    }

    async fn run_steps(&mut self) {
        if self.resumed {
            self.end_hook_left().await;
        }
        for (index, planned) in self.plan.steps.iter().enumerate() {
            // What is only cleaned up after a success is not worth undoing that success.
            let is_cleaning = matches!(planned.step, Step::DropStage { .. });
            if !self.aborted && planned.when == When::Normal && !is_cleaning {
                self.heed_cancel();
            }
            let due = match planned.when {
                When::Normal => !self.aborted,
                When::Always => true,
                When::OnFailure => self.aborted,
            };
            if due {
                self.step(index, planned).await;
            }
        }
    }

    fn heed_cancel(&mut self) {
        if let Some(code) = self.engine.cancel.code() {
            self.aborted = true;
            self.report.failures.push(Failure::new(code, "cancelled"));
        }
    }

    pub(super) async fn step(&mut self, index: usize, planned: &PlannedStep) {
        let (service, step) = (self.service(), planned.step.clone());
        let started = Body::StepStarted { service: service.clone(), index, step };
        let began = Instant::now();
        let announced = self.announce(started.clone()).await;
        let faults = planned.step.has_side_effect().then_some(&self.engine.faults);
        faults.inspect(|faults| faults.pass());
        let result = match announced {
            Err(failure) if planned.when == When::Normal && !self.resumed => Err(failure),
            // What pays back is done even when it cannot be written down; so is what was announced before the run died.
            Err(_) => {
                self.ledger.apply(&started, self.engine.moment());
                caught(self.execute(&planned.step, planned.when)).await
            }
            Ok(()) => caught(self.execute(&planned.step, planned.when)).await,
        };
        faults.inspect(|faults| faults.pass());
        let failure = result.err();
        let finished =
            Body::StepFinished { service, index, took_ms: millis(began), failure: failure.clone() };
        self.tell(finished);
        if let Some(failure) = failure {
            self.aborted |= self.ends_the_rest(&planned.step) || self.engine.cancel.code().is_some();
            self.report.failures.push(failure);
        }
    }

    async fn execute(&mut self, step: &Step, when: When) -> Result<(), Failure> {
        match step {
            Step::CheckSources { sources, dumps } => self.check_sources(sources, dumps).await,
            Step::WriteManifest { path } => self.write_manifest(path).await,
            Step::RecordPrior { running } => self.record_prior(running).await,
            Step::Stop { targets } => self.stop(targets).await,
            Step::Hook(step) => self.hook(step).await,
            Step::Pause { targets } => self.pause(targets).await,
            Step::Resume { targets } => self.resume(targets).await,
            Step::Start { targets } => self.start(targets).await,
            Step::Restart { targets } => self.restart(targets).await,
            Step::AwaitHealth { targets, timeout } => self.await_health(targets, *timeout, when).await,
            Step::SyncSources { paths } => self.sync_sources(paths).await,
            Step::Freeze(step) => self.freeze(step).await,
            Step::DropFreeze { copies } => self.drop_freeze(copies).await,
            Step::Backup(step) => self.backup(step).await,
            Step::ForgetHot { left } => self.forget_hot(left).await,
            Step::Stage(step) => self.stage(step).await,
            Step::VerifyStage(step) => self.verify_stage(step).await,
            Step::Exchange { pairs } => self.exchange(pairs).await,
            Step::Revert { stop, start, .. } => self.revert(stop, start).await,
            Step::Forget(step) => self.forget(step).await,
            Step::DropStage { stage } => self.drop_stage(stage, when).await,
        }
    }

    /// Says what was to run again and does not; and 5, whatever the reason: no fault of svc's own may hide it.
    fn report_owed(&mut self) {
        let resumes = |planned: &PlannedStep, target: &Target| match &planned.step {
            Step::Resume { targets } => targets.contains(target),
            _ => false,
        };
        let returns = |target: &&Target| {
            self.ledger.owes(target) && self.plan.steps.iter().any(|planned| resumes(planned, target))
        };
        self.report.down = self.ledger.stopped.iter().filter(returns).cloned().collect();
        if self.ledger.is_unsettled() && !self.report.failures.iter().any(|f| f.code == Code::NotResumed) {
            self.report.failures.push(stays_off(&self.plan.service, &self.engine.run));
        }
        let is_said = |failure: &Failure| matches!(failure.code, Code::NotResumed | Code::Terminated);
        if self.report.failures.iter().any(is_said) {
            return;
        }
        if let Some(target) = self.report.down.first() {
            let failure = Failure::new(Code::NotResumed, format!("`{target}` was not started again"));
            let hint = format!("svc start {}", self.plan.service);
            self.report.failures.push(failure.hint(hint));
        }
    }

    async fn finish(&mut self) {
        self.report_trees();
        self.report_owed();
        // What is to be off is not down.
        let is_wished = matches!(self.goal, Goal::Stop { .. });
        self.report.downtime_ms = self.ledger.downtime_ms().filter(|_| !is_wished);
        self.report.took_ms = millis(self.began);
        self.report.code = Code::worst(self.report.failures.iter().map(|failure| failure.code));
        if self.later.is_some() {
            self.report.unsaved = self.without_snapshot();
            if let Err(failure) = self.keep_record() {
                self.report.code = Code::worst([self.report.code, failure.code]);
                self.report.failures.push(failure);
            }
        }
        // Written before the lock is let go: who takes it next reads there that nothing is owed.
        let _ = self.engine.recorder.announce(Body::ServiceFinished { report: self.report.clone() }).await;
    }
}
