//! How a service is backed up.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Hooks, Period};
use crate::names::{RepositoryName, VolumeName};

/// The backup part of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Whether it is backed up at all.
    pub enable: bool,
    /// Docker volumes, by name.
    pub volumes: Vec<VolumeName>,
    /// Absolute paths.
    pub paths: Vec<PathBuf>,
    /// Tags of its snapshots, besides `svc:<name>`.
    pub tags: Vec<String>,
    /// restic's exclude patterns.
    pub exclude: Vec<String>,
    /// Which snapshots are kept; nothing: all.
    pub policy: Option<Policy>,
    /// Where it goes; every repository unless set.
    pub repositories: Vec<RepositoryName>,
    /// What is done to the service meanwhile.
    pub quiesce: Quiesce,
    /// Whether a frozen copy is read.
    pub freeze: Freeze,
    /// What runs before and after.
    pub hooks: Hooks,
    /// Database dumps that belong to its sources.
    pub dumps: Vec<PathBuf>,
    /// When to give up.
    pub timeout: Option<Period>,
    /// When the last good snapshot is too old; the repository's unless set.
    pub max_age: Option<Period>,
    /// Fewer files than this is a failed backup.
    pub min_files: u64,
    /// A snapshot that lost more than this of its files or bytes is a failed backup. Percent.
    pub max_shrink_percent: u8,
}

/// Which snapshots are kept: restic's `--keep-*` counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The last n.
    pub last: Option<u32>,
    /// One per hour, n of them.
    pub hourly: Option<u32>,
    /// One per day, n of them.
    pub daily: Option<u32>,
    /// One per week, n of them.
    pub weekly: Option<u32>,
    /// One per month, n of them.
    pub monthly: Option<u32>,
    /// One per year, n of them.
    pub yearly: Option<u32>,
}

/// What is done to a service while its data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Quiesce {
    /// Nothing.
    None,
    /// It is paused.
    Pause,
    /// It is stopped.
    Stop,
}

/// Whether restic reads a frozen copy instead of the live data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Freeze {
    /// Where it pays.
    Auto,
    /// Never.
    Never,
    /// Always; refused where it cannot be.
    Require,
}
