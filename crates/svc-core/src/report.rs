//! How a run and each of its services ended.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName, SnapshotId};
use crate::plan::Target;
use crate::restic::Counts;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The worst of its services' codes, or the signal's.
    pub code: Code,
    /// What it was typed as: `backup`, `restore` …
    pub verb: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// It died, and what it owed was done later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub crashed: bool,
    /// Each service.
    pub services: Vec<ServiceReport>,
}

impl Report {
    /// Whether it left a service otherwise than it found it.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.services.iter().any(ServiceReport::owes)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// How a service of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// Which.
    pub service: ServiceName,
    /// The worst of its failures' codes.
    pub code: Code,
    /// Why nothing was done, although nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What failed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Its new snapshots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotReport>,
    /// The repositories that were to get a snapshot and got none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsaved: Vec<UnsavedReport>,
    /// Snapshots that its policy let go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<SnapshotId>,
    /// The snapshot that it was restored from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<SnapshotId>,
    /// Directories that hold the replaced data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<PathBuf>,
    /// What ran before, was stopped, and does not run again: who recovers the run starts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<Target>,
    /// How long it was down, in milliseconds; nothing: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_ms: Option<u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl ServiceReport {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            code: Code::Ok,
            skipped: None,
            failures: Vec::new(),
            snapshots: Vec::new(),
            unsaved: Vec::new(),
            forgotten: Vec::new(),
            restored: None,
            kept: Vec::new(),
            down: Vec::new(),
            downtime_ms: None,
            took_ms: 0,
        }
    }

    /// Whether the run left the service otherwise than it found it: there is something left to do.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.code == Code::NotResumed || !self.down.is_empty()
    }
}

/// A repository that got no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsavedReport {
    /// Which.
    pub repository: RepositoryName,
    /// Why.
    pub code: Code,
}

/// A snapshot that a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReport {
    /// Where.
    pub repository: RepositoryName,
    /// Its id.
    pub id: SnapshotId,
    /// `ok`: it is good. Anything else: it exists, but is not counted on.
    pub code: Code,
    /// What it holds.
    pub counts: Counts,
    /// Bytes it added to the repository.
    pub added: u64,
    /// How long restic took, in milliseconds.
    pub took_ms: u64,
}
