//! What svc remembers of each service between runs: `<stateDir>/records/<service>.json`.

mod kept;
mod repository;

use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use kept::{Lost, Unreadable};
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
    /// What earlier records said, and cannot be read.
    #[serde(flatten)]
    pub lost: Lost,
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
    /// Of which sources the last good one holds much; none: that is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<PathBuf>,
}

/// Snapshots that exist but are not good: never taken for the latest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Doubts {
    /// Those that were judged, oldest first, until they are forgotten.
    pub not_good: Vec<SnapshotId>,
    /// When backups were made that came to no judgement: restic may have saved a snapshot in the instant before svc, the
    /// network or the machine died. Oldest first; of too many the first ones become one.
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
        // To drop one would make good what is not.
        if let [first, second, rest @ ..] = self.unjudged.as_slice()
            && rest.len() + 2 > SPANS_KEPT
        {
            let both = Span { from: first.from.min(second.from), to: first.to.max(second.to) };
            self.unjudged.splice(..2, [both]);
        }
    }
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
    #[serde(deserialize_with = "crate::code::known")]
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

const SPANS_KEPT: usize = 1000;

impl ServiceRecord {
    /// The record of a service; an empty one when there is none yet, and `lost` says it when it cannot be read.
    #[must_use]
    pub fn load(directory: &Path, service: &ServiceName) -> Self {
        kept::load(&file(directory, service))
    }

    /// Writes the record, durably and all at once; an earlier one that could not be read is kept aside.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&mut self, directory: &Path, service: &ServiceName, now: Timestamp) -> io::Result<()> {
        durable::make_directory(directory, 0o755)?;
        kept::save(self, &file(directory, service), now)
    }

    /// Adds a backup, good or not, and what went wrong beside it: that makes the attempt worse, and its snapshot not.
    pub fn add(&mut self, repository: &RepositoryName, attempt: Attempt, beside: Code) {
        let record = self.backups.entry(repository.clone()).or_default();
        record.doubts.add(&attempt);
        if attempt.snapshot.is_some() && attempt.code == Code::Ok {
            record.last_good = Some(attempt.clone());
        }
        record.last_attempt = Some(Attempt { code: Code::worst([attempt.code, beside]), ..attempt });
    }

    /// Takes in which snapshots are gone.
    pub fn let_go(&mut self, snapshots: &[SnapshotId]) {
        for record in self.backups.values_mut() {
            record.doubts.not_good.retain(|doubtful| !snapshots.contains(doubtful));
        }
    }

    /// Whether a snapshot of the service is less than good, or may be.
    #[must_use]
    pub fn is_not_good(&self, repository: &RepositoryName, snapshot: &Snapshot) -> bool {
        self.backups.get(repository).is_some_and(|record| record.doubts.concern(snapshot))
    }
}

impl kept::Record for ServiceRecord {
    fn lost(&mut self) -> &mut Lost {
        &mut self.lost
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
        record.add(
            &local,
            Attempt { run, at: moment("2026-11-20T04:00:00Z"), ..attempt(Code::Failed, None) },
            Code::Ok,
        );
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
        record.add(&local, attempt(Code::Ok, Some('a')), Code::Ok);
        record.add(&local, attempt(Code::Partial, Some('b')), Code::Ok);
        record.add(&local, attempt(Code::Failed, None), Code::Ok);
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
        record.add(&"local".parse().unwrap(), attempt(Code::Ok, Some('a')), Code::Ok);
        let records = directory.path().join("records");
        record.save(&records, &service, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(ServiceRecord::load(&records, &service), record);
        assert_eq!(
            ServiceRecord::load(directory.path(), &"other".parse().unwrap()),
            ServiceRecord::default()
        );
    }
    #[test]
    fn a_thousand_bad_nights_make_no_snapshot_good_until_it_is_gone() {
        let (mut record, local) = (ServiceRecord::default(), "local".parse().unwrap());
        let night = |night: i64| Timestamp::from_second(night * 86_400).unwrap();
        for count in 0..3 * i64::try_from(SPANS_KEPT).unwrap() {
            let id = format!("{count:064x}").parse().unwrap();
            let partial = Attempt { snapshot: Some(id), ..attempt(Code::Partial, None) };
            record.add(&local, partial, Code::Ok);
            record.add(&local, Attempt { at: night(count), ..attempt(Code::Unreachable, None) }, Code::Ok);
        }
        let first: SnapshotId = "0".repeat(64).parse().unwrap();
        let by_id = Snapshot { id: first.clone(), ..snapshot('a', Timestamp::MIN) };
        let doubts = |record: &ServiceRecord| {
            [&by_id, &snapshot('a', night(0))].map(|snapshot| record.is_not_good(&local, snapshot))
        };
        assert_eq!(doubts(&record), [true, true]);
        assert_eq!(record.backups[&local].doubts.unjudged.len(), SPANS_KEPT);
        record.let_go(&[first]);
        assert_eq!(doubts(&record), [false, true]);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_kept_and_holds_back_until_somebody_takes_it_away() {
        let directory = tempfile::tempdir().unwrap();
        let (records, service) = (directory.path(), "notes".parse().unwrap());
        let load = || ServiceRecord::load(records, &service);
        std::fs::write(file(records, &service), "{torn").unwrap();
        let mut record = load();
        let failure = record.lost.failure().unwrap();
        assert!(failure.message.contains("notes.json"), "{failure:?}");
        assert_eq!(failure.code, Code::Refused);
        record.save(records, &service, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
        let aside = records.join("notes.json.unreadable-20261120T120000");
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), "{torn");
        let failure = load().lost.failure().unwrap();
        assert_eq!(failure.hint, Some(format!("see what it says, then: rm {}", aside.display())));
        std::fs::remove_file(&aside).unwrap();
        let mut record = load();
        assert_eq!(record.lost.failure(), None);
        record.save(records, &service, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(load(), ServiceRecord::default());
    }

    #[test]
    fn a_file_that_only_cannot_be_opened_is_no_empty_record() {
        let directory = tempfile::tempdir().unwrap();
        let service = "notes".parse().unwrap();
        std::fs::create_dir(file(directory.path(), &service)).unwrap();
        assert!(ServiceRecord::load(directory.path(), &service).lost.failure().is_some());
    }

    #[test]
    fn what_only_a_newer_version_knows_makes_no_record_unreadable_and_no_backup_good() {
        let mut value = serde_json::to_value(attempt(Code::Ok, Some('a'))).unwrap();
        value["code"] = "sublime".into();
        value["mood"] = "good".into();
        let read: Attempt = serde_json::from_value(value).unwrap();
        assert_eq!(read, attempt(Code::Failed, Some('a')));
    }
}
