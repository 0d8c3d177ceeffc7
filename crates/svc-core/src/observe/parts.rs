//! What belongs to a service: its units and its containers.

use std::collections::HashMap;

use crate::config::{Config, Quiesce, Service};
use crate::docker::{ComposeLabels, Container, DockerError};
use crate::failure::Failure;
use crate::names::{ServiceName, UnitName};
use crate::outside::Outside;
use crate::systemd::{ActiveState, LoadState, SystemdError, Unit, UnitDetails};

/// A service's units and containers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// Its units that exist, in the order in which they start.
    pub units: Vec<(Unit, Option<UnitDetails>)>,
    /// Its containers, made by `compose run` left out.
    pub containers: Vec<Container>,
    /// Units that `units` of the configuration names but nobody has.
    pub missing_units: Vec<UnitName>,
    /// Why its units may be incomplete.
    pub systemd: Option<Failure>,
    /// Why its containers may be incomplete.
    pub docker: Option<Failure>,
}

impl Parts {
    /// Whether there is nothing to start or stop, as far as can be known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.containers.is_empty()
    }

    /// Whether the service may have containers: unless all of its units are known to be lasting ones of their own.
    pub(crate) fn may_have_containers(&self, service: &Service) -> bool {
        let compose_unit =
            self.units.iter().any(|(_, d)| d.as_ref().is_some_and(|details| details.remains_after_exit));
        let volumes = !service.backup.volumes.is_empty() || !service.restore.volumes.is_empty();
        compose_unit
            || volumes
            || !self.containers.is_empty()
            || (self.units.is_empty() && service.restore.stop_compose)
    }

    /// Why its units and containers cannot be known, if that matters to this service.
    #[must_use]
    pub fn unknown(&self, service: &Service) -> Option<&Failure> {
        let stops = service.backup.quiesce != Quiesce::None;
        let has_units = !service.units.is_empty() || stops;
        let has_containers =
            !service.backup.volumes.is_empty() || !service.restore.volumes.is_empty() || stops;
        self.docker.as_ref().filter(|_| has_containers).or(self.systemd.as_ref().filter(|_| has_units))
    }
}

/// The parts of each of these services, in the same order; a fixed number of round trips for any number of them.
pub async fn parts(config: &Config, outside: &Outside, names: &[ServiceName]) -> Vec<Parts> {
    let services: Vec<&Service> = names.iter().filter_map(|name| config.services.get(name)).collect();
    let candidates: Vec<Vec<UnitName>> = services.iter().map(|service| candidates(service)).collect();
    let (units, containers) = tokio::join!(units(outside, candidates.concat()), outside.docker.containers());
    let one = |(service, candidates): (&&Service, &Vec<UnitName>)| {
        let mut parts = Parts::default();
        add_units(&mut parts, service, candidates, &units);
        add_containers(&mut parts, service, &containers);
        parts
    };
    services.iter().zip(&candidates).map(one).collect()
}

type KnownUnits = Result<HashMap<UnitName, (Unit, Option<UnitDetails>)>, SystemdError>;

/// Units that may be the service's, the most telling first.
pub(crate) fn candidates(service: &Service) -> Vec<UnitName> {
    if !service.units.is_empty() {
        return service.units.clone();
    }
    let by_rule = format!("docker-compose-{}.service", service.name).parse().ok();
    let by_rule = by_rule.filter(|unit| service.restore.compose_unit.as_ref() != Some(unit));
    service.restore.compose_unit.iter().cloned().chain(by_rule).collect()
}

async fn units(outside: &Outside, names: Vec<UnitName>) -> KnownUnits {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let units = outside.systemd.units(&names).await?;
    let existing: Vec<Unit> = units.iter().filter(|unit| unit.load != LoadState::NotFound).cloned().collect();
    let details = outside.systemd.details(&existing).await?;
    let details: HashMap<UnitName, UnitDetails> = details.into_iter().map(|d| (d.name.clone(), d)).collect();
    let known = names.into_iter().zip(units).filter(|(_, unit)| unit.load != LoadState::NotFound);
    Ok(known
        .map(|(asked, unit)| {
            // Two services may share a unit, so the details are not taken out.
            let details = details.get(&unit.name).cloned();
            (asked, (unit, details))
        })
        .collect())
}

fn add_units(parts: &mut Parts, service: &Service, candidates: &[UnitName], known: &KnownUnits) {
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            parts.systemd = Some(Failure::from(error));
            return;
        }
    };
    let found = candidates.iter().filter_map(|name| known.get(name).cloned());
    if service.units.is_empty() {
        parts.units = found.take(1).collect();
    } else {
        parts.units = found.collect();
        parts.missing_units = candidates.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
    }
}

fn add_containers(parts: &mut Parts, service: &Service, containers: &Result<Vec<Container>, DockerError>) {
    match containers {
        Ok(all) => parts.containers = all.iter().filter(|one| belongs(service, one)).cloned().collect(),
        Err(error) => parts.docker = Some(Failure::from(error)),
    }
}

/// Whether a container is one of the service's: by its compose project, or by its name.
#[must_use]
pub(crate) fn belongs(service: &Service, container: &Container) -> bool {
    is_part(service, &container.name, container.compose.as_ref())
}

/// The same of a container that is known only by its name and its labels.
#[must_use]
pub(crate) fn is_part(service: &Service, name: &str, compose: Option<&ComposeLabels>) -> bool {
    match compose {
        Some(compose) => compose.project == service.compose.project && !compose.oneoff,
        None => name == service.name.as_str(),
    }
}

impl Parts {
    /// Units that run, in the order in which they start.
    pub fn active_units(&self) -> impl Iterator<Item = &(Unit, Option<UnitDetails>)> {
        self.units.iter().filter(|(unit, _)| is_up(unit.active))
    }
}

/// Whether a unit in this state has something to stop.
#[must_use]
pub(crate) const fn is_up(state: ActiveState) -> bool {
    match state {
        ActiveState::Active | ActiveState::Reloading | ActiveState::Activating => true,
        ActiveState::Inactive | ActiveState::Failed | ActiveState::Deactivating => false,
    }
}
