//! Sockets, timers and paths, which start a service's units by themselves: stopped first, put back in their place.

use super::Target;
use crate::observe::{Parts, Seen, is_up, is_wanted};
use crate::systemd::LoadState;

/// Why they stop.
pub(super) const REASON: &str = "it would start it again";

/// Those that would start something now.
pub(super) fn armed(parts: &Parts) -> Vec<Target> {
    parts.triggers.iter().filter(|(unit, _)| is_up(unit.active)).map(target).collect()
}

/// Whether one of them may start the unit at any moment.
pub(super) fn may_start(parts: &Parts, unit: &Seen) -> bool {
    let armed = armed(parts);
    !armed.is_empty() && is_started_by(unit, &armed)
}

/// Whether the unit is started by one of these.
pub(super) fn is_started_by((_, details): &Seen, triggers: &[Target]) -> bool {
    let names = details.iter().flat_map(|details| &details.triggered_by);
    names.into_iter().any(|name| triggers.contains(&Target::Unit(name.clone())))
}

/// Those that are off although they should not be: sockets of units that are off, and all others.
pub(super) fn resting(parts: &Parts, off: &[&Seen]) -> (Vec<Target>, Vec<Target>) {
    let rests = |(unit, details): &&Seen| {
        !is_up(unit.active) && unit.load == LoadState::Loaded && is_wanted(details.as_ref())
    };
    let resting: Vec<Target> = parts.triggers.iter().filter(rests).map(target).collect();
    let (sockets, others): (Vec<_>, Vec<_>) = resting.into_iter().partition(is_socket);
    let opens = |socket: &Target| off.iter().any(|unit| is_started_by(unit, std::slice::from_ref(socket)));
    (sockets.into_iter().filter(opens).collect(), others)
}

/// Moves the sockets to the front.
pub(super) fn sockets_first(waves: impl Iterator<Item = Vec<Target>>) -> Vec<Vec<Target>> {
    let (mut sockets, mut ordered) = (Vec::new(), Vec::new());
    for wave in waves {
        let (first, rest): (Vec<_>, Vec<_>) = wave.into_iter().partition(is_socket);
        sockets.extend(first);
        ordered.push(rest);
    }
    ordered.insert(0, sockets);
    ordered
}

fn is_socket(target: &Target) -> bool {
    matches!(target, Target::Unit(unit) if unit.as_str().ends_with(".socket"))
}

fn target((unit, _): &Seen) -> Target {
    Target::Unit(unit.name.clone())
}
