//! Every service at a glance: its state, and how old its backups are. Never runs restic.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service};
use crate::docker::{Container, ContainerHealth, ContainerState};
use crate::lock;
use crate::names::{RepositoryName, RunId, ServiceName};
use crate::observe::{Parts, belongs, parts_at_a_glance};
use crate::outside::Outside;
use crate::records::{Attempt, RepositoryRecord, ServiceRecord};
use crate::scope::Scope;
use crate::status::{StateWord, state};
use crate::timers::{self, NextRun};

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
    /// When it is backed up next; nothing: no timer is known to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<NextRun>,
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
    /// What the health checks of its containers say together: the worst; nothing: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Since when its unit or its last changed container is as it is; of containers as roughly as Docker lists it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The run that is at work on it: what is off may be so for a moment. Nothing: none is, or it cannot be told, for only
    /// root sees that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_work: Option<AtWork>,
}

/// A run that is at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AtWork {
    /// The run.
    pub run: RunId,
    /// What it does: `backup`, `restore` …
    pub verb: String,
}

/// What health checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// All is well.
    Healthy,
    /// A check has not decided yet.
    Starting,
    /// A check says no.
    Unhealthy,
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
    /// Whether the repository was found damaged, or what is known of that is lost: then nothing proves that a snapshot in
    /// it can be restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

/// Looks at every service: a fixed number of questions for any number of them.
pub async fn overview(config: &Config, scope: &Scope, outside: &Outside, now: Timestamp) -> Overview {
    overview_and_parts(config, scope, outside, now).await.0
}

/// The same with what it was made of, service by service.
pub(crate) async fn overview_and_parts(
    config: &Config,
    scope: &Scope,
    outside: &Outside,
    now: Timestamp,
) -> (Overview, Vec<Parts>) {
    let names: Vec<ServiceName> = config.services.keys().cloned().collect();
    let timers = timers::of_backups(config);
    let (parts, units) = parts_at_a_glance(config, outside, &names, &timers).await;
    let one = |(service, parts): (&Service, &Parts)| ServiceOverview {
        name: service.name.clone(),
        description: service.description.clone(),
        state: State::of(service, parts, at_work(scope, &service.name), now),
        backups: backups(config, scope, service, now),
        next_run: timers::next_run(config, service, &units),
    };
    let services = config.services.values().zip(&parts).map(one).collect();
    (Overview { at: now, services }, parts)
}

impl State {
    fn of(service: &Service, parts: &Parts, at_work: Option<AtWork>, now: Timestamp) -> Self {
        let docker = parts.docker.as_ref().map_or(Ok(()), |failure| Err(failure.message.as_str()));
        let word = if let Some(failure) = &parts.systemd {
            StateWord::Unknown { why: failure.message.clone() }
        } else {
            // One that a unit keeps is no part beside that unit.
            let own = parts.containers.iter().filter(|one| belongs(service, one));
            let own: Vec<Container> = own.cloned().collect();
            state(&parts.units, &own, docker, parts.may_have_containers(service))
        };
        Self {
            text: word.to_string(),
            detail: at_work.as_ref().map(AtWork::to_string).or_else(|| detail(&word, parts)),
            health: parts.containers.iter().filter_map(|container| container.health).map(Health::from).max(),
            since: since(parts, now),
            at_work,
            word,
        }
    }
}

impl fmt::Display for AtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} is at work: svc attach {}", self.verb, self.run)
    }
}

fn at_work(scope: &Scope, service: &ServiceName) -> Option<AtWork> {
    let holder = lock::held_by(&scope.locks_dir(), service)?;
    Some(AtWork { run: lock::run_of(&holder)?, verb: lock::verb_of(&holder)?.to_owned() })
}

impl From<ContainerHealth> for Health {
    fn from(health: ContainerHealth) -> Self {
        match health {
            ContainerHealth::Healthy => Self::Healthy,
            ContainerHealth::Starting => Self::Starting,
            ContainerHealth::Unhealthy => Self::Unhealthy,
        }
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

/// The last change of what proves something; else of the unit that had it started.
fn since(parts: &Parts, now: Timestamp) -> Option<Timestamp> {
    let containers = parts.containers.iter().filter_map(|container| container.lasts);
    let containers = containers.filter_map(|lasts| now.checked_sub(lasts).ok());
    let changes = |remaining: bool| {
        let details = parts.units.iter().filter_map(|(_, details)| details.as_ref());
        details.filter(move |details| details.remains_after_exit == remaining).filter_map(|d| d.since)
    };
    changes(false).chain(containers).max().or_else(|| changes(true).max())
}

/// What the records say of a service's backups.
pub(crate) fn backups(
    config: &Config,
    scope: &Scope,
    service: &Service,
    now: Timestamp,
) -> Vec<RepositoryOverview> {
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
            damaged: RepositoryRecord::load(&scope.records_dir(), name).hold(name).is_some(),
            overdue: age.is_none_or(|age| age > limit),
            last_good: known.last_good,
            last_attempt: known.last_attempt,
        }
    })
    .collect()
}
