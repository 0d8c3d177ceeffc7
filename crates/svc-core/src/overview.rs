//! Every service at a glance: its state, and how old its backups are. Never runs restic.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service};
use crate::docker::ContainerState;
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Parts, parts};
use crate::outside::Outside;
use crate::records::{Attempt, ServiceRecord};
use crate::scope::Scope;
use crate::status::{StateWord, state};

/// Every service at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The services, in the order of the file.
    pub services: Vec<ServiceOverview>,
}

/// One service at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOverview {
    /// Its name.
    pub name: ServiceName,
    /// One line about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is doing.
    pub state: State,
    /// Its backups in each repository that it uses; none: it is not backed up.
    pub backups: Vec<RepositoryOverview>,
}

/// What a service is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// In one word, as a value.
    #[serde(flatten)]
    pub word: StateWord,
    /// The same as people read it: `partial (2/3)`.
    pub text: String,
    /// Which part makes it less than running, in the part's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Since when its unit is as it is; nothing: containers alone tell, and their list has no times.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
}

/// A service's backups in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryOverview {
    /// The repository.
    pub repository: RepositoryName,
    /// The last good one.
    pub last_good: Option<Attempt>,
    /// The last one, whatever came of it.
    pub last_attempt: Option<Attempt>,
    /// Whether the last good one is missing or too old.
    pub overdue: bool,
}

/// Looks at every service: a fixed number of questions for any number of them.
pub async fn overview(config: &Config, scope: &Scope, outside: &Outside, now: Timestamp) -> Overview {
    let names: Vec<ServiceName> = config.services.keys().cloned().collect();
    let parts = parts(config, outside, &names).await;
    let one = |(service, parts): (&Service, &Parts)| ServiceOverview {
        name: service.name.clone(),
        description: service.description.clone(),
        state: State::of(service, parts),
        backups: backups(config, scope, service, now),
    };
    Overview { at: now, services: config.services.values().zip(&parts).map(one).collect() }
}

impl State {
    fn of(service: &Service, parts: &Parts) -> Self {
        let docker = parts.docker.as_ref().map_or(Ok(()), |failure| Err(failure.message.as_str()));
        let word = match &parts.systemd {
            Some(failure) => StateWord::Unknown { why: failure.message.clone() },
            None => state(&parts.units, &parts.containers, docker, parts.may_have_containers(service)),
        };
        Self { text: word.to_string(), detail: detail(&word, parts), since: since(parts), word }
    }
}

fn detail(word: &StateWord, parts: &Parts) -> Option<String> {
    match word {
        StateWord::Unknown { why } => Some(why.clone()),
        StateWord::Running
        | StateWord::DataOnly
        | StateWord::Masked
        | StateWord::ByHand
        | StateWord::Stopped => None,
        StateWord::Partial { .. }
        | StateWord::Starting
        | StateWord::Unhealthy
        | StateWord::Paused
        | StateWord::Failed => {
            let off = |state| !matches!(state, ContainerState::Running);
            let odd = parts.containers.iter().find(|c| off(c.state) || c.status_text.contains("health"));
            odd.map(|container| format!("{}: {}", container.name, container.status_text))
        }
    }
}

fn since(parts: &Parts) -> Option<Timestamp> {
    let lasting =
        parts.units.iter().filter_map(|(_, details)| details.as_ref()).filter(|d| !d.remains_after_exit);
    lasting.filter_map(|details| details.since).max()
}

fn backups(config: &Config, scope: &Scope, service: &Service, now: Timestamp) -> Vec<RepositoryOverview> {
    if !service.backup.enable {
        return Vec::new();
    }
    let record = ServiceRecord::load(&scope.records_dir(), &service.name);
    let used = config.repositories.iter().filter(|(name, _)| service.uses(name));
    used.map(|(name, repository)| {
        let known = record.backups.get(name).cloned().unwrap_or_default();
        let limit = service.backup.max_age.unwrap_or(repository.max_age).duration();
        let age = known.last_good.as_ref().map(|good| now.duration_since(good.at).unsigned_abs());
        RepositoryOverview {
            repository: name.clone(),
            overdue: age.is_none_or(|age| age > limit),
            last_good: known.last_good,
            last_attempt: known.last_attempt,
        }
    })
    .collect()
}
