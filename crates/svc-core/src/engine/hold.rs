//! One run at a time for each service.

use super::service::ServiceRun;
use crate::code::Code;
use crate::failure::Failure;
use crate::history;
use crate::lock::{LockError, ServiceLock, run_of};
use crate::run_log;
use crate::view::View;

impl ServiceRun<'_> {
    /// Takes the service's lock, or says who holds it and what that is doing.
    pub(super) fn lock(&self) -> Result<ServiceLock, Failure> {
        let (engine, verb) = (self.engine, self.goal.verb());
        let directory = engine.scope.locks_dir();
        let taken = ServiceLock::take(&directory, &self.plan.service, &engine.run, verb, (engine.now)());
        taken.map_err(|error| match error {
            LockError::Busy { service, holder } => {
                let message = format!("`{service}` is held by another run: {}", self.doing(&holder));
                Failure::new(Code::Busy, message).hint("svc attach")
            }
            error @ LockError::File { .. } => Failure::from_error(Code::Failed, &error),
        })
    }

    /// The holder's line, with what it is doing, as its own log says.
    fn doing(&self, holder: &str) -> String {
        let events = run_of(holder)
            .and_then(|run| run_log::read(&history::log(&self.engine.scope.runs_dir(), &run)).ok());
        let view = View::of(events.iter().flatten());
        let step = view.services.get(&self.plan.service).and_then(|service| service.step.as_ref());
        match step {
            Some((step, since)) => format!("{holder}; {} since {since:.0}", step.phase()),
            None => holder.to_owned(),
        }
    }
}
