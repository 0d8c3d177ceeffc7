//! The timers that run svc: when each was due last and is due next, and which of them backs a service up.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service, Timer};
use crate::names::{RepositoryName, UnitName};
use crate::observe::KnownUnits;
use crate::outside::Outside;
use crate::systemd::{ActiveState, LoadState, SystemdError, Unit, UnitDetails};

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

/// A timer and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimerOverview {
    /// What people call it; its unit unless the configuration says.
    pub name: String,
    /// The timer.
    pub timer: UnitName,
    /// What it does.
    pub description: Option<String>,
    /// Whether it counts, and if not, why.
    pub state: TimerState,
    /// When it was due last.
    #[schemars(with = "Option<String>")]
    pub last: Option<Timestamp>,
    /// When it is due next.
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// What it starts.
    pub unit: Option<UnitName>,
    /// How that ended last, in systemd's own word: `success`, `exit-code` …; nothing: it has not run, or is running.
    pub result: Option<String>,
}

/// Whether a timer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimerState {
    /// It does, now and after a reboot.
    Waiting,
    /// It does until the next reboot: it is not enabled.
    NotEnabled,
    /// It does not.
    Off,
    /// It is masked, or its file has a fault.
    Broken,
    /// There is no such unit.
    Missing,
}

/// svc's own timers and those of the configuration, in three round trips for any number of them.
pub async fn timers(config: &Config, outside: &Outside) -> Result<Vec<TimerOverview>, SystemdError> {
    let systemd = &outside.systemd;
    let named: Vec<UnitName> =
        config.timers.iter().map(timer_of).chain(config.repositories.keys().filter_map(own)).collect();
    let (named, others) = tokio::join!(systemd.units(&named), systemd.matching("svc-*.timer"));
    let (mut units, configured) = (named?, config.timers.len());
    let mut place = 0;
    // What the configuration names is shown in any case, svc's own where it exists.
    units.retain(|unit| {
        place += 1;
        place <= configured || unit.load != LoadState::NotFound
    });
    for other in others? {
        if !units.iter().any(|unit| unit.name == other.name) {
            units.push(other);
        }
    }
    let details = systemd.details(&units).await?;
    let started: Vec<UnitName> = details.iter().filter_map(|details| details.timer.unit.clone()).collect();
    let services = systemd.units(&started).await?;
    let services = systemd.details(&services).await?;
    let one = |(unit, details): (&Unit, &UnitDetails)| {
        let service = services.iter().find(|service| Some(&service.name) == details.timer.unit.as_ref());
        seen(config, unit, details, service)
    };
    Ok(units.iter().zip(&details).map(one).collect())
}

fn seen(config: &Config, unit: &Unit, details: &UnitDetails, service: Option<&UnitDetails>) -> TimerOverview {
    let known = config.timers.iter().find(|timer| timer_of(timer) == unit.name);
    let said = Some(unit.description.clone()).filter(|said| !said.is_empty() && *said != unit.name.as_str());
    // One that never ran says `success`, too.
    let has_run = |service: &&UnitDetails| details.timer.last.is_some() || service.since.is_some();
    let result = service.filter(has_run).map(|service| service.result.clone());
    TimerOverview {
        name: known.map_or_else(|| unit.name.to_string(), |timer| timer.name.clone()),
        timer: unit.name.clone(),
        description: known.and_then(|timer| timer.description.clone()).or(said),
        state: TimerState::of(unit, details),
        last: details.timer.last,
        next: details.timer.next,
        unit: details.timer.unit.clone(),
        result: result.filter(|result| !result.is_empty()),
    }
}

impl TimerState {
    fn of(unit: &Unit, details: &UnitDetails) -> Self {
        let is_enabled = !matches!(details.file_state.as_str(), "disabled" | "indirect");
        match (unit.load, unit.active) {
            (LoadState::NotFound, _) => Self::Missing,
            (LoadState::Masked | LoadState::Broken, _) => Self::Broken,
            (LoadState::Loaded, ActiveState::Active | ActiveState::Reloading) if is_enabled => Self::Waiting,
            (LoadState::Loaded, ActiveState::Active | ActiveState::Reloading) => Self::NotEnabled,
            (LoadState::Loaded, _) => Self::Off,
        }
    }
}

/// The timer that the configuration means: some name the service that it starts.
fn timer_of(timer: &Timer) -> UnitName {
    let stem = timer.unit.as_str().strip_suffix(".service");
    stem.and_then(|stem| format!("{stem}.timer").parse().ok()).unwrap_or_else(|| timer.unit.clone())
}

/// The timers that may back anything up: svc's own for each repository, and those of the configuration.
#[must_use]
pub fn of_backups(config: &Config) -> Vec<UnitName> {
    let own = config.repositories.keys().filter_map(own);
    own.chain(config.timers.iter().filter(|timer| is_backup(timer)).map(timer_of)).collect()
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
    timers
        .filter(|timer| concerns(config, service, timer))
        .filter_map(|timer| due(&timer))
        .min_by_key(|run| run.at)
}

/// The timers that back up to this repository: svc's own, and those of the configuration that name it, or none.
pub fn for_repository(config: &Config, repository: &RepositoryName) -> impl Iterator<Item = UnitName> {
    let names = |timer: &&Timer| {
        let named = |name: &RepositoryName| mentions(timer.unit.as_str(), name.as_str());
        named(repository) || !config.repositories.keys().any(named)
    };
    let configured = config.timers.iter().filter(|timer| is_backup(timer)).filter(names);
    own(repository).into_iter().chain(configured.map(timer_of))
}

/// svc's own backup timer of a repository.
fn own(repository: &RepositoryName) -> Option<UnitName> {
    format!("{OWN}{repository}.timer").parse().ok()
}

/// The configuration does not say what a timer does; its unit's name does.
fn is_backup(timer: &Timer) -> bool {
    mentions(timer.unit.as_str(), "backup")
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
