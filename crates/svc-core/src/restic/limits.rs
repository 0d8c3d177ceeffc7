//! How long each verb of restic may take.

use std::time::Duration;

use super::Verb;
use super::process::JobLimits;

/// Without progress and without bytes moved, a transfer is ended after this.
const STALL: Duration = Duration::from_mins(10);

/// How often it is looked whether a transfer stands still. On a slow line every such span sees some bytes.
const STALL_LOOK: Duration = Duration::from_secs(15);

/// restic ends its uploads and removes its lock within this, or is killed.
const KILL_AFTER: Duration = Duration::from_mins(1);

/// A disk that spins up has answered by then.
const MOUNT: Duration = Duration::from_secs(30);

/// The times of every verb; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) stall: Duration,
    pub(super) stall_look: Duration,
    pub(super) kill_after: Duration,
    /// For a look at a mount point.
    pub(super) mount: Duration,
    /// Instead of each verb's own, but for `version`.
    pub(super) deadline: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: STALL, stall_look: STALL_LOOK, kill_after: KILL_AFTER, mount: MOUNT, deadline: None }
    }
}

impl Limits {
    /// Nothing may stand still for longer than this span, nor take longer to end.
    pub(super) fn hastened(self, span: Duration) -> Self {
        Self { stall: span, stall_look: span / 5, kill_after: span, ..self }
    }

    pub(super) fn of(self, verb: Verb) -> JobLimits {
        let own = match verb {
            Verb::Version => Some(Duration::from_secs(10)),
            // restic itself would try a dead server for a quarter of an hour.
            Verb::Cat => Some(Duration::from_mins(1)),
            Verb::Init | Verb::List | Verb::Unlock => Some(Duration::from_mins(2)),
            Verb::Snapshots => Some(Duration::from_mins(5)),
            Verb::Ls | Verb::Stats => Some(Duration::from_mins(30)),
            Verb::Forget => Some(Duration::from_mins(20)),
            // They take as long as they get on.
            Verb::Backup | Verb::Restore | Verb::Check | Verb::Prune => None,
        };
        let transfer = own.is_none();
        JobLimits {
            deadline: self.deadline.filter(|_| verb != Verb::Version).or(own),
            stall: transfer.then_some(self.stall),
            stall_look: self.stall_look,
            kill_after: self.kill_after,
            patient: transfer || verb == Verb::Ls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_16_a_transfer_may_stand_still_for_ten_minutes() {
        for verb in [Verb::Backup, Verb::Restore, Verb::Check, Verb::Prune] {
            let limits = Limits::default().of(verb);
            assert_eq!((limits.stall, limits.deadline), (Some(Duration::from_mins(10)), None), "{verb:?}");
            assert!(limits.stall_look < Duration::from_mins(1), "{verb:?}");
        }
    }

    #[test]
    fn fault_15_what_was_asked_to_end_has_a_minute() {
        for verb in [Verb::Version, Verb::Cat, Verb::Forget, Verb::Backup] {
            assert_eq!(Limits::default().of(verb).kill_after, Duration::from_mins(1), "{verb:?}");
        }
    }
}
