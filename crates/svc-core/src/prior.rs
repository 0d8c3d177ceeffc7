//! What of a service ran before it was touched: exactly that runs again afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::observe::{self, Parts};
use crate::plan::{Target, running};
use crate::systemd::{ActiveState, Unit};

/// What was seen of a service right before it was touched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Prior {
    /// What ran and is to run again.
    pub running: Vec<Target>,
    /// What was off, or going down by itself, and has to be kept off meanwhile: it stays off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Target>,
    /// Containers that ran because a unit of these keeps them: they go with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Target>,
    /// Of what ran, what was paused or frozen: it is so again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<Target>,
    /// Of what ran, what was not healthy: it has only to run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwell: Vec<Target>,
    /// Of what ran, what was just starting, or starting again and again: nothing is demanded of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restless: Vec<Target>,
}

impl Prior {
    pub(crate) fn of(parts: &Parts) -> Self {
        let containers = |is: fn(&Container) -> bool| {
            let chosen = parts.containers.iter().filter(move |container| is(container));
            chosen.map(Target::container).collect::<Vec<_>>()
        };
        let units = |is: fn(&Unit) -> bool| {
            let chosen = parts.units.iter().map(|(unit, _)| unit).filter(move |unit| is(unit));
            chosen.map(|unit| Target::Unit(unit.name.clone())).collect::<Vec<_>>()
        };
        let off = units(|unit| !observe::is_up(unit.active));
        let (leaving, running) = running(parts).into_iter().partition(|target| off.contains(target));
        let running: Vec<Target> = running;
        let mut kept = containers(|container| container.state == ContainerState::Running);
        kept.retain(|target| !running.contains(target));
        let mut restless = units(|unit| unit.active == ActiveState::Activating);
        restless.extend(containers(|container| container.state == ContainerState::Restarting));
        let frozen = parts.active_units().filter(|(_, details)| details.as_ref().is_some_and(|d| d.frozen));
        let frozen: Vec<Target> = frozen.map(|(unit, _)| Target::Unit(unit.name.clone())).collect();
        let mut paused = containers(|container| container.state == ContainerState::Paused);
        let mut unwell = containers(is_unwell);
        paused.extend(frozen.iter().cloned());
        unwell.extend(frozen);
        Self { running, leaving, kept, paused, unwell, restless }
    }

    /// Whether something of it ran, or may have.
    pub(crate) fn ran(&self, target: &Target) -> bool {
        [&self.running, &self.leaving, &self.kept].iter().any(|targets| targets.contains(target))
    }

    /// All that has to be off while the data is copied or exchanged.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Target> {
        self.running.iter().chain(&self.leaving)
    }
}

/// A paused container's health check stands still, so it will not say yes either.
fn is_unwell(container: &Container) -> bool {
    matches!(container.health, Some(ContainerHealth::Unhealthy | ContainerHealth::Starting))
        || container.state == ContainerState::Paused
}
