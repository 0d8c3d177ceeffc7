//! What svc remembers of each service between runs: `<stateDir>/records/<service>.json`.

mod repository;

use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use repository::{Checked, Damage, Part, Process, RepositoryRecord};

use crate::code::Code;
use crate::durable;
use crate::exchange::Tree;
use crate::names::{RepositoryName, RunId, ServiceName, SnapshotId};
use crate::restic::Counts;

/// What is known of one service's runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceRecord {
    /// Its backups, by repository.
    pub backups: IndexMap<RepositoryName, BackupRecord>,
    /// The trees that the last restore replaced, kept until they are let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<ReplacedTrees>,
}

/// A service's backups in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupRecord {
    /// The last one, whatever came of it.
    pub last_attempt: Option<Attempt>,
    /// The last one that is good.
    pub last_good: Option<Attempt>,
    /// Snapshots that exist but are not good: never taken for the latest. At most 100, oldest first.
    pub not_good: Vec<SnapshotId>,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its run.
    pub run: RunId,
    /// When it ended.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How.
    pub code: Code,
    /// Its snapshot.
    pub snapshot: Option<SnapshotId>,
    /// What that holds.
    pub counts: Option<Counts>,
    /// Bytes it added to the repository.
    pub added: Option<u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How long the service was down for it, in milliseconds; nothing: it was not.
    pub downtime_ms: Option<u64>,
}

/// What a restore replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedTrees {
    /// The restore.
    pub run: RunId,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The directories that hold the old trees.
    pub stages: Vec<PathBuf>,
    /// Where each came from (`live`) and where it is now (`staged`).
    pub trees: Vec<Tree>,
}

const NOT_GOOD_KEPT: usize = 100;

impl ServiceRecord {
    /// The record of a service; an empty one when there is none yet or it cannot be read.
    #[must_use]
    pub fn load(directory: &Path, service: &ServiceName) -> Self {
        let text = std::fs::read(file(directory, service)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes the record, durably and all at once.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, directory: &Path, service: &ServiceName) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        durable::make_directory(directory, 0o755)?;
        durable::replace(&file(directory, service), &text, 0o644)
    }

    /// Adds a backup, good or not.
    pub fn add(&mut self, repository: &RepositoryName, attempt: Attempt) {
        let record = self.backups.entry(repository.clone()).or_default();
        match (&attempt.snapshot, attempt.code) {
            (Some(_), Code::Ok) => record.last_good = Some(attempt.clone()),
            (Some(snapshot), _) => record.not_good.push(snapshot.clone()),
            (None, _) => {}
        }
        let excess = record.not_good.len().saturating_sub(NOT_GOOD_KEPT);
        record.not_good.drain(..excess);
        record.last_attempt = Some(attempt);
    }

    /// Whether a snapshot is known to be less than good.
    #[must_use]
    pub fn is_not_good(&self, repository: &RepositoryName, snapshot: &SnapshotId) -> bool {
        self.backups.get(repository).is_some_and(|record| record.not_good.contains(snapshot))
    }
}

fn file(directory: &Path, service: &ServiceName) -> PathBuf {
    directory.join(format!("{service}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(code: Code, snapshot: Option<char>) -> Attempt {
        Attempt {
            run: "r1".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            code,
            snapshot: snapshot.map(|digit| digit.to_string().repeat(64).parse().unwrap()),
            counts: None,
            added: None,
            took_ms: 1,
            downtime_ms: None,
        }
    }

    #[test]
    fn a_failure_does_not_forget_the_last_good_backup() {
        let (mut record, local) = (ServiceRecord::default(), "local".parse().unwrap());
        record.add(&local, attempt(Code::Ok, Some('a')));
        record.add(&local, attempt(Code::Partial, Some('b')));
        record.add(&local, attempt(Code::Failed, None));
        let backups = &record.backups[&local];
        assert_eq!(backups.last_good, Some(attempt(Code::Ok, Some('a'))));
        assert_eq!(backups.last_attempt, Some(attempt(Code::Failed, None)));
        assert!(record.is_not_good(&local, &"b".repeat(64).parse().unwrap()));
        assert!(!record.is_not_good(&local, &"a".repeat(64).parse().unwrap()));
    }

    #[test]
    fn a_record_comes_back_as_it_was_saved() {
        let directory = tempfile::tempdir().unwrap();
        let service = "notes".parse().unwrap();
        let mut record = ServiceRecord::default();
        record.add(&"local".parse().unwrap(), attempt(Code::Ok, Some('a')));
        let records = directory.path().join("records");
        record.save(&records, &service).unwrap();
        assert_eq!(ServiceRecord::load(&records, &service), record);
        assert_eq!(
            ServiceRecord::load(directory.path(), &"other".parse().unwrap()),
            ServiceRecord::default()
        );
    }
}
