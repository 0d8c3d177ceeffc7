//! Holding services where they are for the moment of a copy: containers through Docker, units through their cgroup.

use futures_util::future::join_all;

use super::caught;
use super::service::ServiceRun;
use crate::docker::ContainerState;
use crate::event::Body;
use crate::failure::Failure;
use crate::observe::is_up;
use crate::plan::Target;
use crate::systemd::JobVerb;

impl ServiceRun<'_> {
    /// Holds targets at once; those that the prior state does not show running are left alone.
    pub(super) async fn pause(&mut self, targets: &[Target]) -> Result<(), Failure> {
        let targets: Vec<Target> =
            targets.iter().filter(|target| self.ledger.may_stop(target)).cloned().collect();
        let results = join_all(targets.iter().map(|target| caught(self.hold(target)))).await;
        for (target, result) in targets.iter().zip(&results) {
            if result.is_ok() {
                self.tell(Body::Stopped { service: self.service(), target: target.clone() });
            }
        }
        super::control::first_failure(results)
    }

    async fn hold(&self, target: &Target) -> Result<(), Failure> {
        let outside = &self.engine.outside;
        match target {
            Target::Unit(unit) => outside.systemd.freeze(unit).await.map_err(|error| Failure::from(&error)),
            Target::Container(name) => {
                outside.docker.pause(name).await.map_err(|error| Failure::from(&error))
            }
        }
    }

    /// Lets a target go on that was held. One that ended meanwhile, by a power cut for one, is started.
    pub(super) async fn let_go(&self, target: &Target) -> Result<(), Failure> {
        let outside = &self.engine.outside;
        match target {
            Target::Unit(unit) => {
                let thawed = outside.systemd.thaw(unit).await;
                let seen = outside.systemd.units(std::slice::from_ref(unit)).await;
                if seen.is_ok_and(|seen| seen.iter().any(|unit| is_up(unit.active))) {
                    return thawed.map_err(|error| Failure::from(&error));
                }
            }
            Target::Container(name) => {
                if self.may_yet_stop(target, name).await {
                    // Else the pause that is under way might come last.
                    let _ = outside.docker.pause(name).await;
                }
                let _ = outside.docker.unpause(name).await;
                let seen = outside.docker.inspect(name).await;
                if seen.is_ok_and(|seen| seen.state == ContainerState::Running) {
                    return Ok(());
                }
            }
        }
        self.act(JobVerb::Start, target).await
    }
}
