//! What of a service writes logs, and how each is called.

use std::collections::HashMap;
use std::sync::Arc;

use super::line::Source;
use crate::config::Service;
use crate::docker::{ComposeLabels, Container};
use crate::failure::Failure;
use crate::names::UnitName;
use crate::observe::{Parts, candidates};
use crate::status::{StateWord, state};
use crate::systemd::UnitDetails;

/// What is before a service's name in the units that others write for containers.
const PREFIXES: [&str; 5] = ["docker-compose-", "podman-compose-", "docker-", "podman-", "arion-"];

/// A service's units and containers, each with a name of its own.
#[derive(Debug)]
pub struct Sources {
    /// Each unit under its name in the journal.
    pub(super) units: Vec<(UnitName, Arc<Source>)>,
    pub(super) containers: Vec<(Container, Arc<Source>)>,
    /// Why there may be containers that nobody knows of.
    pub(super) docker: Option<Failure>,
    /// Why there may be units that nobody knows of.
    pub(super) systemd: Option<Failure>,
    /// Docker has to be watched, because containers may come.
    pub(super) may_have_containers: bool,
    pub(super) names: Names,
    is_data_only: bool,
}

/// Short names for sources, so that no two are the same, and which containers are none.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: HashMap<String, Arc<Source>>,
    /// Containers whose output their unit writes to the journal.
    in_journal: Vec<String>,
}

impl Sources {
    /// Those of this service as it was seen.
    #[must_use]
    pub fn of(service: &Service, parts: &Parts) -> Self {
        let may_have_containers = parts.may_have_containers(service);
        let docker = parts.docker.as_ref().map_or(Ok(()), |failure| Err(failure.message.as_str()));
        let word = state(&parts.units, &parts.containers, docker, may_have_containers);
        let mut names = Names { in_journal: in_journal(parts), ..Names::default() };
        let own = parts.containers.iter().filter(|container| !names.is_in_journal(&container.name));
        let own: Vec<Container> = own.cloned().collect();
        let containers: Vec<_> = own
            .into_iter()
            .map(|container| {
                let source = names.of_container(&container.name, container.compose.as_ref());
                (container, source)
            })
            .collect();
        let units = units(service, parts).into_iter().map(|unit| {
            let source = names.of_unit(&unit);
            (unit, source)
        });
        let units: Vec<_> = units.collect();
        Self {
            containers,
            docker: parts.docker.clone().filter(|_| may_have_containers),
            systemd: parts.systemd.clone(),
            may_have_containers: parts.docker.is_none() || may_have_containers,
            // A unit that is gone may have left something in the journal.
            is_data_only: word == StateWord::DataOnly && parts.systemd.is_none() && units.is_empty(),
            units,
            names,
        }
    }

    /// The sources, in the order of their numbers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Source>> {
        let mut all: Vec<_> = self.names.given.values().cloned().collect();
        all.sort_by_key(|source| source.number);
        all
    }

    /// Whether the service is files and nothing else.
    #[must_use]
    pub const fn is_data_only(&self) -> bool {
        self.is_data_only
    }

    /// Whether there is anything to read now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.containers.is_empty()
    }
}

impl Names {
    /// Whether this container's output is in the journal, as that of its unit.
    pub(super) fn is_in_journal(&self, container: &str) -> bool {
        self.in_journal.iter().any(|name| name == container)
    }

    /// A container's: its compose service, with its number if that is not the first.
    pub(super) fn of_container(&mut self, name: &str, compose: Option<&ComposeLabels>) -> Arc<Source> {
        let short = match compose {
            Some(ComposeLabels { service, number: 0 | 1, .. }) => service.clone(),
            Some(ComposeLabels { service, number, .. }) => format!("{service}-{number}"),
            None => name.to_owned(),
        };
        self.give(name, &short)
    }

    fn of_unit(&mut self, unit: &UnitName) -> Arc<Source> {
        let name = unit.as_str();
        let short = name.strip_suffix(".service").unwrap_or(name);
        let short = PREFIXES.iter().find_map(|prefix| short.strip_prefix(prefix)).unwrap_or(short);
        self.give(name, short)
    }

    /// The source of this name; its label is the short one unless another has that.
    fn give(&mut self, name: &str, short: &str) -> Arc<Source> {
        if let Some(given) = self.given.get(name) {
            return Arc::clone(given);
        }
        let is_free = !short.is_empty() && self.given.values().all(|other| other.label != short);
        let label = if is_free { short } else { name }.to_owned();
        let source = Arc::new(Source { name: name.to_owned(), label, number: self.given.len() });
        self.given.insert(name.to_owned(), Arc::clone(&source));
        source
    }
}

/// Its units; one that is gone may have left something in the journal.
fn units(service: &Service, parts: &Parts) -> Vec<UnitName> {
    if parts.systemd.is_some() {
        return candidates(service);
    }
    let units = parts.units.iter().map(|(unit, _)| &unit.name);
    units.chain(&parts.missing_units).cloned().collect()
}

/// Containers that a unit runs in the foreground, by the names that NixOS and compose2nix give both: what such a
/// container writes is written by its unit too, and outlives the container there.
fn in_journal(parts: &Parts) -> Vec<String> {
    let lasts = |details: &Option<UnitDetails>| details.as_ref().is_some_and(|d| !d.remains_after_exit);
    let lasting = parts.units.iter().filter(|(_, details)| lasts(details));
    let container = |unit: &UnitName| {
        let stem = unit.as_str().strip_suffix(".service")?;
        let name = stem.strip_prefix("docker-").or_else(|| stem.strip_prefix("podman-"))?;
        Some(name.to_owned())
    };
    lasting.filter_map(|(unit, _)| container(&unit.name)).collect()
}

#[cfg(test)]
mod tests;
