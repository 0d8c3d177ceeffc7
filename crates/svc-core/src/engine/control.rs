//! Stopping and starting of units and containers, with what the ledger owes.

use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};

use super::caught;
use super::service::ServiceRun;
use crate::code::Code;
use crate::docker::DockerError;
use crate::event::Body;
use crate::failure::Failure;
use crate::names::{RunId, ServiceName, UnitName};
use crate::observe;
use crate::plan::Target;
use crate::systemd::{ActiveState, JobVerb, SystemdError, UnitDetails};

/// A job may take this long when the unit itself sets no limit.
const LONGEST_JOB: Duration = Duration::from_mins(30);
/// systemd needs a moment of its own beyond the unit's limits.
const JOB_MARGIN: Duration = Duration::from_secs(10);
/// How often a service that ran before is started before svc gives up, and the pauses between.
const RESUME_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

impl ServiceRun<'_> {
    /// Stops targets at once; those that the prior state does not show running are left alone.
    pub(super) async fn stop(&mut self, targets: &[Target]) -> Result<(), Failure> {
        let targets: Vec<Target> =
            targets.iter().filter(|target| self.ledger.may_stop(target)).cloned().collect();
        let results = join_all(targets.iter().map(|target| self.act(JobVerb::Stop, target))).await;
        for (target, result) in targets.iter().zip(&results) {
            if result.is_ok() {
                self.tell_stopped(target);
            }
        }
        first_failure(results)
    }

    /// Starts again those of the targets that were stopped; tries three times before it says 5.
    pub(super) async fn resume(&mut self, targets: &[Target]) -> Result<(), Failure> {
        self.may_start()?;
        let owed: Vec<Target> = targets.iter().filter(|target| self.ledger.owes(target)).cloned().collect();
        if self.resumed && owed.iter().any(|target| matches!(target, Target::Container(_))) {
            self.let_units_settle().await;
        }
        let results = join_all(owed.iter().map(|target| self.start_stubbornly(target))).await;
        for (target, result) in owed.iter().zip(&results) {
            if result.is_ok() {
                self.tell_started(target);
            }
        }
        first_failure(results).map_err(|failure| self.owed(failure))
    }

    /// What it means that something that ran before does not run again: 5, unless the old data is about to be put
    /// back, or the machine goes down, and its next boot starts the rest.
    pub(super) fn owed(&self, failure: Failure) -> Failure {
        let code = match failure.code {
            Code::Terminated => Code::Terminated,
            _ if self.ledger.exchanged.is_empty() || self.ledger.is_unsettled() => Code::NotResumed,
            _ => Code::UnitOrContainer,
        };
        Failure { code, ..failure }
    }

    /// Starts targets at once.
    pub(super) async fn start(&mut self, targets: &[Target]) -> Result<(), Failure> {
        self.each(JobVerb::Start, targets).await
    }

    /// Restarts targets at once.
    pub(super) async fn restart(&mut self, targets: &[Target]) -> Result<(), Failure> {
        self.each(JobVerb::Restart, targets).await
    }

    /// Nothing of a service is started while its data may be a mixture.
    fn may_start(&self) -> Result<(), Failure> {
        if self.ledger.is_unsettled() { Err(stays_off(&self.plan.service, &self.engine.run)) } else { Ok(()) }
    }

    async fn each(&mut self, verb: JobVerb, targets: &[Target]) -> Result<(), Failure> {
        self.may_start()?;
        let results = join_all(targets.iter().map(|target| self.act(verb, target))).await;
        for (target, result) in targets.iter().zip(&results) {
            if result.is_ok() {
                self.tell_started(target);
            }
        }
        first_failure(results)
    }

    /// At boot the service's own units bring its containers up at this very moment, and Docker does badly when two start
    /// the same one.
    async fn let_units_settle(&self) {
        let service = std::slice::from_ref(&self.plan.service);
        let parts = observe::parts(&self.engine.config, &self.engine.outside, service).await;
        let units = parts.iter().flat_map(|parts| &parts.units).map(|(unit, _)| unit);
        let starting = units.filter(|unit| unit.active == ActiveState::Activating);
        let jobs = starting.map(|unit| self.job(JobVerb::Start, &unit.name));
        // Whether they come up or not, what is owed is started then.
        join_all(jobs).await;
    }

    async fn start_stubbornly(&self, target: &Target) -> Result<(), Failure> {
        let mut result = caught(self.bring_back(target)).await;
        for pause in RESUME_PAUSES {
            if result.is_ok() {
                break;
            }
            if self.engine.is_shutting_down().await {
                let message = format!("`{target}` stays off: the machine is shutting down");
                return Err(Failure::new(Code::Terminated, message));
            }
            tokio::time::sleep(pause).await;
            if let Target::Unit(unit) = target {
                // Started too often in too short a time, it would be refused. Whether it can be is seen then.
                let _ = caught(self.reset(unit)).await;
            }
            result = caught(self.bring_back(target)).await;
        }
        result
    }

    async fn reset(&self, unit: &UnitName) -> Result<(), Failure> {
        let reset = self.engine.outside.systemd.reset_failed(unit).await;
        reset.map_err(|error| Failure::from(&error))
    }

    /// Starts a target; what was paused or frozen before is so again.
    async fn bring_back(&self, target: &Target) -> Result<(), Failure> {
        if self.ledger.holds(target) {
            return self.let_go(target).await;
        }
        let docker = &self.engine.outside.docker;
        let name = match target {
            Target::Container(name) => name,
            Target::Unit(unit) => {
                self.act(JobVerb::Start, target).await?;
                let is_frozen = self.ledger.was_paused(target);
                let frozen =
                    OptionFuture::from(is_frozen.then(|| self.engine.outside.systemd.freeze(unit))).await;
                return frozen.unwrap_or(Ok(())).map_err(|error| Failure::from(&error));
            }
        };
        if self.may_yet_stop(target, name).await {
            // This waits for its end. Whatever it says, the container is to run.
            let _ = self.act(JobVerb::Stop, target).await;
        }
        if !self.ledger.was_paused(target) {
            return self.act(JobVerb::Start, target).await;
        }
        // A try before this one may have paused it already, and a paused container cannot be started.
        let _ = docker.unpause(name).await;
        self.act(JobVerb::Start, target).await?;
        docker.pause(name).await.map_err(|error| Failure::from(&error))
    }

    /// Whether an order to stop or to pause a container may still be under way: nobody has answered it, and it is still
    /// the container's same run. Docker goes on with an order whose giver is gone, and takes a start meanwhile for done:
    /// so the order is given again before the container is started. systemd puts its jobs in order itself.
    pub(super) async fn may_yet_stop(&self, target: &Target, name: &str) -> bool {
        let Some(asked) = self.ledger.unanswered_since(target) else { return false };
        let seen = self.engine.outside.docker.inspect(name).await;
        !seen.is_ok_and(|seen| seen.started_at.is_some_and(|started| started > asked))
    }

    pub(super) async fn act(&self, verb: JobVerb, target: &Target) -> Result<(), Failure> {
        caught(self.try_act(verb, target)).await
    }

    async fn try_act(&self, verb: JobVerb, target: &Target) -> Result<(), Failure> {
        match target {
            Target::Unit(unit) => {
                if self.ledger.was_paused(target) {
                    // systemd stops nothing that is frozen.
                    let _ = self.engine.outside.systemd.thaw(unit).await;
                }
                match self.job(verb, unit).await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(self.with_state(unit, &error).await),
                }
            }
            Target::Container(name) => {
                let docker = &self.engine.outside.docker;
                // What is not there is off: Docker removes some containers when they end.
                let stop = async || match docker.stop(name).await {
                    Err(DockerError::NotFound { .. }) => Ok(()),
                    stopped => stopped,
                };
                let acted = match verb {
                    JobVerb::Stop => stop().await,
                    JobVerb::Start => docker.start(name).await,
                    JobVerb::Restart => match stop().await {
                        Ok(()) => docker.start(name).await,
                        Err(error) => Err(error),
                    },
                };
                acted.map_err(|error| Failure::from(&error))
            }
        }
    }

    async fn job(&self, verb: JobVerb, unit: &UnitName) -> Result<(), SystemdError> {
        let systemd = &self.engine.outside.systemd;
        let units = systemd.units(std::slice::from_ref(unit)).await?;
        // That its limits are not known must not keep a service off.
        let details = systemd.details(&units).await.unwrap_or_default();
        let deadline = details.first().map_or(LONGEST_JOB, |details| job_deadline(verb, details));
        systemd.run_job(verb, unit, deadline).await
    }

    /// How a job ended does not say where it left the unit.
    async fn with_state(&self, unit: &UnitName, error: &SystemdError) -> Failure {
        let failure = Failure::from(error);
        if !matches!(error, SystemdError::JobEnded { .. } | SystemdError::Deadline { .. }) {
            return failure;
        }
        let seen = self.engine.outside.systemd.units(std::slice::from_ref(unit)).await;
        match seen.ok().and_then(|units| units.into_iter().next()) {
            Some(unit) => failure.because(format!("it is {} now", unit.active)),
            None => failure,
        }
    }

    fn tell_stopped(&mut self, target: &Target) {
        self.tell(Body::Stopped { service: self.service(), target: target.clone() });
    }

    fn tell_started(&mut self, target: &Target) {
        self.tell(Body::Started { service: self.service(), target: target.clone() });
    }
}

/// The data of a service is part old and part new, as the log of this run says.
pub(super) fn stays_off(service: &ServiceName, run: &RunId) -> Failure {
    let message = format!("`{service}` stays off: its data is part old and part new");
    Failure::new(Code::NotResumed, message).hint(format!("svc recover {run}"))
}

/// The unit's own limits and a margin; never without an end.
fn job_deadline(verb: JobVerb, details: &UnitDetails) -> Duration {
    let limit = match verb {
        JobVerb::Start => details.timeout_start,
        JobVerb::Stop => details.timeout_stop,
        JobVerb::Restart => details.timeout_start.zip(details.timeout_stop).map(|(start, stop)| start + stop),
    };
    limit.unwrap_or(LONGEST_JOB).min(LONGEST_JOB) + JOB_MARGIN
}

/// The first failure with the worst code of all, and all others as its causes.
pub(super) fn first_failure(results: Vec<Result<(), Failure>>) -> Result<(), Failure> {
    let failures = results.into_iter().filter_map(Result::err);
    let join = |first: Failure, other: Failure| {
        let code = Code::worst([first.code, other.code]);
        Failure { code, ..first.because(other.message) }
    };
    failures.reduce(join).map_or(Ok(()), Err)
}
