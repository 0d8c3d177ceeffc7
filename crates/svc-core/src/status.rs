//! The state of a service in one word. There is one table of these words, and one place that decides between them.

#[cfg(test)]
mod tests;

mod parts;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::parts::Parts;
use crate::docker::Container;
use crate::systemd::{Unit, UnitDetails};

/// The state of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "word", rename_all = "camelCase")]
pub enum StateWord {
    /// All of it runs.
    Running,
    /// Some of it runs.
    Partial {
        /// Parts that run.
        running: u32,
        /// All parts.
        total: u32,
    },
    /// It is on its way up.
    Starting,
    /// It runs, but a health check says no, or a part of it ends again and again.
    Unhealthy,
    /// All that runs of it is paused.
    Paused,
    /// Nothing of it runs.
    Stopped,
    /// Nothing of it runs, because it failed.
    Failed,
    /// Nothing of it runs, and its unit is masked.
    Masked,
    /// Its containers run although its unit is off.
    ByHand,
    /// It has neither units nor containers.
    DataOnly,
    /// It cannot be known.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl fmt::Display for StateWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Partial { running, total } => return f.pad(&format!("partial ({running}/{total})")),
            Self::Starting => "starting",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Masked => "masked",
            Self::ByHand => "by hand",
            Self::DataOnly => "data only",
            Self::Unknown { .. } => "unknown",
        })
    }
}

/// Folds what is seen of a service's units and containers into one word.
///
/// `docker` says why Docker could not be asked, `may_have_containers` whether the service has a compose project, a
/// compose unit or volumes.
///
/// - Its *parts* are its containers and its lasting units. A target, or a oneshot unit that remains after its exit,
///   is a part only where nothing else can tell: its `active` means that it once ran.
/// - Containers of `compose run` are none of it. Nor is a job whose end another container awaits
///   (`service_completed_successfully`), unless it ended badly. Any other ended container is a missing part, even
///   with code 0: a database that was stopped by hand ends with 0 too, and the list of containers has no restart
///   policy to tell it from a job.
/// - A container killed by a stop's signals (codes 130, 137, 143) was stopped, it did not fail.
///
/// Of several words that hold, the first of these is taken: data only; unknown; then, with something up: unhealthy,
/// by hand, starting (a unit or a job is at it), paused, partial, starting (a health check is undecided), running;
/// with nothing up: unhealthy (a unit restarting itself), starting, masked, failed, stopped.
#[must_use]
pub fn state(
    units: &[(Unit, Option<UnitDetails>)],
    containers: &[Container],
    docker: Result<(), &str>,
    may_have_containers: bool,
) -> StateWord {
    if let (Err(why), true) = (docker, may_have_containers) {
        return StateWord::Unknown { why: why.to_owned() };
    }
    let parts = Parts::of(units, containers, may_have_containers);
    if parts.is_none() {
        return StateWord::DataOnly;
    }
    if let Some(why) = parts.riddle() {
        return StateWord::Unknown { why };
    }
    if parts.is_something_up() { up(&parts) } else { down(&parts) }
}

fn up(parts: &Parts<'_>) -> StateWord {
    let (running, total) = (parts.running(), parts.total());
    if parts.is_unhealthy() {
        StateWord::Unhealthy
    } else if parts.is_by_hand() {
        StateWord::ByHand
    } else if parts.is_being_started() {
        StateWord::Starting
    } else if parts.is_paused() {
        StateWord::Paused
    } else if running < total {
        StateWord::Partial { running, total }
    } else if parts.is_undecided() {
        StateWord::Starting
    } else {
        StateWord::Running
    }
}

fn down(parts: &Parts<'_>) -> StateWord {
    if parts.is_unhealthy() {
        StateWord::Unhealthy
    } else if parts.is_being_started() {
        StateWord::Starting
    } else if parts.is_masked() {
        StateWord::Masked
    } else if parts.has_failed() {
        StateWord::Failed
    } else {
        StateWord::Stopped
    }
}
