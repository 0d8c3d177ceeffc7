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
use crate::restic::{Counts, Snapshot};

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
    /// What is not to be counted on.
    #[serde(flatten)]
    pub doubts: Doubts,
}

/// Snapshots that exist but are not good: never taken for the latest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Doubts {
    /// Those that were judged. At most 100, oldest first.
    pub not_good: Vec<SnapshotId>,
    /// When backups were made that came to no judgement: restic may have saved a snapshot in the instant before svc, the
    /// network or the machine died. At most 100, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Span>,
}

/// From a moment to a moment, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The first moment.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// The last one.
    #[schemars(with = "String")]
    pub to: Timestamp,
}

impl Doubts {
    /// Whether a snapshot of the service is less than good, or may be.
    #[must_use]
    pub fn concern(&self, snapshot: &Snapshot) -> bool {
        let is_within = |span: &Span| (span.from..=span.to).contains(&snapshot.time);
        self.not_good.contains(&snapshot.id) || self.unjudged.iter().any(is_within)
    }

    fn add(&mut self, attempt: &Attempt) {
        match (&attempt.snapshot, attempt.code) {
            (Some(_), Code::Ok) => {}
            (Some(snapshot), _) => self.not_good.push(snapshot.clone()),
            (None, _) => {
                let from = attempt.run.began().unwrap_or(attempt.at).min(attempt.at);
                self.unjudged.push(Span { from, to: attempt.at });
            }
        }
        keep_newest(&mut self.not_good);
        keep_newest(&mut self.unjudged);
    }
}

fn keep_newest<T>(doubts: &mut Vec<T>) {
    doubts.drain(..doubts.len().saturating_sub(DOUBTS_KEPT));
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

const DOUBTS_KEPT: usize = 100;

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
        record.doubts.add(&attempt);
        if attempt.snapshot.is_some() && attempt.code == Code::Ok {
            record.last_good = Some(attempt.clone());
        }
        record.last_attempt = Some(attempt);
    }

    /// Whether a snapshot of the service is less than good, or may be.
    #[must_use]
    pub fn is_not_good(&self, repository: &RepositoryName, snapshot: &Snapshot) -> bool {
        self.backups.get(repository).is_some_and(|record| record.doubts.concern(snapshot))
    }
}

fn file(directory: &Path, service: &ServiceName) -> PathBuf {
    directory.join(format!("{service}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(digit: char, time: Timestamp) -> Snapshot {
        let id = digit.to_string().repeat(64).parse().unwrap();
        let (host, tags, paths) = ("home".to_owned(), Vec::new(), Vec::new());
        Snapshot { id, time, host, tags, paths, counts: None, offset: jiff::tz::Offset::UTC }
    }

    #[test]
    fn what_a_run_without_a_judgement_may_have_saved_is_in_doubt() {
        let local: RepositoryName = "local".parse().unwrap();
        let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
        let mut record = ServiceRecord::default();
        let run = RunId::new(moment("2026-11-20T03:00:07.5Z"), 12);
        record
            .add(&local, Attempt { run, at: moment("2026-11-20T04:00:00Z"), ..attempt(Code::Failed, None) });
        for (time, is_doubtful) in [
            ("2026-11-20T03:00:06Z", false),
            ("2026-11-20T03:00:07.4Z", true),
            ("2026-11-20T04:00:00Z", true),
            ("2026-11-20T04:00:01Z", false),
        ] {
            assert_eq!(record.is_not_good(&local, &snapshot('c', moment(time))), is_doubtful, "{time}");
        }
    }

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
        let earlier = Timestamp::MIN;
        assert!(record.is_not_good(&local, &snapshot('b', earlier)));
        assert!(!record.is_not_good(&local, &snapshot('a', earlier)));
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
