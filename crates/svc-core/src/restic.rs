//! restic: its verbs, its answers and its codes, in our words. One trait, the subprocess behind it or a fake.

mod access;
mod backup;
mod capture;
mod care;
mod contents;
mod error;
pub mod fake;
mod forget;
mod helper;
mod installed;
mod leash;
mod limits;
mod listing;
mod locks;
mod message;
mod mount;
mod open;
mod outcome;
mod pattern;
mod process;
mod program;
mod redact;
mod repository;
mod restore;
mod secret;
mod stall;
mod stderr;
mod verb;
mod version_note;

pub use access::RepositoryAccess;
pub(crate) use access::directory;
pub use error::{ResticError, ResticFailure};
pub(crate) use forget::is_locked;
pub use installed::MINIMUM_VERSION;
pub(crate) use open::PASSWORD_FILE;
pub use open::{SecretWarning, open};
pub use program::{ResticProgram, ResticSettings};
pub use redact::Redactor;
pub use secret::Secret;
pub use verb::Verb;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Policy;
use crate::freeze::Bind;
use crate::names::{RepositoryName, SnapshotId};

/// restic, for the repositories of one configuration. No call asks for a password or waits for ever.
#[async_trait]
pub trait Restic: Send + Sync {
    /// Finds restic and its version; asked once, then remembered.
    ///
    /// # Errors
    /// `Missing` when there is none, `TooOld` below the version that svc needs.
    async fn version(&self) -> Result<String, ResticError>;

    /// The id of the repository, from its `config`: proves that it is there and that the password is right.
    async fn repository_id(&self, repository: &RepositoryName) -> Result<String, ResticError>;

    /// Makes the repository.
    async fn init(&self, repository: &RepositoryName) -> Result<String, ResticError>;

    /// Every snapshot in it, oldest first, without taking a lock.
    async fn snapshots(&self, repository: &RepositoryName) -> Result<Vec<Snapshot>, ResticError>;

    /// Saves files. The latest figures go to `progress`; `cancel` ends restic in good order.
    async fn backup(
        &self,
        repository: &RepositoryName,
        request: &BackupRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<BackupSummary, ResticError>;

    /// What a snapshot holds at and below each of these paths, in the same order; nothing for one it does not hold.
    async fn contents(
        &self,
        repository: &RepositoryName,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
    ) -> Result<Vec<Option<Counts>>, ResticError>;

    /// Writes these paths of a snapshot, with their parents, below a new empty directory.
    async fn restore(
        &self,
        repository: &RepositoryName,
        request: &RestoreRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError>;

    /// The same as [`Restic::repository_id`], with a lock of its own taken for a moment: proves also that nobody works there
    /// alone, and that something can be written: of what is to be saved, a little at least.
    async fn knock(&self, repository: &RepositoryName, purpose: Purpose) -> Result<String, ResticError>;

    /// What a policy makes of the snapshots of this host that carry any of these tags, taken together; newest first. Takes no
    /// lock and removes nothing.
    async fn forget_preview(
        &self,
        repository: &RepositoryName,
        question: &ForgetQuestion,
    ) -> Result<Vec<Weighed>, ResticError>;

    /// Removes exactly these snapshots from the list; their data goes with the next prune. None: nothing is done. One that is
    /// gone already is no error.
    async fn forget(&self, repository: &RepositoryName, ids: &[SnapshotId]) -> Result<(), ResticError>;

    /// Looks whether the repository is sound; with a subset also whether every byte in that part can be read.
    async fn check(
        &self,
        repository: &RepositoryName,
        subset: Option<Subset>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError>;

    /// Removes data that no snapshot needs; gives restic's own words about it.
    async fn prune(
        &self,
        repository: &RepositoryName,
        cancel: &CancellationToken,
    ) -> Result<String, ResticError>;

    /// Has restic remove the locks that it takes for stale. It sends SIGHUP to the process in a lock of this host that is
    /// younger than half an hour: only to be called when [`crate::holder`] says so.
    async fn unlock(&self, repository: &RepositoryName) -> Result<(), ResticError>;

    /// The locks that are there, without taking one.
    async fn locks(&self, repository: &RepositoryName) -> Result<Vec<Lock>, ResticError>;

    /// How much lies in the repository.
    async fn stats(&self, repository: &RepositoryName) -> Result<Stats, ResticError>;

    /// Tells each process that is about to lock a repository, right after it was started; nothing: there are no processes.
    fn starts(&self) -> Option<broadcast::Receiver<Started>> {
        None
    }
}

/// What somebody who knocks is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Save: that takes room.
    Save,
    /// Remove snapshots: that is how room is made.
    Forget,
}

/// A process of restic that locks a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Which repository.
    pub repository: RepositoryName,
    /// The process: restic writes its id into the lock.
    pub pid: u32,
    /// When it was started, in ticks after the machine; nothing: that cannot be known.
    pub born: Option<u64>,
}

/// Which snapshots a policy is to weigh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetQuestion {
    /// They carry any of these.
    pub tags: Vec<String>,
    /// They are filed under this one.
    pub host: String,
    /// The policy.
    pub policy: Policy,
}

/// A snapshot and what a policy makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Why it is kept, in restic's words; none: it would be removed.
    pub reasons: Vec<String>,
}

/// One of several parts into which a repository's packs fall by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subset {
    /// Which, from 1.
    pub part: u32,
    /// Of how many.
    pub of: u32,
}

/// A lock in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// When it was made or last refreshed: restic does so every five minutes.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Whether nobody may work beside it.
    #[serde(default)]
    pub exclusive: bool,
    /// The host of its process.
    #[serde(rename(deserialize = "hostname"), default)]
    pub host: String,
    /// The process.
    #[serde(default)]
    pub pid: u32,
}

/// How much lies in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Bytes as they are stored.
    #[serde(rename(deserialize = "total_size"), default)]
    pub stored_bytes: u64,
    /// The same before compression.
    #[serde(rename(deserialize = "total_uncompressed_size"), default)]
    pub uncompressed_bytes: u64,
    /// Snapshots.
    #[serde(rename(deserialize = "snapshots_count"), default)]
    pub snapshots: u64,
}

/// What one `restic backup` saves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupRequest {
    /// Absolute paths, all of which exist.
    pub sources: Vec<PathBuf>,
    /// Tags of the snapshot.
    pub tags: Vec<String>,
    /// restic's exclude patterns.
    pub exclude: Vec<String>,
    /// The host it is filed under.
    pub host: String,
    /// The snapshot to compare with; nothing: restic chooses.
    pub parent: Option<SnapshotId>,
    /// Frozen copies that it reads in the place of the sources, those above first.
    pub binds: Vec<Bind>,
    /// Inodes and change times are not compared, for some of the copies have their own.
    pub ignore_inode: bool,
    /// Nobody waits for an estimate of how much there is.
    pub no_scan: bool,
    /// The service is down or held until it ends: it does not step back for others.
    pub is_waited_for: bool,
}

/// What one `restic restore` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Absolute paths in it.
    pub include: Vec<PathBuf>,
    /// Where its `/` goes.
    pub target: PathBuf,
}

/// A snapshot as restic lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Its full id.
    pub id: SnapshotId,
    /// When it was made.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// The host it is filed under.
    pub host: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it holds.
    pub paths: Vec<PathBuf>,
    /// Files and bytes; nothing for one made before restic 0.17.
    pub counts: Option<Counts>,
    /// Where its clock stood: restic counts days by it.
    #[serde(skip, default = "utc")]
    pub offset: Offset,
}

impl Snapshot {
    /// When it was made, as a clock on the wall said then.
    #[must_use]
    pub fn wall_clock(&self) -> DateTime {
        self.offset.to_datetime(self.time)
    }

    /// Whether it carries a tag.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|have| have == tag)
    }

    /// Whether a path is one of those it holds, or below one.
    #[must_use]
    pub fn covers(&self, path: &Path) -> bool {
        self.paths.iter().any(|root| path.starts_with(root))
    }
}

const fn utc() -> Offset {
    Offset::UTC
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Files.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
}

/// How far restic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Done so far.
    pub done: Counts,
    /// In all; nothing until restic knows it.
    pub total: Option<Counts>,
}

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// The snapshot: present also when something was unreadable.
    pub snapshot: SnapshotId,
    /// What it holds.
    pub counts: Counts,
    /// Bytes that were new to the repository, as stored.
    pub added: u64,
    /// New and changed files.
    pub changed_files: u64,
    /// What could not be read, at most 100 lines. Empty: everything was.
    pub unreadable: Vec<String>,
    /// The snapshot is there, but restic ended with 3 or passed over a source that was gone (0.18 ends with 0 then).
    pub partial: bool,
}
