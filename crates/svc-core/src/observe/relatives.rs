//! Units that come with a service's own: what stops with them, and what starts them.

use std::collections::HashMap;

use crate::names::UnitName;
use crate::outside::Outside;
use crate::systemd::{ActiveState, LoadState, SystemdError, Unit, UnitDetails};

/// A unit and what its properties say.
pub type Seen = (Unit, Option<UnitDetails>);

/// How much is asked about each unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What a list shows: of relatives only whether members run.
    Glance,
    /// What a plan needs.
    All,
}

/// How far it is from a service's own unit to the last relative: a target, a service in it, that one's socket.
const GENERATIONS: usize = 2;

/// Adds the members and the triggers of all units known so far. No round trip where there are none.
pub(super) async fn add(
    outside: &Outside,
    known: &mut HashMap<UnitName, Seen>,
    depth: Depth,
) -> Result<(), SystemdError> {
    if depth == Depth::Glance {
        return add_members(outside, known).await;
    }
    for _ in 0..GENERATIONS {
        let mut new: Vec<UnitName> = known.values().flat_map(relatives).cloned().collect();
        new.retain(|name| !known.contains_key(name));
        new.sort();
        new.dedup();
        if new.is_empty() {
            break;
        }
        known.extend(look(outside, new, depth).await?);
    }
    Ok(())
}

/// Adds whether the members of targets run, in one round trip.
async fn add_members(outside: &Outside, known: &mut HashMap<UnitName, Seen>) -> Result<(), SystemdError> {
    let members =
        known.values().filter_map(|(_, details)| details.as_ref()).flat_map(|details| &details.members);
    let names: Vec<UnitName> = members.filter(|name| !known.contains_key(*name)).cloned().collect();
    if !names.is_empty() {
        let units = outside.systemd.units(&names).await?;
        known.extend(names.into_iter().zip(units.into_iter().map(|unit| (unit, None))));
    }
    Ok(())
}

/// The units of these names, in the same order. No round trip where there are no names.
pub(super) async fn listed(outside: &Outside, names: &[UnitName]) -> Result<Vec<Unit>, SystemdError> {
    if names.is_empty() { Ok(Vec::new()) } else { outside.systemd.units(names).await }
}

/// The units of these names that exist, in two round trips.
async fn look(
    outside: &Outside,
    names: Vec<UnitName>,
    depth: Depth,
) -> Result<HashMap<UnitName, Seen>, SystemdError> {
    let units = listed(outside, &names).await?;
    seen(outside, names.into_iter().zip(units), depth).await
}

/// Those of these units that exist, each under the name it was asked by, and what their properties say.
pub(super) async fn seen(
    outside: &Outside,
    units: impl Iterator<Item = (UnitName, Unit)>,
    depth: Depth,
) -> Result<HashMap<UnitName, Seen>, SystemdError> {
    let units: Vec<(UnitName, Unit)> = units.filter(|(_, unit)| unit.load != LoadState::NotFound).collect();
    let existing: Vec<Unit> = units.iter().map(|(_, unit)| unit.clone()).collect();
    let details = match depth {
        Depth::Glance => outside.systemd.glance(&existing).await?,
        Depth::All => outside.systemd.details(&existing).await?,
    };
    let details: HashMap<UnitName, UnitDetails> = details.into_iter().map(|d| (d.name.clone(), d)).collect();
    Ok(units
        .into_iter()
        .map(|(asked, unit)| {
            // Two services may share a unit, so the details are not taken out.
            let details = details.get(&unit.name).cloned();
            (asked, (unit, details))
        })
        .collect())
}

/// A unit with its members after it: services that run, or that somebody enabled. A glance does not see the latter; but
/// what is off and of no use to anybody is not in the manager's memory either.
pub(super) fn with_members(unit: &Seen, known: &HashMap<UnitName, Seen>) -> Vec<Seen> {
    let members = unit.1.iter().flat_map(|details| &details.members);
    let services = members.filter(|name| name.as_str().ends_with(".service"));
    let counts = |(unit, details): &&Seen| match details {
        _ if unit.active != ActiveState::Inactive => true,
        Some(details) => is_wanted(Some(details)),
        None => unit.load == LoadState::Loaded,
    };
    let members = services.filter_map(|name| known.get(name)).filter(counts);
    std::iter::once(unit).chain(members).cloned().collect()
}

/// What nobody enabled is off for a reason. A unit without an `[Install]` of its own was pulled in by somebody.
pub(crate) fn is_wanted(details: Option<&UnitDetails>) -> bool {
    details.is_some_and(|details| !matches!(details.file_state.as_str(), "disabled" | "masked" | "bad"))
}

/// What starts one of these units by itself.
pub(super) fn triggers(units: &[Seen], known: &HashMap<UnitName, Seen>) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    let names = units.iter().filter_map(|(_, details)| details.as_ref()).flat_map(|d| &d.triggered_by);
    for seen in names.filter_map(|name| known.get(name)) {
        if !found.iter().any(|(unit, _)| unit.name == seen.0.name) {
            found.push(seen.clone());
        }
    }
    found
}

fn relatives((_, details): &Seen) -> impl Iterator<Item = &UnitName> {
    details.iter().flat_map(|details| details.members.iter().chain(&details.triggered_by))
}
