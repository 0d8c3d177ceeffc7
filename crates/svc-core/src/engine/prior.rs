//! What of a service runs right before it is touched: exactly that runs again afterwards.

use super::service::ServiceRun;
use crate::code::Code;
use crate::docker::ContainerHealth;
use crate::event::Body;
use crate::failure::Failure;
use crate::observe::{self, Parts};
use crate::plan::{Target, running};

impl ServiceRun<'_> {
    /// Looks again. Less than planned is fine and stays off; more is not: nobody would stop it.
    pub(super) async fn record_prior(&mut self, planned: &[Target]) -> Result<(), Failure> {
        let name = self.service();
        let parts =
            observe::parts(&self.engine.config, &self.engine.outside, std::slice::from_ref(&name)).await;
        let parts = parts.into_iter().next().unwrap_or_default();
        if let Some(failure) =
            parts.docker.as_ref().or(parts.systemd.as_ref()).filter(|_| !planned.is_empty())
        {
            return Err(failure.clone());
        }
        let now = running(&parts);
        if let Some(new) = now.iter().find(|target| !planned.contains(target)) {
            let message = format!("`{new}` came up after the plan was made");
            return Err(Failure::new(Code::Refused, message).hint("run it again"));
        }
        self.ledger.was_unhealthy = unhealthy(&parts);
        self.ledger.prior = Some(now.clone());
        let body = Body::PriorState { service: name, running: now };
        self.engine.recorder.announce(body).await.map_err(|error| Failure::from_error(Code::NoSpace, &error))
    }
}

fn unhealthy(parts: &Parts) -> Vec<Target> {
    let is_not_well = |health| matches!(health, Some(ContainerHealth::Unhealthy | ContainerHealth::Starting));
    parts.containers.iter().filter(|container| is_not_well(container.health)).map(Target::container).collect()
}
