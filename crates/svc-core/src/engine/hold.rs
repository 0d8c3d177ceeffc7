//! One run at a time for each service.

use std::time::Duration;

use super::service::ServiceRun;
use crate::code::Code;
use crate::failure::Failure;
use crate::history;
use crate::lock::{LockError, ServiceLock, run_of, written_by_holder};
use crate::run_log;
use crate::view::View;

/// A holder that has just begun says within moments who it is and what it does: so often it is looked, and in between.
const LOOKS: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl ServiceRun<'_> {
    /// Takes the service's lock, or says who holds it and what that is doing.
    pub(super) async fn lock(&self) -> Result<ServiceLock, Failure> {
        let (engine, verb) = (self.engine, self.goal.verb());
        let directory = engine.scope.locks_dir();
        let taken = ServiceLock::take(&directory, &self.plan.service, &engine.run, verb, (engine.now)());
        match taken {
            Ok(lock) => Ok(lock),
            Err(LockError::Busy { service, holder }) => {
                let doing = self.doing(holder).await;
                let message = format!("`{service}` is held by another run: {doing}");
                Err(Failure::new(Code::Busy, message).hint("svc attach"))
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
        Some(format!("{} since {since:.0}", step.phase()))
    }
}
