//! The steps that plans are made of.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HookKind, HookStep, Target};
use crate::config::Policy;
use crate::failure::Failure;
use crate::freeze::{Bind, FrozenCopy};
use crate::names::{RepositoryName, SnapshotId};
use crate::restic::Counts;
use crate::retention::{Judged, Owner};

/// A step, when it runs, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// What is done.
    #[serde(flatten)]
    pub step: Step,
    /// When it runs.
    #[serde(default, skip_serializing_if = "When::is_normal")]
    pub when: When,
    /// Why it is there, for people.
    pub reason: String,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// As long as nothing failed and nobody cancelled.
    #[default]
    Normal,
    /// In any case: it pays back what an earlier step owes.
    Always,
    /// Only after a failure or a cancel.
    OnFailure,
}

impl When {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    const fn is_normal(&self) -> bool {
        matches!(self, Self::Normal)
    }
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Step {
    /// Looks once more that every source is there, and that every dump holds something.
    CheckSources {
        /// Absolute paths.
        sources: Vec<PathBuf>,
        /// Files, or directories of files, that `pre` hooks have written by now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dumps: Vec<PathBuf>,
    },
    /// Writes down what the service is made of, as one of the sources.
    WriteManifest {
        /// The file.
        path: PathBuf,
    },
    /// Writes down, durably, what of the service runs; refuses when more runs than was planned for.
    RecordPrior {
        /// What was seen running.
        running: Vec<Target>,
    },
    /// Stops these at once, all of which run.
    Stop {
        /// Which.
        targets: Vec<Target>,
    },
    /// Runs a hook.
    Hook(HookStep),
    /// Holds these where they are, without ending them.
    Pause {
        /// Which.
        targets: Vec<Target>,
    },
    /// Lets those of these go on that an earlier step stopped or holds.
    Resume {
        /// Which.
        targets: Vec<Target>,
    },
    /// Starts these at once.
    Start {
        /// Which.
        targets: Vec<Target>,
    },
    /// Restarts these units by one job each.
    Restart {
        /// Which.
        targets: Vec<Target>,
    },
    /// Waits until these run and are as healthy as their own checks ask.
    AwaitHealth {
        /// Which.
        targets: Vec<Target>,
        /// How long at most.
        timeout: Duration,
    },
    /// Makes durable what was written to the sources, while the service still runs.
    SyncSources {
        /// Absolute paths.
        paths: Vec<PathBuf>,
    },
    /// Takes copies of the sources that hold still.
    Freeze(FreezeStep),
    /// Removes the copies.
    DropFreeze {
        /// Which.
        copies: Vec<FrozenCopy>,
    },
    /// Saves a snapshot.
    Backup(BackupStep),
    /// Forgets what was saved only to shorten the stop, and what earlier runs left of that.
    ForgetHot {
        /// Where, and what earlier runs left there.
        left: Vec<HotLeft>,
    },
    /// Writes a snapshot's data beside the live one.
    Stage(StageStep),
    /// Looks that the stage holds all that the snapshot holds, and makes it durable.
    VerifyStage(StageStep),
    /// Puts the staged trees in the place of the live ones: all, or none.
    Exchange {
        /// Which for which.
        pairs: Vec<ExchangePair>,
    },
    /// If trees were exchanged: stops the service, puts the old trees back, starts it.
    Revert {
        /// Which for which.
        pairs: Vec<ExchangePair>,
        /// What has to be off meanwhile, in order.
        stop: Vec<Vec<Target>>,
        /// What ran before, in order.
        start: Vec<Vec<Target>>,
    },
    /// Has those snapshots of the service removed that its policy does not keep.
    Forget(Box<ForgetStep>),
    /// Removes a stage of which nothing is needed any more.
    DropStage {
        /// Its directory.
        stage: PathBuf,
    },
}

/// One `restic backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStep {
    /// Where to.
    pub repository: RepositoryName,
    /// Absolute paths, the manifest among them.
    pub sources: Vec<PathBuf>,
    /// Its tags.
    pub tags: Vec<String>,
    /// restic's exclude patterns.
    pub exclude: Vec<String>,
    /// The host it is filed under.
    pub host: String,
    /// The last snapshot of the service: what restic compares with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SnapshotId>,
    /// What that one holds: what the result is judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Counts>,
    /// Fewer files than this is a failure.
    pub min_files: u64,
    /// Losing more than this is a failure. Percent.
    pub max_shrink_percent: u8,
    /// When to give up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Frozen copies that are read in the place of the sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Bind>,
    /// Some of the copies have inodes and change times of their own, so that those of no file are compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_inode: bool,
    /// Whether it is all, or a part of two.
    #[serde(default, skip_serializing_if = "Pass::is_only")]
    pub pass: Pass,
}

/// How often the sources are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pass {
    /// Once.
    #[default]
    Only,
    /// First while the service runs: never a good snapshot, and forgotten afterwards.
    Hot,
    /// Then quiesced: only what has changed since the hot pass.
    Cold,
}

impl Pass {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    const fn is_only(&self) -> bool {
        matches!(self, Self::Only)
    }
}

/// What is frozen, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeStep {
    /// The copies.
    pub copies: Vec<FrozenCopy>,
    /// Which part of which copy is read in whose place; those above come first.
    pub binds: Vec<Bind>,
}

impl FreezeStep {
    /// By what it freezes, in words.
    #[must_use]
    pub fn means(&self) -> String {
        let mut words: Vec<&str> = self.copies.iter().map(|copy| copy.how.words()).collect();
        words.dedup();
        words.join(" and ")
    }
}

/// Hot snapshots that earlier runs left in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotLeft {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub snapshots: Vec<SnapshotId>,
}

/// What is forgotten of one service in one repository. restic weighs once more; what it removes then and is not among
/// these stays for the next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgetStep {
    /// Where.
    pub repository: RepositoryName,
    /// Whose.
    pub owner: Owner,
    /// The tags that find the service's snapshots and no others.
    pub tags: Vec<String>,
    /// What is kept.
    pub policy: Policy,
    /// These go.
    pub forget: Vec<Judged>,
    /// These stay, each with its reasons.
    pub keep: Vec<Judged>,
    /// These are perhaps the service's, and are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Judged>,
    /// Why nothing goes, known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Failure>,
}

/// One stage: the part of a snapshot that goes to one file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageStep {
    /// Where from.
    pub repository: RepositoryName,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// The new directory that takes it, on the file system of the targets.
    pub stage: PathBuf,
    /// Which paths of the snapshot.
    pub include: Vec<PathBuf>,
    /// What they hold, as the repository says.
    pub counts: Counts,
}

/// A staged tree and the place it goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangePair {
    /// The live path; may be missing.
    pub live: PathBuf,
    /// The staged one, on the same file system.
    pub staged: PathBuf,
}

impl Step {
    /// Whether the world changes: such a step is on disk in the run log before it begins.
    #[must_use]
    pub const fn has_side_effect(&self) -> bool {
        match self {
            Self::CheckSources { .. }
            | Self::RecordPrior { .. }
            | Self::AwaitHealth { .. }
            | Self::SyncSources { .. }
            | Self::VerifyStage(_) => false,
            Self::WriteManifest { .. }
            | Self::Stop { .. }
            | Self::Hook(_)
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Start { .. }
            | Self::Restart { .. }
            | Self::Freeze(_)
            | Self::DropFreeze { .. }
            | Self::Backup(_)
            | Self::ForgetHot { .. }
            | Self::Stage(_)
            | Self::Exchange { .. }
            | Self::Revert { .. }
            | Self::Forget(_)
            | Self::DropStage { .. } => true,
        }
    }

    /// What it stops, holds or starts.
    pub(crate) fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Stop { targets }
            | Self::Pause { targets }
            | Self::Resume { targets }
            | Self::Start { targets }
            | Self::Restart { targets } => targets.iter().collect(),
            Self::Revert { stop, start, .. } => stop.iter().chain(start).flatten().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the rest of the plan makes no sense once it failed.
    #[must_use]
    pub(crate) const fn ends_the_rest(&self) -> bool {
        match self {
            // One repository's failure does not keep the next one from its snapshot.
            Self::Backup(_)
            | Self::Forget(_)
            | Self::DropStage { .. }
            | Self::DropFreeze { .. }
            | Self::ForgetHot { .. } => false,
            Self::Hook(hook) => matches!(hook.kind, HookKind::Pre),
            _ => true,
        }
    }

    /// What it is doing, for people: a word in the present participle.
    #[must_use]
    pub const fn phase(&self) -> &'static str {
        match self {
            Self::CheckSources { .. } => "checking",
            Self::WriteManifest { .. } | Self::RecordPrior { .. } => "noting",
            Self::Stop { .. } => "stopping",
            Self::Hook(_) => "running a hook",
            Self::Pause { .. } => "pausing",
            Self::Resume { .. } | Self::Start { .. } => "starting",
            Self::Restart { .. } => "restarting",
            Self::AwaitHealth { .. } => "waiting for health",
            Self::SyncSources { .. } => "syncing",
            Self::Freeze(_) => "freezing",
            Self::Backup(_) => "backing up",
            Self::Stage(_) => "staging",
            Self::VerifyStage(_) => "verifying",
            Self::Exchange { .. } => "exchanging",
            Self::Revert { .. } => "putting back",
            Self::Forget(_) => "forgetting",
            Self::DropStage { .. } | Self::DropFreeze { .. } | Self::ForgetHot { .. } => "cleaning up",
        }
    }
}
