//! Every service at a glance: its state, and how old its backups are. Never runs restic.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service};
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Parts, parts};
use crate::outside::Outside;
use crate::records::{Attempt, ServiceRecord};
use crate::scope::Scope;
use crate::status::{State, state};

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
        state: state(service, parts),
        backups: backups(config, scope, service, now),
    };
    Overview { at: now, services: config.services.values().zip(&parts).map(one).collect() }
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
