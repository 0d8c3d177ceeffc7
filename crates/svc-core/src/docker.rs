//! Docker: its containers and volumes, in our words. One trait, the real engine behind it or a fake.

#[cfg(any(test, feature = "testing"))]
pub mod fake;

mod engine;
mod labels;
mod reading;
mod refusal;
mod socket;
mod stream;
mod written;

pub use engine::Engine;
pub use written::{Happening, HappeningKind, Happenings, LogQuery, OutputStream, Writing, Written};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::VolumeName;

/// The Docker (or Podman) engine. Every call has a deadline of its own; none waits for ever,
/// but a log and what happens may go on as long as somebody reads.
#[async_trait]
pub trait Docker: Send + Sync {
    /// All containers, running or not: one request.
    async fn containers(&self) -> Result<Vec<Container>, DockerError>;

    /// All volumes: one request.
    async fn volumes(&self) -> Result<Vec<Volume>, DockerError>;

    /// One container's details, by id or name.
    async fn inspect(&self, container: &str) -> Result<ContainerDetails, DockerError>;

    /// Stops a container and waits until it has exited, at most its own stop timeout and 10 s more. An already
    /// stopped one is fine.
    async fn stop(&self, container: &str) -> Result<(), DockerError>;

    /// Starts a container. An already running one is fine.
    async fn start(&self, container: &str) -> Result<(), DockerError>;

    /// Freezes a container's processes. An already paused one is fine.
    async fn pause(&self, container: &str) -> Result<(), DockerError>;

    /// Lets a paused container go on. One that is not paused is fine.
    async fn unpause(&self, container: &str) -> Result<(), DockerError>;

    /// What a container has written. Dropping the answer ends it.
    async fn logs(&self, container: &str, query: LogQuery) -> Result<Writing, DockerError>;

    /// Starts and removals of containers from now on. Dropping the answer ends it.
    async fn happenings(&self) -> Result<Happenings, DockerError>;
}

/// A container as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its full id; changes when it is recreated.
    pub id: String,
    /// Its name, without the leading `/`.
    pub name: String,
    /// Its image, as it was asked for.
    pub image: String,
    /// What it is doing.
    pub state: ContainerState,
    /// What its health check says; nothing: it has none, or does not run.
    pub health: Option<ContainerHealth>,
    /// How it ended, if it has.
    pub exit_code: Option<i64>,
    /// Its place in a compose project.
    pub compose: Option<ComposeLabels>,
    /// The engine's own words: `Up 2 hours (healthy)`.
    pub status_text: String,
    /// How long it has been so, as roughly as the engine's words say.
    pub lasts: Option<Duration>,
    /// Names of the volumes it mounts.
    pub volumes: Vec<String>,
    /// The unit that keeps it, as podman notes on it.
    pub unit: Option<String>,
}

/// A container's place in a compose project, from its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposeLabels {
    /// The project.
    pub project: String,
    /// The service in it.
    pub service: String,
    /// Which of several containers of that service.
    pub number: u32,
    /// Compose services that start before it.
    pub depends_on: Vec<String>,
    /// Those of `depends_on` that must have *ended* well first: jobs that prepare something.
    pub awaits_end_of: Vec<String>,
    /// Made by `compose run`: not part of the running stack.
    pub oneoff: bool,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Between two starts of its restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Broken: the engine could not remove it.
    Dead,
    /// A word that svc does not know.
    Unknown,
}

impl ContainerState {
    /// Whether it has processes, paused ones too, or is between two starts.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }

    /// Whether it surely has no processes.
    #[must_use]
    pub fn is_down(self) -> bool {
        matches!(self, Self::Created | Self::Exited | Self::Dead | Self::Removing)
    }
}

/// What a container's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContainerHealth {
    /// Not decided yet.
    Starting,
    /// Good.
    Healthy,
    /// Bad.
    Unhealthy,
}

/// What the list of containers does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDetails {
    /// Its full id.
    pub id: String,
    /// What it is doing.
    pub state: ContainerState,
    /// What its health check says; nothing: it has none, or does not run.
    pub health: Option<ContainerHealth>,
    /// How it last ended.
    pub exit_code: Option<i64>,
    /// When it last started.
    pub started_at: Option<Timestamp>,
    /// How often its restart policy started it again.
    pub restarts: u32,
    /// How long a stop may take before the engine kills it; 10 min for one that is never killed.
    pub stop_timeout: Duration,
    /// The image's digest.
    pub image_id: String,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub name: VolumeName,
    /// Its driver; `local` for most.
    pub driver: String,
    /// Its driver's options: `type`, `device`, `o` for a local one that mounts something.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where the engine says its data is.
    pub mountpoint: PathBuf,
}

/// What went wrong between svc and Docker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// Nobody answers.
    #[error("Docker cannot be reached at `{socket}`: {reason}")]
    Unreachable {
        /// The socket.
        socket: String,
        /// What the connection said.
        reason: String,
    },
    /// The socket is closed to this user.
    #[error("this user may not open Docker's socket `{socket}`")]
    Denied {
        /// The socket.
        socket: String,
    },
    /// There is no such container or volume.
    #[error("Docker knows no {kind} `{name}`")]
    NotFound {
        /// `container` or `volume`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Nothing came back in time.
    #[error("Docker did not {action} within {seconds} s")]
    Deadline {
        /// What was asked.
        action: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Anything else that the engine said.
    #[error("Docker refused to {action}: {reason}")]
    Refused {
        /// What was asked.
        action: String,
        /// What it said.
        reason: String,
    },
}
