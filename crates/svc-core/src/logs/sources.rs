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

/// A service's units and containers, each with a name of its own.
#[derive(Debug)]
pub struct Sources {
    /// Each unit under its name in the journal.
    pub(super) units: Vec<(UnitName, Arc<Source>)>,
    pub(super) containers: Vec<(Container, Arc<Source>)>,
    /// Why there may be containers that nobody knows of.
    pub(super) docker: Option<Failure>,
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
        Self {
            units: units.collect(),
            containers,
            docker: parts.docker.clone().filter(|_| may_have_containers),
            may_have_containers: parts.docker.is_none() || may_have_containers,
            is_data_only: word == StateWord::DataOnly && parts.systemd.is_none(),
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
        self.give(name, short.strip_prefix("docker-compose-").unwrap_or(short))
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

/// Its units, and what a target of it holds together. One that is gone may have left something in the journal.
fn units(service: &Service, parts: &Parts) -> Vec<UnitName> {
    if parts.systemd.is_some() {
        return candidates(service);
    }
    let mut units: Vec<UnitName> = Vec::new();
    let members = |unit: &UnitName| {
        let details = parts.units.iter().filter_map(|(_, details)| details.as_ref());
        details.filter(|details| details.name == *unit).flat_map(|details| details.members.clone()).collect()
    };
    for (unit, _) in &parts.units {
        let members: Vec<UnitName> = members(&unit.name);
        let members = members.into_iter().filter(|member| member.as_str().ends_with(".service"));
        units.push(unit.name.clone());
        units.extend(members);
    }
    units.extend(parts.missing_units.iter().cloned());
    let mut known = std::collections::HashSet::new();
    units.retain(|unit| known.insert(unit.clone()));
    units
}

/// Containers that a unit runs in the foreground, by the names that NixOS and compose2nix give both: what such a
/// container writes is written by its unit too, and outlives the container there.
fn in_journal(parts: &Parts) -> Vec<String> {
    let lasting = parts
        .units
        .iter()
        .filter(|(_, details)| details.as_ref().is_some_and(|details| !details.remains_after_exit));
    let names = lasting.flat_map(|(unit, details)| {
        let members = details.iter().flat_map(|details| details.members.iter());
        std::iter::once(&unit.name).chain(members)
    });
    let container = |unit: &UnitName| {
        let stem = unit.as_str().strip_suffix(".service")?;
        let name = stem.strip_prefix("docker-").or_else(|| stem.strip_prefix("podman-"))?;
        Some(name.to_owned())
    };
    names.filter_map(container).collect()
}

#[cfg(test)]
mod tests;
