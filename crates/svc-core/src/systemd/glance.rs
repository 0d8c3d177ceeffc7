//! The few properties that a list shows.

use super::{ActiveState, Unit};

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const TIMER: &str = "org.freedesktop.systemd1.Timer";

/// Interface and name of what has to be asked about a unit that is listed like this.
pub(super) fn questions(unit: &Unit) -> Vec<(&'static str, &'static str)> {
    let name = unit.name.as_str();
    if name.ends_with(".timer") {
        return vec![(TIMER, "NextElapseUSecRealtime"), (TIMER, "NextElapseUSecMonotonic")];
    }
    if name.ends_with(".target") {
        return vec![(UNIT, since(unit.active)), (UNIT, "ConsistsOf")];
    }
    let is_up = matches!(unit.active, ActiveState::Active | ActiveState::Reloading);
    let mut asked = vec![(UNIT, since(unit.active))];
    if is_up {
        asked.push((UNIT, "FreezerState"));
    }
    // What has a main process does not just remain after its exit.
    if name.ends_with(".service") && !(is_up && unit.sub == "running") {
        asked.extend([(SERVICE, "Type"), (SERVICE, "RemainAfterExit")]);
    }
    asked
}

/// The property that tells since when a unit is in its state: there is one clock per change.
pub(super) const fn since(active: ActiveState) -> &'static str {
    match active {
        ActiveState::Active | ActiveState::Reloading => "ActiveEnterTimestamp",
        ActiveState::Inactive | ActiveState::Failed => "InactiveEnterTimestamp",
        ActiveState::Activating => "InactiveExitTimestamp",
        ActiveState::Deactivating => "ActiveExitTimestamp",
    }
}
