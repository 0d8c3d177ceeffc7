//! systemd: its units and jobs, in our words. One trait, the real manager behind it or a fake.

#[cfg(any(test, feature = "testing"))]
pub mod fake;

mod bus;
mod client;
mod clock;
mod glance;
mod job;
mod link;
mod listing;
mod properties;
mod refusal;
mod transient;

pub use bus::Bus;
pub use client::Client;
pub use transient::{TransientUnit, Value};

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::UnitName;

/// The service manager. Every call has a deadline of its own; none waits for ever.
#[async_trait]
pub trait Systemd: Send + Sync {
    /// The state of the manager itself.
    async fn manager_state(&self) -> Result<ManagerState, SystemdError>;

    /// The units of these names, in the same order, also those that do not exist (`LoadState::NotFound`).
    /// One round trip for any number of names.
    async fn units(&self, names: &[UnitName]) -> Result<Vec<Unit>, SystemdError>;

    /// The same for names that mostly are nobody's, all of which match one of `globs`. Of each name that `units` asks
    /// for, the manager makes a unit, if only for a moment, and tells the whole bus; this costs nothing for what is not
    /// there. One round trip, and one more where an alias is found. Of a unit that has a file, but is not in the
    /// manager's memory, it is not seen whether the file is faulty.
    async fn guessed(&self, names: &[UnitName], globs: &[&str]) -> Result<Vec<Unit>, SystemdError> {
        let _ = globs;
        if names.is_empty() { Ok(Vec::new()) } else { self.units(names).await }
    }

    /// What `units` does not tell, in the same order; all questions are sent before the first answer is awaited.
    async fn details(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError>;

    /// Of `details` what a list shows, in the same order: `remains_after_exit`, `frozen`, `since`, a target's
    /// members, and when a timer is due. The rest is empty. A few single questions take half the time of all properties.
    async fn glance(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError>;

    /// The units in the manager's memory whose names match a glob. One round trip.
    async fn matching(&self, glob: &str) -> Result<Vec<Unit>, SystemdError>;

    /// Asks for a job and waits for that very job to end.
    ///
    /// # Errors
    /// `JobEnded` for every result but `done` and `skipped`, `Deadline` when it takes longer than `deadline`.
    async fn run_job(&self, verb: JobVerb, unit: &UnitName, deadline: Duration) -> Result<(), SystemdError>;

    /// Makes a unit without a file, starts it, and waits for that job to end: of a oneshot unit that is its own end. What
    /// it writes goes to `output`; nothing: to the journal.
    ///
    /// # Errors
    /// As `run_job`; `Refused` when a unit of this name is there already.
    async fn start_transient(
        &self,
        unit: &TransientUnit,
        output: Option<OwnedFd>,
        deadline: Duration,
    ) -> Result<(), SystemdError>;

    /// Sends a signal to a unit's main process.
    async fn kill(&self, unit: &UnitName, signal: i32) -> Result<(), SystemdError>;

    /// Changes settings of a unit, until the next boot; only those that systemd can change while it runs, such as
    /// `MemoryMax`.
    async fn set_properties(
        &self,
        unit: &UnitName,
        properties: &[(&'static str, Value)],
    ) -> Result<(), SystemdError>;

    /// Stops a unit's processes where they are, without ending them. Only root may. A oneshot unit that remains
    /// after its exit has none, so that this succeeds and freezes nothing.
    async fn freeze(&self, unit: &UnitName) -> Result<(), SystemdError>;

    /// Lets a frozen unit go on. A frozen unit cannot be stopped: thaw it first.
    async fn thaw(&self, unit: &UnitName) -> Result<(), SystemdError>;

    /// Lets a unit be started again that failed, or was started too often in too short a time.
    async fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError>;
}

/// What the manager itself is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagerState {
    /// Booting.
    Starting,
    /// Up; `degraded` and `maintenance` count as up.
    Running,
    /// Shutting down: no start will succeed any more.
    Stopping,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobVerb {
    /// `StartUnit`.
    Start,
    /// `StopUnit`.
    Stop,
    /// `RestartUnit`.
    Restart,
}

impl fmt::Display for JobVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        })
    }
}

/// A unit as the manager lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its primary name; differs from the name asked for when that is an alias.
    pub name: UnitName,
    /// Its description.
    pub description: String,
    /// Whether its file could be read.
    pub load: LoadState,
    /// Whether it runs.
    pub active: ActiveState,
    /// The finer state, in systemd's own word: `running`, `exited`, `auto-restart`, `dead` …
    pub sub: String,
    /// Its object path on the bus.
    pub object_path: String,
}

/// Whether a unit's file could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoadState {
    /// It could.
    Loaded,
    /// There is none.
    NotFound,
    /// It is masked: nobody can start it.
    Masked,
    /// It has a fault: `bad-setting`, `error`, and what newer versions may add.
    Broken,
}

/// Whether a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActiveState {
    /// It does; for a oneshot unit that remains after its exit this proves nothing.
    Active,
    /// It does, and loads its configuration anew.
    Reloading,
    /// It does not.
    Inactive,
    /// It does not, because it failed.
    Failed,
    /// It is being started.
    Activating,
    /// It is being stopped.
    Deactivating,
}

impl fmt::Display for ActiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Reloading => "reloading",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
        })
    }
}

/// What a unit's properties tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitDetails {
    /// The unit.
    pub name: UnitName,
    /// A oneshot service with `RemainAfterExit=yes`: `active` says only that it once ran.
    pub remains_after_exit: bool,
    /// `UnitFileState`, in systemd's own word: `enabled`, `static`, `masked`; empty for none.
    pub file_state: String,
    /// How long a start may take; nothing: for ever.
    pub timeout_start: Option<Duration>,
    /// How long a stop may take; nothing: for ever.
    pub timeout_stop: Option<Duration>,
    /// Sockets, timers and paths that start it by themselves.
    pub triggered_by: Vec<UnitName>,
    /// The last result of a service in systemd's own word: `success`, `exit-code`, `oom-kill` …
    pub result: String,
    /// Since when it is in its active state.
    pub since: Option<Timestamp>,
    /// How often a service was restarted by itself.
    pub restarts: u32,
    /// What stops with a target, or with a oneshot unit that remains: its `ConsistsOf=`. Empty for other units.
    pub members: Vec<UnitName>,
    /// Its processes are frozen, or about to be.
    pub frozen: bool,
    /// Its main process only shows what a container engine runs; nothing: it is none that anybody knows.
    pub client: Option<Client>,
    /// What only timers have.
    pub timer: TimerDetails,
}

/// What only timers have; all empty for other units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerDetails {
    /// When it is due next; nothing: never, as far as is known.
    pub next: Option<Timestamp>,
    /// When it was due last.
    pub last: Option<Timestamp>,
    /// What it starts.
    pub unit: Option<UnitName>,
}

/// What went wrong between svc and systemd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemdError {
    /// There is no bus, or nobody answers on it.
    #[error("systemd cannot be reached at `{address}`: {reason}")]
    Unreachable {
        /// The bus.
        address: String,
        /// What the connection said.
        reason: String,
    },
    /// The caller may not do this.
    #[error("systemd does not let this user {action} `{unit}`")]
    Denied {
        /// `start`, `stop` …
        action: String,
        /// The unit.
        unit: String,
    },
    /// The unit does not exist or cannot be loaded.
    #[error("unit `{unit}` is not loaded: {reason}")]
    NoUnit {
        /// The unit.
        unit: String,
        /// What systemd said.
        reason: String,
    },
    /// The machine is shutting down.
    #[error("the machine is shutting down, so `{unit}` cannot be started")]
    ShuttingDown {
        /// The unit.
        unit: String,
    },
    /// The job ended, but not well.
    #[error("the job to {verb} `{unit}` ended as `{result}`")]
    JobEnded {
        /// `start`, `stop` …
        verb: String,
        /// The unit.
        unit: String,
        /// systemd's word: `failed`, `timeout`, `canceled`, `dependency` …
        result: String,
    },
    /// Nothing came back in time.
    #[error("systemd did not {action} within {seconds} s")]
    Deadline {
        /// What was waited for.
        action: String,
        /// How long.
        seconds: u64,
    },
    /// Anything else that systemd said.
    #[error("systemd refused to {action}: {reason}")]
    Refused {
        /// What was asked.
        action: String,
        /// What it said.
        reason: String,
    },
}
