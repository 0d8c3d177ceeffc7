//! What of a service runs right before it is touched.

use super::service::ServiceRun;
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::observe;
use crate::plan::Target;
use crate::prior::Prior;
use crate::systemd::ManagerState;

impl ServiceRun<'_> {
    /// Looks again. Less than planned is fine and stays off; more is not: nobody would stop it.
    pub(super) async fn record_prior(&mut self, planned: &[Target]) -> Result<(), Failure> {
        let name = self.service();
        let parts =
            observe::parts(&self.engine.config, &self.engine.outside, std::slice::from_ref(&name)).await;
        let parts = parts.into_iter().next().unwrap_or_default();
        let has = |is: fn(&Target) -> bool| planned.iter().any(is);
        let docker = parts.docker.as_ref().filter(|_| has(|target| matches!(target, Target::Container(_))));
        let systemd = parts.systemd.as_ref().filter(|_| has(|target| matches!(target, Target::Unit(_))));
        let service = self.engine.config.services.get(&name);
        let unknown = service.and_then(|service| parts.unknown(service)).or(docker).or(systemd);
        if let Some(failure) = unknown {
            return Err(failure.clone());
        }
        let prior = Prior::of(&parts);
        if let Some(new) = prior.all().find(|target| !planned.contains(target)) {
            let message = format!("`{new}` came up after the plan was made");
            return Err(Failure::new(Code::Refused, message).hint("run it again"));
        }
        if prior.all().next().is_some() && self.engine.is_shutting_down().await {
            return Err(Failure::new(Code::Terminated, "the machine is shutting down"));
        }
        self.announce(Body::PriorState { service: name, prior }).await
    }
}

impl super::Engine {
    /// Whether the machine goes down: then nothing can be started any more. Unknown counts as no.
    pub(super) async fn is_shutting_down(&self) -> bool {
        let state =
            async { self.outside.systemd.manager_state().await.map_err(|error| Failure::from(&error)) };
        matches!(super::caught(state).await, Ok(ManagerState::Stopping))
    }
}
