//! Whether what was started works: its own health check, or running for two seconds without a restart.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::service::ServiceRun;
use crate::code::Code;
use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::failure::Failure;
use crate::names::UnitName;
use crate::observe::belongs;
use crate::plan::{Target, When};
use crate::systemd::{ActiveState, UnitDetails};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What has no health check must run this long without a restart.
const STEADY_FOR: Duration = Duration::from_secs(2);

type UnitStates = Result<HashMap<UnitName, (ActiveState, UnitDetails)>, Failure>;

/// What one look shows of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// Its health check says that it is well.
    Well,
    /// It runs and has no health check.
    Running(Mark),
    /// Not yet.
    Waiting(String),
    /// It ended: waiting longer is of no use.
    Ended(String),
}

/// What changes with every restart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    restarts: u32,
    since: Option<Timestamp>,
}

impl ServiceRun<'_> {
    /// Waits until all targets work, and the containers that a compose unit among them brought up. A failure of what
    /// ran before is a 5, of what is new a 17. A machine that goes down stops everything itself, and is not held up.
    pub(super) async fn await_health(
        &mut self,
        targets: &[Target],
        timeout: Duration,
        when: When,
    ) -> Result<(), Failure> {
        let targets: Vec<&Target> = targets.iter().filter(|target| self.ledger.awaits(target)).collect();
        let deadline = Instant::now() + timeout;
        let mut steady: HashMap<Target, (Mark, Instant)> = HashMap::new();
        loop {
            let mut open = None;
            for (target, look) in self.look(&targets).await {
                match look {
                    Look::Well => {}
                    Look::Ended(how) => return Err(self.unhealthy(when, &target, &how).await),
                    Look::Waiting(how) => open = Some((target, how)),
                    Look::Running(mark) => {
                        if !mark.is_old((self.engine.now)()) && !is_steady(&mut steady, &target, mark) {
                            open = Some((target, "is not up for two seconds yet".to_owned()));
                        }
                    }
                }
            }
            let Some((target, how)) = open else { return Ok(()) };
            if Instant::now() >= deadline || self.engine.is_shutting_down().await {
                let how = format!("{how} after {} s", timeout.as_secs());
                return Err(self.unhealthy(when, &target, &how).await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn unhealthy(&self, when: When, target: &Target, how: &str) -> Failure {
        if self.engine.is_shutting_down().await {
            let message = format!("whether `{target}` works is not known: the machine is shutting down");
            return Failure::new(Code::Terminated, message);
        }
        let message = format!("`{target}` of `{}` {how}", self.plan.service);
        let failure = Failure::new(Code::UnitOrContainer, message);
        let failure = failure.hint(format!("svc logs {}", self.plan.service));
        if when == When::Normal { failure } else { self.owed(failure) }
    }

    /// One look at all of them: a fixed number of questions, however many there are.
    async fn look(&self, targets: &[&Target]) -> Vec<(Target, Look)> {
        let units: Vec<UnitName> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Unit(unit) => Some(unit.clone()),
                Target::Container(_) => None,
            })
            .collect();
        let units = self.unit_states(&units).await;
        let has_stack = units.as_ref().is_ok_and(|units| units.values().any(|(_, d)| d.remains_after_exit));
        let has_containers = targets.iter().any(|target| matches!(target, Target::Container(_)));
        let containers = self.containers(has_stack || has_containers).await;
        let mut looks = Vec::new();
        for target in targets.iter().copied() {
            let look = match target {
                Target::Unit(unit) => look_at_unit(&units, &containers, unit),
                Target::Container(name) => self.look_at_named(&containers, target, name).await,
            };
            looks.push((target.clone(), look));
        }
        for container in
            containers.iter().flatten().filter(|container| has_stack && self.is_of_stack(container))
        {
            let target = Target::container(container);
            if !targets.contains(&&target) {
                let look = self.look_at_container(&target, container).await;
                looks.push((target, look));
            }
        }
        looks
    }

    /// Whether a container is one that the service's compose unit keeps up. One that ended well has done its work.
    fn is_of_stack(&self, container: &Container) -> bool {
        let service = self.engine.config.services.get(&self.plan.service);
        let is_done = container.state == ContainerState::Exited && container.exit_code == Some(0);
        container.compose.is_some() && !is_done && service.is_some_and(|service| belongs(service, container))
    }

    async fn look_at_named(
        &self,
        containers: &Result<Vec<Container>, Failure>,
        target: &Target,
        name: &str,
    ) -> Look {
        match containers {
            Ok(containers) => match containers.iter().find(|container| container.name == name) {
                Some(container) => self.look_at_container(target, container).await,
                None => Look::Ended("is gone".to_owned()),
            },
            Err(failure) => Look::Waiting(failure.message.clone()),
        }
    }

    async fn unit_states(&self, names: &[UnitName]) -> UnitStates {
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

    async fn look_at_container(&self, target: &Target, container: &Container) -> Look {
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
        let lenient = self.ledger.was_unwell(target);
        // Docker calls unhealthy what was paused, until it asks the check again: that may be long.
        let is_unasked = self.ledger.holds(target);
        match container.health {
            Some(ContainerHealth::Healthy) => Look::Well,
            Some(ContainerHealth::Starting) if !lenient => Look::Waiting("is not healthy yet".to_owned()),
            Some(ContainerHealth::Unhealthy) if !lenient && !is_unasked => {
                Look::Waiting("is unhealthy".to_owned())
            }
            Some(_) | None => match self.engine.outside.docker.inspect(&container.id).await {
                Ok(details) => Look::Running(Mark { restarts: details.restarts, since: details.started_at }),
                Err(error) => Look::Waiting(error.to_string()),
            },
        }
    }
}

fn look_at_unit(units: &UnitStates, containers: &Result<Vec<Container>, Failure>, unit: &UnitName) -> Look {
    let units = match units {
        Ok(units) => units,
        Err(failure) => return Look::Waiting(failure.message.clone()),
    };
    let Some((active, details)) = units.get(unit) else { return Look::Ended("is gone".to_owned()) };
    match (active, containers) {
        // It has done its work and remains only as a mark of that: its containers are looked at instead.
        (ActiveState::Active, Ok(_)) if details.remains_after_exit => Look::Well,
        (ActiveState::Active, Err(failure)) if details.remains_after_exit && details.members.is_empty() => {
            Look::Waiting(failure.message.clone())
        }
        // It sleeps until its socket, timer or path wakes it.
        (ActiveState::Inactive, _) if !details.triggered_by.is_empty() && details.result == "success" => {
            Look::Well
        }
        (ActiveState::Active | ActiveState::Reloading, _) => {
            Look::Running(Mark { restarts: details.restarts, since: details.since })
        }
        (ActiveState::Activating | ActiveState::Deactivating, _) => Look::Waiting("is not up".to_owned()),
        (ActiveState::Inactive | ActiveState::Failed, _) => Look::Ended(format!("ended: {}", details.result)),
    }
}

impl Mark {
    /// Whether it has run for long enough by its own word: while a frozen copy was uploaded, for one. What was restarted
    /// is watched, and so is all by a clock that was set back.
    fn is_old(&self, now: Timestamp) -> bool {
        let lasts = self.since.and_then(|since| Duration::try_from(now.duration_since(since)).ok());
        self.restarts == 0 && lasts.is_some_and(|lasts| lasts >= STEADY_FOR)
    }
}

fn is_steady(seen: &mut HashMap<Target, (Mark, Instant)>, target: &Target, mark: Mark) -> bool {
    let now = Instant::now();
    match seen.get(target) {
        Some((before, since)) if *before == mark => now.duration_since(*since) >= STEADY_FOR,
        _ => {
            seen.insert(target.clone(), (mark, now));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_for_two_seconds_already_is_not_watched_for_two_more() {
        let now = Timestamp::UNIX_EPOCH;
        let mark = |seconds: i64| Mark {
            restarts: 0,
            since: now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok(),
        };
        assert!(mark(-2).is_old(now));
        assert!(!mark(-1).is_old(now));
        assert!(!mark(3600).is_old(now));
        assert!(!Mark { restarts: 0, since: None }.is_old(now));
        assert!(!Mark { restarts: 1, ..mark(-60) }.is_old(now));
    }
}
