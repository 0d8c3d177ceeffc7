//! What of a service runs right before it is touched: exactly that runs again afterwards.

use super::service::ServiceRun;
use crate::code::Code;
use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::event::Body;
use crate::failure::Failure;
use crate::observe::{self, Parts};
use crate::plan::{Target, running};
use crate::systemd::{ActiveState, ManagerState, Unit};

/// What was seen of a service right before it was touched.
#[derive(Debug, Default)]
pub(super) struct Prior {
    /// What has to be off while the data is copied or exchanged.
    pub(super) running: Vec<Target>,
    /// Of these, what was off, or going down by itself: it stays off.
    pub(super) leaving: Vec<Target>,
    /// Of these, what was paused: it is paused again.
    pub(super) paused: Vec<Target>,
    /// Of these, what was not healthy: it has only to run.
    pub(super) unwell: Vec<Target>,
    /// Of these, what was just starting, or starting again and again: nothing is demanded of it.
    pub(super) restless: Vec<Target>,
}

impl Prior {
    fn of(parts: &Parts) -> Self {
        let containers = |is: fn(&Container) -> bool| {
            let chosen = parts.containers.iter().filter(move |container| is(container));
            chosen.map(Target::container).collect::<Vec<_>>()
        };
        let units = |state: ActiveState| {
            let is = move |unit: &&Unit| unit.active == state;
            let chosen = parts.units.iter().map(|(unit, _)| unit).filter(is);
            chosen.map(|unit| Target::Unit(unit.name.clone())).collect::<Vec<_>>()
        };
        let off = |unit: &&Unit| !observe::is_up(unit.active);
        let off = parts.units.iter().map(|(unit, _)| unit).filter(off);
        let mut restless = units(ActiveState::Activating);
        restless.extend(containers(|container| container.state == ContainerState::Restarting));
        Self {
            running: running(parts),
            leaving: off.map(|unit| Target::Unit(unit.name.clone())).collect(),
            paused: containers(|container| container.state == ContainerState::Paused),
            unwell: containers(is_unwell),
            restless,
        }
    }

    /// What is to run again.
    fn returning(&self) -> Vec<Target> {
        self.running.iter().filter(|target| !self.leaving.contains(target)).cloned().collect()
    }
}

/// A paused container's health check stands still, so it will not say yes either.
fn is_unwell(container: &Container) -> bool {
    matches!(container.health, Some(ContainerHealth::Unhealthy | ContainerHealth::Starting))
        || container.state == ContainerState::Paused
}

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
        if let Some(new) = prior.running.iter().find(|target| !planned.contains(target)) {
            let message = format!("`{new}` came up after the plan was made");
            return Err(Failure::new(Code::Refused, message).hint("run it again"));
        }
        if !prior.running.is_empty() && self.engine.is_shutting_down().await {
            return Err(Failure::new(Code::Terminated, "the machine is shutting down"));
        }
        let body = Body::PriorState { service: name, running: prior.returning() };
        self.ledger.prior = Some(prior);
        self.engine.recorder.announce(body).await.map_err(|error| Failure::from_error(Code::NoSpace, &error))
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
