//! The timers that run svc: when each was due last and is due next, and which of them backs a service up.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service, Timer};
use crate::names::{RepositoryName, UnitName};
use crate::observe::KnownUnits;

/// How svc's own backup timers begin; the repository comes next.
const OWN: &str = "svc-backup@";

/// When a service is backed up next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextRun {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The timer.
    pub timer: UnitName,
}

/// The timers that may back anything up: svc's own for each repository, and those of the configuration.
#[must_use]
pub fn of_backups(config: &Config) -> Vec<UnitName> {
    let own = config.repositories.keys().filter_map(own);
    own.chain(config.timers.iter().filter(|timer| is_backup(timer)).map(|timer| timer.unit.clone())).collect()
}

/// The soonest run of a timer that backs this service up.
#[must_use]
pub fn next_run(config: &Config, service: &Service, units: &KnownUnits) -> Option<NextRun> {
    let units = units.as_ref().ok()?;
    let due = |timer: &UnitName| {
        let (unit, details) = units.get(timer)?;
        let at = details.as_ref()?.timer.next?;
        Some(NextRun { at, timer: unit.name.clone() })
    };
    let repositories = config.repositories.keys().filter(|repository| service.uses(repository));
    let used: Vec<&RepositoryName> = repositories.filter(|_| service.backup.enable).collect();
    let timers = used.iter().flat_map(|repository| for_repository(config, repository));
    timers.filter(|timer| concerns(config, service, timer)).filter_map(|timer| due(&timer)).min_by_key(|run| run.at)
}

/// The timers that back up to this repository: svc's own, and those of the configuration that name it, or none.
pub fn for_repository(config: &Config, repository: &RepositoryName) -> impl Iterator<Item = UnitName> {
    let names = |timer: &&Timer| {
        let named = |name: &RepositoryName| mentions(timer.unit.as_str(), name.as_str());
        named(repository) || !config.repositories.keys().any(named)
    };
    let configured = config.timers.iter().filter(|timer| is_backup(timer)).filter(names);
    own(repository).into_iter().chain(configured.map(|timer| timer.unit.clone()))
}

/// svc's own backup timer of a repository.
fn own(repository: &RepositoryName) -> Option<UnitName> {
    format!("{OWN}{repository}.timer").parse().ok()
}

/// The configuration does not say what a timer does; its unit's name does.
fn is_backup(timer: &Timer) -> bool {
    timer.unit.as_str().ends_with(".timer") && mentions(timer.unit.as_str(), "backup")
}

/// A timer of the configuration that names services is about those alone.
fn concerns(config: &Config, service: &Service, timer: &UnitName) -> bool {
    let named = |name: &str| mentions(timer.as_str(), name);
    let others = config.services.keys().filter(|name| !config.repositories.contains_key(name.as_str()));
    timer.as_str().starts_with(OWN)
        || named(service.name.as_str())
        || !others.into_iter().any(|other| named(other.as_str()))
}

/// Whether a word, or words joined by `-`, stands in a unit's name: `local` in `restic-backup-local.timer`.
fn mentions(unit: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    stem.match_indices(word).any(|(at, _)| {
        let (before, after) = (stem.get(..at), stem.get(at + word.len()..));
        is_edge(before.and_then(|text| text.chars().next_back()))
            && is_edge(after.and_then(|text| text.chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_mentions_whole_words_only() {
        assert!(mentions("restic-backup-local.timer", "local"));
        assert!(mentions("svc-backup@my-nas.timer", "my-nas"));
        assert!(mentions("backup.timer", "backup"));
        assert!(!mentions("restic-backup-localhost.timer", "local"));
        assert!(!mentions("backup.timer", "timer"));
        assert!(!mentions("", "a"));
    }
}
