//! One service of `services.json`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Backup, Health, Restore};
use crate::names::{RepositoryName, ServiceName, UnitName};

/// One service: what belongs to it and how it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name; the same as its key.
    pub name: ServiceName,
    /// One line about it.
    pub description: Option<String>,
    /// Its units in the order in which they start; services or targets. Empty: found by rule (design §2).
    pub units: Vec<UnitName>,
    /// Its compose project.
    pub compose: Compose,
    /// Services that start before it.
    pub after: Vec<ServiceName>,
    /// What its logs should be searched for.
    pub monitoring: Monitoring,
    /// When it counts as healthy.
    pub health: Health,
    /// How it is backed up.
    pub backup: Backup,
    /// How it is restored.
    pub restore: Restore,
}

/// A compose project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compose {
    /// Its name; the service's unless set.
    pub project: String,
    /// Its file.
    pub file: Option<PathBuf>,
}

/// Patterns to look for in the logs: regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Lines that are errors.
    pub error_patterns: Vec<String>,
    /// Lines that are warnings.
    pub warning_patterns: Vec<String>,
    /// Lines to pass over.
    pub ignore_patterns: Vec<String>,
}

impl Service {
    /// Whether its backups go to this repository.
    #[must_use]
    pub fn uses(&self, repository: &RepositoryName) -> bool {
        self.backup.repositories.is_empty() || self.backup.repositories.contains(repository)
    }
}
