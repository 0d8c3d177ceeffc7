//! Data that holds still while the service runs on: read-only snapshots and reflink copies, and how restic sees them
//! at their original paths.

mod attributes;
mod btrfs;
pub mod fake;
mod ground;
mod host;
mod namespace;
mod reflink;
mod tool;
mod traces;
mod zfs;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use host::HostFreezer;
pub use namespace::{NamespaceError, enter};

use crate::restic::Counts;

/// Names of freeze copies begin so; nothing else is ever removed, and no backup holds it.
pub(crate) const FROZEN_PREFIX: &str = ".svc-frozen-";

/// What takes and removes copies: the host, or a fake.
#[async_trait]
pub trait Freezer: Send + Sync {
    /// What a source consists of, and how each part of it could be frozen. Changes nothing.
    async fn look(&self, source: &Ground) -> Vec<Part>;

    /// Makes what was written to the file systems of these paths durable, so that freezing them takes no time.
    async fn sync(&self, paths: &[PathBuf]) -> Result<(), FreezeError>;

    /// Takes a copy, in a new directory that only root can look into.
    async fn freeze(&self, wanted: &Wanted<'_>, cancel: &CancellationToken) -> Result<Traces, FreezeError>;

    /// What lies on a file system of its own below the wanted parts and is in no copy. Asked when the service runs again:
    /// all that a copy lacks is there by then, too.
    async fn left_out(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, FreezeError>;

    /// Whether sizes and times tell of each change since then of what restic reads there.
    async fn traces(&self, binds: &[Bind], since: Option<Timestamp>, cancel: &CancellationToken) -> Traces;

    /// Removes a copy; one that is not there, or only in part, is fine.
    async fn remove(&self, copy: &FrozenCopy) -> Result<(), FreezeError>;

    /// What is mounted strictly below a path now.
    async fn mounts_below(&self, path: &Path) -> Vec<PathBuf>;
}

/// A source, and where a copy of it may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The source.
    pub path: PathBuf,
    /// It is a Docker volume: nothing may lie beside its directory.
    pub is_volume: bool,
    /// svc's own directory for copies, taken where it is on the same file system.
    pub own: PathBuf,
}

/// A part of a source that lies on one file system: the source itself, a mount below it, or a nested subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is seen.
    pub path: PathBuf,
    /// How it can be frozen, or why it cannot be.
    pub means: Result<Means, String>,
    /// What it holds; nothing: much, or nobody counted.
    pub size: Option<Counts>,
}

/// How a part can be frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Means {
    /// By what.
    pub how: How,
    /// What is copied: the part itself, or the subvolume or dataset that it is in.
    pub from: PathBuf,
    /// The directory that takes the directory of the copies; nothing for a copy that has a place of its own.
    pub place: PathBuf,
}

/// By what a copy is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// A read-only snapshot of a btrfs subvolume.
    Btrfs,
    /// Each file shares its blocks with the original until one of them changes.
    Reflink,
    /// A snapshot of this ZFS dataset, seen in its `.zfs` directory.
    Zfs(String),
    /// A read-only clone of a snapshot of this ZFS dataset, mounted where the copy lies: the dataset shows no snapshots.
    ZfsClone(String),
}

impl How {
    /// What it is, for people.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Btrfs => "btrfs snapshot",
            Self::Reflink => "reflink copy",
            Self::Zfs(_) => "ZFS snapshot",
            Self::ZfsClone(_) => "ZFS clone",
        }
    }

    /// Whether it says all about what is copied: a dataset is the same wherever it is mounted.
    pub(crate) const fn names_all(&self) -> bool {
        matches!(self, Self::Zfs(_) | Self::ZfsClone(_))
    }
}

/// A copy and what it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrozenCopy {
    /// By what it is made.
    pub how: How,
    /// What is copied.
    pub from: PathBuf,
    /// The copy, which must not be there yet.
    pub to: PathBuf,
}

/// A copy that is to be taken, and what has to be known for that.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The copy.
    pub copy: &'a FrozenCopy,
    /// Where all parts of the plan are seen: what lies on a file system of its own below the copy's and is none of them
    /// would be missing.
    pub parts: &'a [PathBuf],
    /// All that had changed by then is in the snapshots that restic compares with; nothing: nobody knows.
    pub since: Option<Timestamp>,
}

/// Whether times and sizes tell of each change of a copy's files. More cannot be compared: those of a reflink copy have
/// inodes and times of change of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traces {
    /// They do.
    Plain,
    /// Nobody knows since when.
    Unknown,
    /// A file may have other content and look as before; why, as a sentence.
    Hidden(String),
}

/// A part of a copy, and where restic sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bind {
    /// In the copy.
    pub from: PathBuf,
    /// The original path.
    pub to: PathBuf,
}

/// Freezing went wrong.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The file system refused something.
    #[error("`{}` could not be {doing}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What was being done: a past participle.
        doing: &'static str,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// A program of the file system failed.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// It took too long.
    #[error("`{}` was not frozen within {seconds} s", path.display())]
    Deadline {
        /// What.
        path: PathBuf,
        /// How long that is.
        seconds: u64,
    },
    /// A file system or subvolume that the plan does not know lies below what is copied.
    #[error("`{}` lies on a file system or subvolume of its own, and the plan does not know of it", path.display())]
    Unplanned {
        /// Where.
        path: PathBuf,
    },
    /// It was cancelled.
    #[error("freezing was cancelled")]
    Cancelled,
    /// What is to be removed is no copy of svc's.
    #[error("`{}` is no copy of svc's and is not removed", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
    },
}

/// Whether a copy is one that svc named. A ZFS snapshot's name may not begin with a dot.
fn is_own(copy: &FrozenCopy) -> bool {
    match &copy.how {
        How::Btrfs | How::Reflink | How::ZfsClone(_) => copy.to.parent().is_some_and(has_own_name),
        How::Zfs(_) => name(&copy.to).starts_with(FROZEN_PREFIX.trim_start_matches('.')),
    }
}

/// Whether it is a directory of copies.
fn has_own_name(path: &Path) -> bool {
    name(path).starts_with(FROZEN_PREFIX)
}

/// Whether a copy, svc's or some snapshot of ZFS, is mounted there: it is seen for a while only, and nobody's data.
fn is_copy_mount(point: &Path) -> bool {
    point.ancestors().any(|above| has_own_name(above) || above.ends_with(".zfs/snapshot"))
}

/// The top of the copy that a path lies in: a directory of copies may itself lie below others' data.
fn top_of_copy(path: &Path) -> Option<&Path> {
    let is_top = |path: &&Path| {
        let is_snapshot = name(path).starts_with(FROZEN_PREFIX.trim_start_matches('.'));
        is_snapshot || path.parent().is_some_and(has_own_name)
    };
    path.ancestors().filter(is_top).last()
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
