//! How a service is restored.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::names::{RepositoryName, UnitName, VolumeName};

/// The restore part of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// The tag that snapshots from before svc carry.
    pub tag: Option<String>,
    /// Docker volumes, by name.
    pub volumes: Vec<VolumeName>,
    /// Absolute paths.
    pub paths: Vec<PathBuf>,
    /// Whether the service is stopped meanwhile.
    pub stop_compose: bool,
    /// The unit that brings the compose project up.
    pub compose_unit: Option<UnitName>,
    /// Where the snapshot's `/` goes.
    pub target: PathBuf,
    /// How a new machine is filled.
    pub preseed: Preseed,
    /// Commands that must succeed on restored data: argv each, no shell.
    pub verify: Vec<Vec<String>>,
}

/// How a new machine is filled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preseed {
    /// Repositories to try, in order.
    pub repositories: Vec<RepositoryName>,
    /// Whether starting with nothing is right.
    pub allow_empty: bool,
}
