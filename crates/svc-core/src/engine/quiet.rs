//! Whether a service held still while it was copied. One that came up by itself is stopped and copied once more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::millis;
use super::service::ServiceRun;
use crate::code::Code;
use crate::config::Quiesce;
use crate::docker::{ContainerState, DockerError};
use crate::event::Body;
use crate::failure::Failure;
use crate::names::RepositoryName;
use crate::observe::{self, Parts};
use crate::plan::{Step, Target, held_wave};

/// Docker or systemd may be starting anew: the pauses between looks.
const LOOK_PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// A look while the service is down for nothing else may not take longer.
const GLANCE: Duration = Duration::from_millis(500);

/// What one look shows of a service that is to hold still.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// What runs all the same.
    up: Vec<Target>,
    /// When each part last started, or came into the state that it is in.
    since: HashMap<Target, Timestamp>,
}

impl ServiceRun<'_> {
    /// Looks before a copy that takes long, so that what ran only for a part of it is seen, too. What has come up since
    /// the stop is stopped once more.
    pub(super) async fn look_before(&mut self) -> Result<Look, Failure> {
        if !self.is_to_hold_still() {
            return Ok(Look::default());
        }
        let look = self.look_patiently(true).await?;
        let Some(up) = look.up.first() else { return Ok(look) };
        let why = format!("`{up}` came up by itself");
        if self.hold_still_again(&why).await { self.look_patiently(true).await } else { Ok(look) }
    }

    /// Why a copy that took long may be torn; nothing: the service held still.
    pub(super) async fn why_torn(&self, before: &Result<Look, Failure>) -> Option<String> {
        if !self.is_to_hold_still() {
            return None;
        }
        let before = match before {
            Ok(before) => before,
            Err(failure) => return Some(unseen(failure)),
        };
        match self.look_patiently(true).await {
            Ok(after) => after.up.first().or_else(|| after.differs(before)).map(came_up),
            Err(failure) => Some(unseen(&failure)),
        }
    }

    /// The same of copies that took no time, while the service waits for nothing else: one glance. What it does not show
    /// is looked at when the service runs again.
    pub(super) async fn glance(&mut self) {
        let mut unseen = Unseen { until: (self.engine.now)(), motion: false };
        self.torn = None;
        if self.is_to_hold_still() {
            match tokio::time::timeout(GLANCE, self.look_for_life(false)).await {
                Ok(Ok(look)) => self.torn = look.up.first().map(came_up),
                Ok(Err(_)) | Err(_) => unseen.motion = true,
            }
        }
        self.unseen = Some(unseen);
    }

    /// Looks at what there was no time for while the service was down. Where a glance showed nothing: what was up when the
    /// copies were taken has been since before then.
    pub(super) async fn look_behind(&mut self) -> Result<(), Failure> {
        let Some(Unseen { until, motion }) = self.unseen else { return Ok(()) };
        self.nothing_is_left_out().await?;
        self.look_for_hidden_changes().await;
        if motion {
            self.torn = match self.look_patiently(true).await {
                Ok(look) => look.started_within(self.began_at, until).map(came_up),
                Err(failure) => Some(unseen(&failure)),
            };
        }
        self.unseen = None;
        Ok(())
    }

    /// Makes the service hold still once more; `false`: that was done before, or cannot be done.
    pub(super) async fn hold_still_again(&mut self, why: &str) -> bool {
        if std::mem::replace(&mut self.held_again, true) || self.engine.cancel.code().is_some() {
            return false;
        }
        let plan = self.plan;
        let mut held = false;
        for (index, planned) in plan.steps.iter().enumerate() {
            if matches!(planned.step, Step::Stop { .. } | Step::Pause { .. }) {
                if self.once_more(index, &planned.step).await.is_err() {
                    return false;
                }
                held = true;
            }
        }
        if held {
            self.note(format!("{why}: it has to hold still once more"));
        }
        held
    }

    /// Announced like the first time: who recovers has to know that it may be under way.
    async fn once_more(&mut self, index: usize, step: &Step) -> Result<(), Failure> {
        let (service, began) = (self.service(), Instant::now());
        self.announce(Body::StepStarted { service: service.clone(), index, step: step.clone() }).await?;
        let done = match step {
            Step::Stop { targets } => self.stop(targets).await,
            Step::Pause { targets } => self.pause(targets).await,
            _ => Ok(()),
        };
        let failure = done.as_ref().err().cloned();
        self.tell(Body::StepFinished { service, index, took_ms: millis(began), failure });
        done
    }

    /// A snapshot that may be torn is never good.
    pub(super) fn torn_failure(&self, repository: &RepositoryName, why: &str) -> Failure {
        let service = &self.plan.service;
        let message = format!("the snapshot of `{service}` in `{repository}` may be torn: {why}");
        Failure::new(Code::Partial, message).hint(format!("svc backup {repository} {service}"))
    }

    fn is_to_hold_still(&self) -> bool {
        let service = self.engine.config.services.get(&self.plan.service);
        service.is_some_and(|service| service.backup.quiesce != Quiesce::None)
    }

    async fn look_patiently(&self, closely: bool) -> Result<Look, Failure> {
        let mut look = self.look_for_life(closely).await;
        for pause in LOOK_PAUSES {
            if look.is_ok() || self.engine.cancel.code().is_some() {
                break;
            }
            tokio::time::sleep(pause).await;
            look = self.look_for_life(closely).await;
        }
        look
    }

    /// One look; `closely`: also at when everything last started.
    async fn look_for_life(&self, closely: bool) -> Result<Look, Failure> {
        let (engine, name) = (self.engine, self.service());
        let parts = observe::parts(&engine.config, &engine.outside, std::slice::from_ref(&name)).await;
        let parts = parts.into_iter().next().unwrap_or_default();
        let service = engine.config.services.get(&name);
        if let Some(unknown) = service.and_then(|service| parts.unknown(service)) {
            return Err(unknown.clone());
        }
        let is_held = |target: &Target| {
            let mut frozen =
                parts.units.iter().filter(|(_, details)| details.as_ref().is_some_and(|d| d.frozen));
            frozen.any(|(unit, _)| Target::Unit(unit.name.clone()) == *target)
        };
        let mut up = held_wave(&parts);
        up.retain(|target| !is_held(target));
        let restarts = parts.containers.iter().filter(|one| one.state == ContainerState::Restarting);
        up.extend(restarts.map(Target::container));
        let since = if closely { self.moments(&parts).await? } else { HashMap::new() };
        Ok(Look { up, since })
    }

    async fn moments(&self, parts: &Parts) -> Result<HashMap<Target, Timestamp>, Failure> {
        let docker = &self.engine.outside.docker;
        let seen = join_all(parts.containers.iter().map(|container| docker.inspect(&container.id))).await;
        let mut since = HashMap::new();
        for (container, seen) in parts.containers.iter().zip(seen) {
            match seen {
                Ok(seen) => since.extend(seen.started_at.map(|at| (Target::container(container), at))),
                Err(DockerError::NotFound { .. }) => {}
                Err(error) => return Err(Failure::from(&error)),
            }
        }
        let units = parts.units.iter().filter_map(|(unit, details)| {
            let details = details.as_ref().filter(|details| !details.remains_after_exit)?;
            Some((Target::Unit(unit.name.clone()), details.since?))
        });
        since.extend(units);
        Ok(since)
    }
}

/// What was not looked at when copies were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unseen {
    /// They were there by then.
    until: Timestamp,
    /// Whether the service held still.
    motion: bool,
}

fn came_up(target: &Target) -> String {
    format!("`{target}` came up by itself while it was saved")
}

fn unseen(failure: &Failure) -> String {
    format!("nobody knows whether it held still: {}", failure.message)
}

impl Look {
    /// What was started in this span.
    fn started_within(&self, from: Timestamp, until: Timestamp) -> Option<&Target> {
        let within = |(_, at): &(&Target, &Timestamp)| (from..until).contains(*at);
        self.since.iter().find(within).map(|(target, _)| target)
    }

    /// What is off again, and was not so for all of the time since an earlier look.
    fn differs(&self, before: &Self) -> Option<&Target> {
        let ran = |(target, at): &(&Target, &Timestamp)| before.since.get(*target) != Some(*at);
        self.since.iter().find(ran).map(|(target, _)| target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_began_before_the_copies_were_there_spoils_them() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let target = Target::Container("a".into());
        for (started, spoils) in [(9, false), (10, true), (19, true), (20, false)] {
            let since = HashMap::from([(target.clone(), at(started))]);
            let look = Look { up: vec![target.clone()], since };
            assert_eq!(look.started_within(at(10), at(20)).is_some(), spoils, "{started}");
        }
    }
}
