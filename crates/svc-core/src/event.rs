//! What a run tells: one stream of events, on disk and to every renderer. No presentation in it.

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::Tree;
use crate::failure::Failure;
use crate::names::{RepositoryName, RunId, ServiceName, SnapshotId};
use crate::plan::{HookKind, Plan, Step, Target};
use crate::prior::Prior;
use crate::report::{Report, ServiceReport, SnapshotReport};
use crate::restic::Progress;

/// One event, numbered and dated by the recorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number in the run, from 0, without gaps.
    pub seq: u64,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Body {
    /// The run began.
    RunStarted {
        /// svc's version.
        version: String,
        /// The process that runs it.
        pid: u32,
        /// What it will do.
        plan: Plan,
    },
    /// The run had died, and another process does what it owed.
    Recovering {
        /// svc's version.
        version: String,
        /// The process that does it.
        pid: u32,
    },
    /// Work on a service began.
    ServiceStarted {
        /// Which.
        service: ServiceName,
    },
    /// A step is about to begin; on disk before it does if it changes the world.
    StepStarted {
        /// Of which service.
        service: ServiceName,
        /// Its place in the service's plan.
        index: usize,
        /// What it does.
        step: Step,
    },
    /// A step ended.
    StepFinished {
        /// Of which service.
        service: ServiceName,
        /// Its place in the service's plan.
        index: usize,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// Why it failed; nothing: it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// What of the service runs and is to run again.
    PriorState {
        /// Which service.
        service: ServiceName,
        /// What was seen.
        #[serde(flatten)]
        prior: Prior,
    },
    /// A target is down.
    Stopped {
        /// Of which service.
        service: ServiceName,
        /// Which.
        target: Target,
    },
    /// A target is up.
    Started {
        /// Of which service.
        service: ServiceName,
        /// Which.
        target: Target,
    },
    /// Trees are about to change places: from here on all of them will, also when the run dies.
    Exchanging {
        /// Of which service.
        service: ServiceName,
        /// Which, and what lies where.
        trees: Vec<Tree>,
    },
    /// The trees changed places.
    Exchanged {
        /// Of which service.
        service: ServiceName,
    },
    /// Trees that changed places are about to go back: from here on all of them will, also when the run dies.
    PuttingBack {
        /// Of which service.
        service: ServiceName,
    },
    /// The old trees are back in their places.
    PutBack {
        /// Of which service.
        service: ServiceName,
    },
    /// Some of the old trees could not be put back: the service must stay off.
    Mixed {
        /// Of which service.
        service: ServiceName,
        /// The live paths that hold new data.
        stuck: Vec<PathBuf>,
    },
    /// How far restic is; at most two a second are on disk.
    Progress {
        /// Of which service.
        service: ServiceName,
        /// With which repository.
        repository: RepositoryName,
        /// The figures.
        progress: Progress,
    },
    /// A snapshot exists.
    SnapshotSaved {
        /// Of which service.
        service: ServiceName,
        /// Which, and how good.
        snapshot: SnapshotReport,
    },
    /// These snapshots are gone.
    Forgotten {
        /// Of which service.
        service: ServiceName,
        /// Where.
        repository: RepositoryName,
        /// Which.
        snapshots: Vec<SnapshotId>,
    },
    /// A process of restic was started that locks a repository: if it dies, this proves whose lock it leaves.
    ResticStarted {
        /// Which repository.
        repository: RepositoryName,
        /// The process.
        pid: u32,
        /// When it was started, in ticks after the machine: another process may get its id. Nothing: not known.
        #[serde(default)]
        born: Option<u64>,
    },
    /// A snapshot exists that only shortens the stop: it is forgotten before the run ends.
    HotSaved {
        /// Of which service.
        service: ServiceName,
        /// Where.
        repository: RepositoryName,
        /// Which.
        snapshot: SnapshotId,
        /// How long restic took, in milliseconds.
        took_ms: u64,
    },
    /// Old trees lie here until they are let go.
    TreesKept {
        /// Of which service.
        service: ServiceName,
        /// The directories that hold them.
        stages: Vec<PathBuf>,
    },
    /// What a hook wrote: its last lines.
    HookOutput {
        /// Of which service.
        service: ServiceName,
        /// Which kind of hook.
        kind: HookKind,
        /// Its program.
        label: String,
        /// What it wrote.
        lines: Vec<String>,
    },
    /// Something worth knowing that is no failure.
    Note {
        /// Of which service.
        service: Option<ServiceName>,
        /// What.
        text: String,
    },
    /// Somebody asked the run to end.
    CancelRequested {
        /// What asked: `SIGINT`, `SIGTERM`, `svc cancel`.
        by: String,
    },
    /// Work on a service ended.
    ServiceFinished {
        /// How.
        report: ServiceReport,
    },
    /// The run ended.
    RunFinished {
        /// How.
        report: Report,
    },
}

impl Body {
    /// The service it is about.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::ServiceStarted { service }
            | Self::StepStarted { service, .. }
            | Self::StepFinished { service, .. }
            | Self::PriorState { service, .. }
            | Self::Stopped { service, .. }
            | Self::Started { service, .. }
            | Self::Exchanging { service, .. }
            | Self::Exchanged { service }
            | Self::PuttingBack { service }
            | Self::PutBack { service }
            | Self::Mixed { service, .. }
            | Self::Progress { service, .. }
            | Self::SnapshotSaved { service, .. }
            | Self::Forgotten { service, .. }
            | Self::HotSaved { service, .. }
            | Self::HookOutput { service, .. }
            | Self::TreesKept { service, .. } => Some(service),
            Self::ServiceFinished { report } => Some(&report.service),
            Self::Note { service, .. } => service.as_ref(),
            Self::RunStarted { .. }
            | Self::Recovering { .. }
            | Self::ResticStarted { .. }
            | Self::CancelRequested { .. }
            | Self::RunFinished { .. } => None,
        }
    }

    /// Whether it must be on disk before anything else happens.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        match self {
            Self::StepStarted { step, .. } => step.has_side_effect(),
            Self::RunStarted { .. }
            | Self::Recovering { .. }
            | Self::PriorState { .. }
            | Self::Exchanging { .. }
            | Self::Exchanged { .. }
            | Self::PuttingBack { .. }
            | Self::PutBack { .. }
            | Self::Mixed { .. }
            | Self::ResticStarted { .. }
            | Self::RunFinished { .. } => true,
            Self::ServiceStarted { .. }
            | Self::StepFinished { .. }
            | Self::Stopped { .. }
            | Self::Started { .. }
            | Self::Progress { .. }
            | Self::SnapshotSaved { .. }
            | Self::Forgotten { .. }
            | Self::HotSaved { .. }
            | Self::TreesKept { .. }
            | Self::HookOutput { .. }
            | Self::Note { .. }
            | Self::CancelRequested { .. }
            | Self::ServiceFinished { .. } => false,
        }
    }
}
