//! What is wanted of a house.

use svc_core::goal::{Goal, SnapshotChoice};

use super::{repository, services};

/// A backup to `local`.
pub(crate) fn backup(names: &[&str]) -> Goal {
    backup_to(&["local"], names)
}

pub(crate) fn backup_to(repositories: &[&str], names: &[&str]) -> Goal {
    let repositories = repositories.iter().map(|name| repository(name)).collect();
    Goal::Backup { repositories, services: services(names) }
}

/// The restore of the latest snapshot in `local`.
pub(crate) fn restore(names: &[&str]) -> Goal {
    Goal::Restore {
        repository: repository("local"),
        services: services(names),
        snapshot: SnapshotChoice::Latest,
        start: false,
    }
}

pub(crate) fn start(names: &[&str]) -> Goal {
    Goal::Start { services: services(names) }
}

pub(crate) fn stop(names: &[&str]) -> Goal {
    Goal::Stop { services: services(names) }
}

pub(crate) fn restart(names: &[&str], recreate: bool) -> Goal {
    Goal::Restart { services: services(names), recreate }
}
