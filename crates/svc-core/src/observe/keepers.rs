//! Containers that units keep: a unit's main process shows one, and the container engine runs it.

use super::parts::Parts;
use super::relatives::Seen;
use crate::docker::Container;
use crate::names::UnitName;
use crate::systemd::Client;

/// What by rule comes before the name of a container in that of its unit: NixOS oci-containers, compose2nix.
const OF_CONTAINERS: [&str; 2] = ["docker-", "podman-"];
/// What by rule comes before the name of a project in that of its unit.
const OF_PROJECTS: [&str; 3] = ["docker-compose-", "podman-compose-", "arion-"];

/// Whether a unit keeps a container: stopped otherwise, it would be started again at once.
pub(crate) fn keeps(seen: &Seen, container: &Container) -> bool {
    match client(seen) {
        _ if container.unit.as_deref() == Some(seen.0.name.as_str()) => true,
        Some(Client::Container(Some(name))) => name == container.name,
        Some(Client::Compose) => container.compose.is_some(),
        Some(Client::Container(None)) | None => false,
    }
}

/// A unit whose processes are only clients of a container engine, while nobody knows what it runs there: to freeze the
/// unit would hold nothing.
pub(crate) fn unknown_keeper(parts: &Parts) -> Option<&UnitName> {
    let hides = |seen: &&Seen| {
        client(seen).is_some() && !parts.containers.iter().any(|container| keeps(seen, container))
    };
    parts.active_units().find(hides).map(|(unit, _)| &unit.name)
}

/// What a unit's command says, or else its name. A oneshot unit that remains has no process.
fn client((unit, details): &Seen) -> Option<Client> {
    if details.as_ref().is_some_and(|details| details.remains_after_exit) {
        return None;
    }
    let by_rule = by_rule(&unit.name);
    match details.as_ref().and_then(|details| details.client.clone()) {
        Some(Client::Container(None)) => by_rule.or(Some(Client::Container(None))),
        Some(client) => Some(client),
        None => by_rule,
    }
}

fn by_rule(unit: &UnitName) -> Option<Client> {
    let name = unit.as_str().strip_suffix(".service")?;
    if OF_PROJECTS.iter().any(|before| name.starts_with(before)) {
        return Some(Client::Compose);
    }
    let container = OF_CONTAINERS.iter().find_map(|before| name.strip_prefix(before))?;
    Some(Client::Container(Some(container.to_owned())))
}
