//! `services.json` as types: loaded once, validated whole.

mod backup;
mod health;
mod hook;
mod period;
mod repository;
mod restore;
mod service;

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

pub use backup::{Backup, Freeze, Policy, Quiesce};
pub use health::{Health, Probe};
pub use hook::{Hook, HookAction, HookPlace, Hooks};
pub use period::{Period, PeriodError};
pub use repository::{Location, Password, Repository};
pub use restore::{Preseed, Restore};
pub use service::{Compose, Monitoring, Service};

use crate::names::{RepositoryName, ServiceName, UnitName};

/// All of `services.json`, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Version of the format; 1 is the only one.
    pub schema_version: u32,
    /// This machine's identity in the repositories; the hostname unless set.
    pub host: String,
    /// Where things lie.
    pub paths: Paths,
    /// Docker's settings.
    pub docker: Docker,
    /// Timers that `svc timers` shows beside its own.
    pub timers: Vec<Timer>,
    /// Repositories by name, in the order of the file.
    pub repositories: IndexMap<RepositoryName, Repository>,
    /// Services by name, in the order of the file.
    pub services: IndexMap<ServiceName, Service>,
    /// Who is told what.
    pub notifications: Vec<Notification>,
}

/// Where things lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paths {
    /// Holds `restic/<repository>.env`.
    pub secrets_root: PathBuf,
    /// Holds the compose projects.
    pub deploy_root: PathBuf,
    /// Docker's volumes root, as Nix knows it. A note only: Docker itself says where a volume is.
    pub docker_volumes_root: Option<PathBuf>,
    /// Run logs, records, manifests, locks; the scope's own unless set.
    pub state_dir: Option<PathBuf>,
    /// restic's cache; the scope's own unless set.
    pub cache_dir: Option<PathBuf>,
    /// Where `svc metrics` writes its text file.
    pub metrics_dir: Option<PathBuf>,
}

/// Docker's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Docker {
    /// The engine's socket; the scope's own unless set.
    pub socket: Option<PathBuf>,
}

/// A timer unit to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// What people call it.
    pub name: String,
    /// The unit.
    pub unit: UnitName,
    /// What it does.
    pub description: Option<String>,
}

/// Somebody to tell, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The occasions, for example `failure`.
    pub on: Vec<String>,
    /// Where to post to.
    pub url: Option<String>,
    /// What to run: argv, no shell.
    pub command: Option<Vec<String>>,
}
