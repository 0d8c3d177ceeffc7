//! What belongs to a service: its units and its containers.

use std::collections::HashMap;

use super::keepers;
use super::relatives::{self, Depth, Seen};
use crate::config::{Config, Quiesce, Service, StopVia};
use crate::docker::{ComposeLabels, Container, DockerError};
use crate::failure::Failure;
use crate::names::{ServiceName, UnitName};
use crate::outside::Outside;
use crate::systemd::{ActiveState, SystemdError, Unit, UnitDetails};

/// A service's units and containers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// Its units that exist, in the order in which they start, each with its members after it.
    pub units: Vec<Seen>,
    /// Sockets, timers and paths that start its units by themselves.
    pub triggers: Vec<Seen>,
    /// Its containers, made by `compose run` left out.
    pub containers: Vec<Container>,
    /// A compose stack is stopped and started by its unit's jobs, as `backup.stopVia` says.
    pub by_unit: bool,
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
        let composes = |details: &UnitDetails| details.remains_after_exit && details.members.is_empty();
        let compose_unit = self.units.iter().any(|(_, details)| details.as_ref().is_some_and(composes));
        let volumes = !service.backup.volumes.is_empty() || !service.restore.volumes.is_empty();
        compose_unit
            || volumes
            || !self.containers.is_empty()
            || (self.units.is_empty() && service.restore.stop_compose)
    }

    /// Whether declared units that last by themselves are all there is of a service: then Docker is no part of it.
    fn are_units_all(&self, service: &Service) -> bool {
        let lasts = |details: &Option<UnitDetails>| details.as_ref().is_some_and(|d| !d.remains_after_exit);
        let is_named = |unit: &Unit| {
            service.units.contains(&unit.name) || service.restore.compose_unit.as_ref() == Some(&unit.name)
        };
        !self.units.is_empty() && self.units.iter().all(|(unit, details)| is_named(unit) && lasts(details))
    }

    /// Why its units and containers cannot be known, if that matters to this service.
    #[must_use]
    pub fn unknown(&self, service: &Service) -> Option<&Failure> {
        let stops = service.backup.quiesce != Quiesce::None;
        let has_units = !service.units.is_empty() || stops;
        let has_volumes = !service.backup.volumes.is_empty() || !service.restore.volumes.is_empty();
        let has_containers = has_volumes || (stops && !self.are_units_all(service));
        self.docker.as_ref().filter(|_| has_containers).or(self.systemd.as_ref().filter(|_| has_units))
    }
}

/// The parts of each of these services, in the same order; a fixed number of round trips for any number of them.
pub async fn parts(config: &Config, outside: &Outside, names: &[ServiceName]) -> Vec<Parts> {
    look(config, outside, names, &[], Depth::All).await.0
}

/// Units that exist, by the name they were asked by.
pub type KnownUnits = Result<HashMap<UnitName, Seen>, SystemdError>;

/// The same at a glance, and what is seen of more units in the same round trips.
pub async fn parts_at_a_glance(
    config: &Config,
    outside: &Outside,
    names: &[ServiceName],
    more: &[UnitName],
) -> (Vec<Parts>, KnownUnits) {
    look(config, outside, names, more, Depth::Glance).await
}

async fn look(
    config: &Config,
    outside: &Outside,
    names: &[ServiceName],
    more: &[UnitName],
    depth: Depth,
) -> (Vec<Parts>, KnownUnits) {
    let services: Vec<&Service> = names.iter().filter_map(|name| config.services.get(name)).collect();
    let candidates: Vec<Vec<UnitName>> = services.iter().map(|service| candidates(service)).collect();
    let asked = Asked::new(services.iter().zip(&candidates), more, depth);
    let (units, containers) = tokio::join!(units(outside, asked, depth), outside.docker.containers());
    let one = |(service, candidates): (&&Service, &Vec<UnitName>)| {
        let by_unit = service.backup.stop_via == StopVia::Unit;
        let mut parts = Parts { by_unit, ..Parts::default() };
        add_units(&mut parts, service, candidates, &units);
        add_containers(&mut parts, service, &containers);
        parts
    };
    let parts = services.iter().zip(&candidates).map(one).collect();
    (parts, units)
}

/// What others call the unit of a service: before and after its name. Compose behind a oneshot; then those whose main
/// process is the container (NixOS oci-containers, arion), which would start it again if Docker stopped it.
const BY_RULE: [(&str, &str); 6] = [
    ("docker-compose-", ".service"),
    ("docker-compose-", "-root.target"),
    ("podman-compose-", "-root.target"),
    ("docker-", ".service"),
    ("podman-", ".service"),
    ("arion-", ".service"),
];

/// Units that may be the service's, the most telling first.
pub(crate) fn candidates(service: &Service) -> Vec<UnitName> {
    if !service.units.is_empty() {
        return service.units.clone();
    }
    let by_rule =
        BY_RULE.iter().filter_map(|(before, after)| format!("{before}{}{after}", service.name).parse().ok());
    let by_rule = by_rule.filter(|unit| service.restore.compose_unit.as_ref() != Some(unit));
    service.restore.compose_unit.iter().cloned().chain(by_rule).collect()
}

/// Names of units to ask for.
#[derive(Default)]
struct Asked {
    /// Somebody wrote them down.
    named: Vec<UnitName>,
    /// Most of them are nobody's.
    guessed: Vec<UnitName>,
}

impl Asked {
    fn new<'a>(
        services: impl Iterator<Item = (&'a &'a Service, &'a Vec<UnitName>)>,
        more: &[UnitName],
        depth: Depth,
    ) -> Self {
        let mut asked = Self { named: more.to_vec(), guessed: Vec::new() };
        for (service, candidates) in services {
            // A plan is about few services, and has to know each of their units exactly.
            let is_guess = |name: &UnitName| {
                depth == Depth::Glance && service.units.is_empty() && is_by_rule(name.as_str())
            };
            for name in candidates {
                let list = if is_guess(name) { &mut asked.guessed } else { &mut asked.named };
                list.push(name.clone());
            }
        }
        asked
    }
}

fn is_by_rule(name: &str) -> bool {
    BY_RULE.iter().any(|(before, after)| name.starts_with(before) && name.ends_with(after))
}

async fn units(outside: &Outside, asked: Asked, depth: Depth) -> KnownUnits {
    let globs = BY_RULE.map(|(before, after)| format!("{before}*{after}"));
    let globs = globs.each_ref().map(String::as_str);
    let Asked { named, guessed } = asked;
    // Side by side, so that both are one round trip on the wire.
    let (units, guesses) =
        tokio::try_join!(relatives::listed(outside, &named), outside.systemd.guessed(&guessed, &globs),)?;
    let names = guessed.into_iter().chain(named);
    let units = guesses.into_iter().chain(units);
    let mut known = relatives::seen(outside, names.zip(units), depth).await?;
    relatives::add(outside, &mut known, depth).await?;
    Ok(known)
}

fn add_units(parts: &mut Parts, service: &Service, candidates: &[UnitName], known: &KnownUnits) {
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            parts.systemd = Some(Failure::from(error));
            return;
        }
    };
    let mut found: Vec<&Seen> = candidates.iter().filter_map(|name| known.get(name)).collect();
    if service.units.is_empty() {
        found.truncate(1);
    } else {
        parts.missing_units = candidates.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
    }
    for seen in found.into_iter().flat_map(|unit| relatives::with_members(unit, known)) {
        // A member may be named beside what leads it.
        if !parts.units.iter().any(|(unit, _)| unit.name == seen.0.name) {
            parts.units.push(seen);
        }
    }
    parts.triggers = relatives::triggers(&parts.units, known);
}

fn add_containers(parts: &mut Parts, service: &Service, containers: &Result<Vec<Container>, DockerError>) {
    match containers {
        Ok(all) => {
            // A unit of the service may keep one that has nothing else to do with the service's name.
            let is_kept = |one: &Container| parts.units.iter().any(|unit| keepers::keeps(unit, one));
            let own = all.iter().filter(|one| belongs(service, one) || one.compose.is_none() && is_kept(one));
            parts.containers = own.cloned().collect();
        }
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
    pub fn active_units(&self) -> impl Iterator<Item = &Seen> {
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
