//! One run at a time for each service.

use std::time::Duration;

use tokio::time::Instant;

use super::control::stays_off;
use super::service::ServiceRun;
use crate::code::Code;
use crate::failure::Failure;
use crate::figure::moment;
use crate::history;
use crate::lock::{LockError, ServiceLock, run_of, written_by_holder};
use crate::run_log;
use crate::standing::owing::{Owing, owing};
use crate::view::View;

/// A holder that has just begun says within moments who it is and what it does: so often it is looked, and in between.
const LOOKS: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a recovery waits for a run that holds the service: a run that finds something owed lets go at once.
const PATIENCE: Duration = Duration::from_mins(10);
/// Between two looks whether it still does.
const TRY_EVERY: Duration = Duration::from_millis(250);

impl ServiceRun<'_> {
    /// Takes the service's lock, and looks that no other run owes it anything.
    pub(super) async fn enter(&self) -> Result<ServiceLock, Failure> {
        let lock = if self.resumed { self.lock_patiently().await } else { self.lock().await }?;
        self.look_for_debts().map(|()| lock)
    }

    /// Whoever recovers does not give up what is owed because another run is at work with the service at this moment.
    async fn lock_patiently(&self) -> Result<ServiceLock, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lock().await {
                Err(failure) if failure.code == Code::Busy && Instant::now() < deadline => {
                    tokio::time::sleep(TRY_EVERY).await;
                }
                // Nothing was paid: another recovery has to.
                locked => return locked.map_err(|failure| Failure { code: Code::NotResumed, ..failure }),
            }
        }
    }

    /// What a run that died owes comes first, or this one would take for wished what is only left so; and data that is old
    /// and new in part is neither saved nor run on.
    fn look_for_debts(&self) -> Result<(), Failure> {
        let (engine, service) = (self.engine, &self.plan.service);
        match owing(&engine.scope.runs_dir(), service, &engine.run) {
            Some(Owing::Unsettled { run, .. }) if self.resumed => Err(stays_off(service, &run)),
            Some(Owing::Unsettled { run, .. }) if self.goal.uses_data() => {
                Err(Failure { code: Code::Refused, ..stays_off(service, &run) })
            }
            Some(Owing::Died(run) | Owing::Unsettled { run, died: true }) if !self.resumed => {
                let message = format!("run {run} died over `{service}`, and what it owes comes first");
                Err(Failure::new(Code::Busy, message).hint(format!("svc recover {run}")))
            }
            _ => Ok(()),
        }
    }

    /// Takes the service's lock, or says who holds it and what that is doing.
    pub(super) async fn lock(&self) -> Result<ServiceLock, Failure> {
        let (engine, verb) = (self.engine, self.goal.verb());
        let directory = engine.scope.locks_dir();
        let taken = ServiceLock::take(&directory, &self.plan.service, &engine.run, verb, (engine.now)());
        match taken {
            Ok(lock) => Ok(lock),
            Err(LockError::Busy { holder, .. }) => {
                let doing = self.doing(holder).await;
                let failure = Failure::new(Code::Busy, format!("held by another run: {doing}"));
                // The youngest run, which it shows unless told, may be another one.
                let attach =
                    run_of(&doing).map_or_else(|| "svc attach".to_owned(), |run| format!("svc attach {run}"));
                Err(failure.hint(attach))
            }
            Err(error @ LockError::File { .. }) => Err(Failure::from_error(Code::Failed, &error)),
        }
    }

    /// The holder's line, with what it is doing, as soon as it has said so.
    async fn doing(&self, mut holder: String) -> String {
        for _ in 0..LOOKS {
            if let Some(step) = self.step_of(&holder) {
                return format!("{holder}; {step}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let written = written_by_holder(&self.engine.scope.locks_dir(), &self.plan.service);
            holder = written.unwrap_or(holder);
        }
        holder
    }

    /// What a holder is doing, as its own log says.
    fn step_of(&self, holder: &str) -> Option<String> {
        let run = run_of(holder)?;
        let events = run_log::read(&history::log(&self.engine.scope.runs_dir(), &run)).ok()?;
        let view = View::of(&events);
        let (step, since) = view.services.get(&self.plan.service)?.step.as_ref()?;
        Some(format!("{} since {}", step.phase(), moment(*since)))
    }
}
