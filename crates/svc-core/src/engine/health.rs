//! Whether what was started works: its own health check, or running for two seconds without a restart.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::service::ServiceRun;
use crate::code::Code;
use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::failure::Failure;
use crate::names::UnitName;
use crate::plan::{Target, When};
use crate::systemd::{ActiveState, UnitDetails};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What has no health check must run this long without a restart.
const STEADY_FOR: Duration = Duration::from_secs(2);

/// What one look shows of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// Its health check says that it is well.
    Well,
    /// It runs and has no health check; the text changes with every restart.
    Running(String),
    /// Not yet.
    Waiting(String),
    /// It ended: waiting longer is of no use.
    Ended(String),
}

impl ServiceRun<'_> {
    /// Waits until all targets work. A failure of what ran before is a 5, of what is new a 17.
    pub(super) async fn await_health(
        &mut self,
        targets: &[Target],
        timeout: Duration,
        when: When,
    ) -> Result<(), Failure> {
        let code = if when == When::Always { Code::NotResumed } else { Code::UnitOrContainer };
        // What is still off failed to start, which has been said.
        let targets: Vec<&Target> = targets.iter().filter(|target| self.is_awaited(target)).collect();
        let deadline = Instant::now() + timeout;
        let mut steady: HashMap<&Target, (String, Instant)> = HashMap::new();
        loop {
            let looks = self.look(&targets).await;
            let mut open = None;
            for (target, look) in targets.iter().copied().zip(looks) {
                match look {
                    Look::Well => {}
                    Look::Ended(how) => return Err(self.unhealthy(code, target, &how)),
                    Look::Waiting(how) => open = Some((target, how)),
                    Look::Running(mark) => {
                        if !is_steady(&mut steady, target, mark) {
                            open = Some((target, "is not up for two seconds yet".to_owned()));
                        }
                    }
                }
            }
            let Some((target, how)) = open else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(self.unhealthy(code, target, &format!("{how} after {} s", timeout.as_secs())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_awaited(&self, target: &Target) -> bool {
        let ran = self.ledger.prior.as_ref().is_none_or(|prior| prior.contains(target));
        (ran || self.ledger.new.contains(target)) && !self.ledger.stopped.contains(target)
    }

    fn unhealthy(&self, code: Code, target: &Target, how: &str) -> Failure {
        let message = format!("`{target}` of `{}` {how}", self.plan.service);
        Failure::new(code, message).hint(format!("svc logs {}", self.plan.service))
    }

    /// One look at all of them: two questions, however many there are.
    async fn look(&self, targets: &[&Target]) -> Vec<Look> {
        let units: Vec<UnitName> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Unit(unit) => Some(unit.clone()),
                Target::Container(_) => None,
            })
            .collect();
        let has_containers = targets.len() > units.len();
        let (details, containers) = tokio::join!(self.unit_states(&units), self.containers(has_containers));
        let mut looks = Vec::new();
        for target in targets {
            looks.push(match target {
                Target::Unit(unit) => match &details {
                    Ok(details) => look_at_unit(details.get(unit)),
                    Err(failure) => Look::Waiting(failure.message.clone()),
                },
                Target::Container(name) => match &containers {
                    Ok(containers) => {
                        let found = containers.iter().find(|container| container.name == *name);
                        self.look_at_container(target, found).await
                    }
                    Err(failure) => Look::Waiting(failure.message.clone()),
                },
            });
        }
        looks
    }

    async fn unit_states(
        &self,
        names: &[UnitName],
    ) -> Result<HashMap<UnitName, (ActiveState, UnitDetails)>, Failure> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let failed = |error| Failure::from(&error);
        let units = self.engine.outside.systemd.units(names).await.map_err(failed)?;
        let details = self.engine.outside.systemd.details(&units).await.map_err(failed)?;
        let states = units.iter().zip(details).map(|(unit, details)| (unit.active, details));
        Ok(names.iter().cloned().zip(states).collect())
    }

    async fn containers(&self, wanted: bool) -> Result<Vec<Container>, Failure> {
        if !wanted {
            return Ok(Vec::new());
        }
        self.engine.outside.docker.containers().await.map_err(|error| Failure::from(&error))
    }

    async fn look_at_container(&self, target: &Target, container: Option<&Container>) -> Look {
        let Some(container) = container else { return Look::Ended("is gone".to_owned()) };
        match container.state {
            ContainerState::Running | ContainerState::Paused => {}
            ContainerState::Created | ContainerState::Restarting => {
                return Look::Waiting(format!("is {}", container.status_text.to_lowercase()));
            }
            ContainerState::Removing
            | ContainerState::Exited
            | ContainerState::Dead
            | ContainerState::Unknown => {
                return Look::Ended(format!("ended: {}", container.status_text.to_lowercase()));
            }
        }
        let lenient = self.ledger.was_unhealthy.contains(target);
        match container.health {
            Some(ContainerHealth::Healthy) => Look::Well,
            Some(ContainerHealth::Starting) if !lenient => Look::Waiting("is not healthy yet".to_owned()),
            Some(ContainerHealth::Unhealthy) if !lenient => Look::Waiting("is unhealthy".to_owned()),
            Some(_) | None => match self.engine.outside.docker.inspect(&container.id).await {
                Ok(details) => Look::Running(format!("{} {:?}", details.restarts, details.started_at)),
                Err(error) => Look::Waiting(error.to_string()),
            },
        }
    }
}

fn look_at_unit(seen: Option<&(ActiveState, UnitDetails)>) -> Look {
    let Some((active, details)) = seen else { return Look::Ended("is gone".to_owned()) };
    match active {
        // It has done its work, and remains only as a mark of that.
        ActiveState::Active if details.remains_after_exit => Look::Well,
        ActiveState::Active | ActiveState::Reloading => {
            Look::Running(format!("{} {:?}", details.restarts, details.since))
        }
        ActiveState::Activating | ActiveState::Deactivating => Look::Waiting("is not up".to_owned()),
        ActiveState::Inactive | ActiveState::Failed => Look::Ended(format!("ended: {}", details.result)),
    }
}

fn is_steady<'a>(
    seen: &mut HashMap<&'a Target, (String, Instant)>,
    target: &'a Target,
    mark: String,
) -> bool {
    let now = Instant::now();
    match seen.get(target) {
        Some((before, since)) if *before == mark => now.duration_since(*since) >= STEADY_FOR,
        _ => {
            seen.insert(target, (mark, now));
            false
        }
    }
}
