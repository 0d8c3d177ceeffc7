//! The few properties that a list shows.

use super::{ActiveState, Unit};

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const TIMER: &str = "org.freedesktop.systemd1.Timer";

/// Units of these names have containers that tell how they are: there is no need to ask each for other members.
const STACKS: [&str; 2] = ["docker-compose-", "podman-compose-"];

/// Whether a unit counts as up without any process: only `RemainAfterExit=yes` makes that.
pub(super) fn has_exited(unit: &Unit) -> bool {
    unit.sub == "exited"
}

/// Whether the kernel says that the processes of a unit of this machine's system are not frozen, neither by themselves
/// nor with their slice. A file is read in a tenth of the time of a question. Elsewhere than in the slice in which most
/// units are, nobody knows.
pub(super) fn is_warm(unit: &Unit) -> bool {
    let events = format!("/sys/fs/cgroup/system.slice/{}/cgroup.events", unit.name);
    std::fs::read_to_string(events).is_ok_and(|events| events.lines().any(|line| line == "frozen 0"))
}

/// Interface and name of what has to be asked about a unit that is listed like this; `is_warm`: it is known not to be
/// frozen.
pub(super) fn questions(unit: &Unit, is_warm: bool) -> Vec<(&'static str, &'static str)> {
    let name = unit.name.as_str();
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    if kind == "timer" {
        return vec![(TIMER, "NextElapseUSecRealtime"), (TIMER, "NextElapseUSecMonotonic")];
    }
    if kind == "target" {
        return vec![(UNIT, since(unit.active)), (UNIT, "ConsistsOf")];
    }
    let is_up = matches!(unit.active, ActiveState::Active | ActiveState::Reloading);
    let mut asked = vec![(UNIT, since(unit.active))];
    // What has no processes is not frozen.
    if is_up && !has_exited(unit) && !is_warm {
        asked.push((UNIT, "FreezerState"));
    }
    // What has a main process does not just remain after its exit.
    if kind == "service" && !(is_up && unit.sub == "running") {
        asked.push((SERVICE, "Type"));
        if !has_exited(unit) {
            asked.push((SERVICE, "RemainAfterExit"));
        }
        if !STACKS.iter().any(|prefix| name.starts_with(prefix)) {
            asked.push((UNIT, "ConsistsOf"));
        }
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
