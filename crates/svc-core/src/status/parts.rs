//! The parts of a service, and what is true of them.

use std::collections::HashSet;

use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::systemd::{ActiveState, LoadState, Unit, UnitDetails};

/// How a container ends that INT, KILL or TERM ended, as a stop does.
const ENDED_BY_STOP: [i64; 3] = [130, 137, 143];

type SeenUnit = (Unit, Option<UnitDetails>);

/// What counts of a service's units and containers.
pub(super) struct Parts<'a> {
    /// All units that exist.
    units: Vec<&'a SeenUnit>,
    /// Those whose activity proves something.
    lasting: Vec<&'a SeenUnit>,
    /// The containers that should run.
    containers: Vec<&'a Container>,
    /// The containers that should end, and have not ended badly.
    jobs: Vec<&'a Container>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(units: &'a [SeenUnit], containers: &'a [Container], may_have_containers: bool) -> Self {
        let awaited: HashSet<(&str, &str)> = containers.iter().flat_map(awaited).collect();
        let is_job = |container: &&Container| {
            let compose = container.compose.as_ref();
            let is_awaited =
                compose.is_some_and(|c| awaited.contains(&(c.project.as_str(), c.service.as_str())));
            is_awaited && container.exit_code.unwrap_or(0) == 0
        };
        let own = containers.iter().filter(|c| c.compose.as_ref().is_none_or(|compose| !compose.oneoff));
        let (jobs, containers): (Vec<_>, Vec<_>) = own.partition(is_job);
        let exists = |(unit, _): &&SeenUnit| unit.load != LoadState::NotFound || is_up(unit);
        let units: Vec<_> = units.iter().filter(exists).collect();
        let mut lasting: Vec<_> = units.iter().copied().filter(|unit| proves(unit)).collect();
        if lasting.is_empty() && containers.is_empty() && !may_have_containers {
            lasting.clone_from(&units);
        }
        Self { units, lasting, containers, jobs }
    }

    pub(super) fn is_none(&self) -> bool {
        self.units.is_empty() && self.containers.is_empty() && self.jobs.is_empty()
    }

    /// What keeps the state from being known: neither up nor down.
    pub(super) fn riddle(&self) -> Option<String> {
        let odd = self.containers.iter().find(|container| container.state == ContainerState::Unknown);
        let odd = odd.map(|container| format!("container `{}` is in an unknown state", container.name));
        let stopping = self.units.iter().find(|(unit, _)| unit.active == ActiveState::Deactivating);
        odd.or_else(|| stopping.map(|(unit, _)| format!("`{}` is being stopped", unit.name)))
    }

    pub(super) fn is_something_up(&self) -> bool {
        self.containers.iter().any(|container| container.state.is_up())
            || self.lasting.iter().any(|(unit, _)| is_active(unit))
    }

    pub(super) fn running(&self) -> u32 {
        let containers = self.containers.iter().filter(|container| is_running(container));
        let units = self.lasting.iter().filter(|seen| is_active(&seen.0) && !is_frozen(seen));
        count(containers.count() + units.count())
    }

    pub(super) fn total(&self) -> u32 {
        count(self.containers.len() + self.lasting.len())
    }

    /// A health check says no, or something ends and is restarted again and again.
    pub(super) fn is_unhealthy(&self) -> bool {
        let is_sick = |container: &&Container| match container.state {
            ContainerState::Restarting => !is_between_runs(container),
            state => state.is_up() && container.health == Some(ContainerHealth::Unhealthy),
        };
        self.containers.iter().any(is_sick)
            || self.units.iter().any(|(unit, _)| unit.sub.starts_with("auto-restart"))
    }

    /// Containers run, and no unit had them started.
    pub(super) fn is_by_hand(&self) -> bool {
        !self.units.is_empty() && !self.units.iter().any(|(unit, _)| is_up(unit))
    }

    /// A unit, or a job that others wait for, is at it: what is still down comes up next.
    pub(super) fn is_being_started(&self) -> bool {
        self.units.iter().any(|(unit, _)| unit.active == ActiveState::Activating)
            || self.jobs.iter().any(|job| job.state == ContainerState::Running)
    }

    /// All that is up is paused.
    pub(super) fn is_paused(&self) -> bool {
        let mut containers = self.containers.iter().filter(|container| container.state.is_up());
        let mut units = self.lasting.iter().filter(|(unit, _)| is_active(unit));
        containers.all(|container| container.state == ContainerState::Paused)
            && units.all(|unit| is_frozen(unit))
    }

    /// A health check has not spoken yet, or a container is about to run again after it ended well.
    pub(super) fn is_undecided(&self) -> bool {
        let is_undecided = |c: &&Container| c.health == Some(ContainerHealth::Starting) || is_between_runs(c);
        self.containers.iter().any(is_undecided)
    }

    pub(super) fn is_masked(&self) -> bool {
        self.units.iter().any(|(unit, _)| unit.load == LoadState::Masked)
    }

    pub(super) fn has_failed(&self) -> bool {
        let unit = |unit: &Unit| unit.active == ActiveState::Failed || unit.load == LoadState::Broken;
        let container = |container: &&&Container| match container.state {
            ContainerState::Dead => true,
            ContainerState::Exited => {
                container.exit_code.is_some_and(|code| code != 0 && !ENDED_BY_STOP.contains(&code))
            }
            _ => false,
        };
        self.units.iter().any(|(seen, _)| unit(seen)) || self.containers.iter().any(|seen| container(&seen))
    }
}

fn is_running(container: &Container) -> bool {
    container.state == ContainerState::Running || is_between_runs(container)
}

/// Ended well, and about to be run again.
fn is_between_runs(container: &Container) -> bool {
    container.state == ContainerState::Restarting && container.exit_code == Some(0)
}

/// The compose services whose end this container awaits, with their project.
fn awaited(container: &Container) -> Vec<(&str, &str)> {
    let compose = container.compose.iter();
    compose
        .flat_map(|c| c.awaits_end_of.iter().map(|service| (c.project.as_str(), service.as_str())))
        .collect()
}

/// Whether the unit's being active means that something runs.
fn proves((unit, details): &SeenUnit) -> bool {
    let remains = details.as_ref().map_or(unit.sub == "exited", |details| details.remains_after_exit);
    !remains && !unit.name.as_str().ends_with(".target")
}

fn is_active(unit: &Unit) -> bool {
    matches!(unit.active, ActiveState::Active | ActiveState::Reloading)
}

fn is_up(unit: &Unit) -> bool {
    is_active(unit) || unit.active == ActiveState::Activating
}

fn is_frozen((_, details): &SeenUnit) -> bool {
    details.as_ref().is_some_and(|details| details.frozen)
}

fn count(parts: usize) -> u32 {
    u32::try_from(parts).unwrap_or(u32::MAX)
}
