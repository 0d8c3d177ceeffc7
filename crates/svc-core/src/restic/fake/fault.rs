//! What can be made to go wrong with the fake restic.

use tokio_util::sync::CancellationToken;

use crate::restic::{ResticError, ResticFailure, Verb};

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Ends like this without having done anything.
    Fails(ResticFailure),
    /// Gives back this error.
    Error(ResticError),
    /// A backup that ends well without a snapshot id.
    NoSnapshotId,
    /// A backup that saves, and could not read these lines (code 3).
    Unreadable(Vec<String>),
    /// A backup that saves, then ends like this all the same: 0.19 can end in 130 so.
    SavesThenFails(ResticFailure),
    /// A restore that writes this many files and claims success.
    RestoresOnly(usize),
    /// Does nothing until it is cancelled. A verb that cannot be: as if its deadline had passed.
    Hangs,
    /// Waits for this token, then goes on as if nothing had been.
    WaitsFor(CancellationToken),
}

impl Fault {
    /// Does the part of it that comes before the work; gives back itself if there is a part after.
    pub(super) async fn strike(
        self,
        verb: Verb,
        repository: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, ResticError> {
        match self {
            Self::Fails(kind) => Err(failed(verb, repository, kind)),
            Self::Error(error) => Err(error),
            Self::Hangs if matches!(verb, Verb::Backup | Verb::Restore) => {
                cancel.cancelled().await;
                Err(ResticError::Cancelled { verb: verb.as_str() })
            }
            Self::Hangs => Err(ResticError::Deadline {
                verb: verb.as_str(),
                repository: repository.to_owned(),
                seconds: 60,
            }),
            Self::WaitsFor(token) => tokio::select! {
                () = token.cancelled() => Ok(None),
                () = cancel.cancelled() => Err(ResticError::Cancelled { verb: verb.as_str() }),
            },
            Self::NoSnapshotId | Self::Unreadable(_) | Self::SavesThenFails(_) | Self::RestoresOnly(_) => {
                Ok(Some(self))
            }
        }
    }
}

/// restic's failure of this kind, with a text that says it is the fake's.
pub(super) fn failed(verb: Verb, repository: &str, kind: ResticFailure) -> ResticError {
    let text = format!("Fatal: fake restic: {kind}");
    ResticError::Failed { verb: verb.as_str(), repository: repository.to_owned(), kind, text }
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    to_come: Vec<ToCome>,
}

#[derive(Debug)]
struct ToCome {
    verb: Verb,
    repository: String,
    /// Calls until it strikes, its own included.
    calls: usize,
    fault: Fault,
}

impl Faults {
    pub(super) fn add(&mut self, verb: Verb, repository: &str, nth: usize, fault: Fault) {
        self.to_come.push(ToCome { verb, repository: repository.to_owned(), calls: nth.max(1), fault });
    }

    /// Counts a call; the fault that strikes it.
    pub(super) fn due(&mut self, verb: Verb, repository: &str) -> Option<Fault> {
        let meant = |fault: &&mut ToCome| fault.verb == verb && fault.repository == repository;
        self.to_come.iter_mut().filter(meant).for_each(|fault| fault.calls -= 1);
        let due = self.to_come.iter().position(|fault| fault.calls == 0)?;
        Some(self.to_come.remove(due).fault)
    }
}
