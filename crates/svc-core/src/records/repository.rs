//! What svc remembers of each repository: `<stateDir>/records/repositories/<repository>.json`.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::durable;
use crate::names::RepositoryName;
use crate::restic::Subset;

/// What is known of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RepositoryRecord {
    /// It was found to be damaged: nothing is removed from it until a check says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Damage>,
    /// The last check, whatever came of it.
    pub last_check: Option<Checked>,
    /// The last time that unneeded data was removed.
    #[schemars(with = "Option<String>")]
    pub last_prune: Option<Timestamp>,
    /// The parts that checks read one after the other.
    pub parts: Vec<Part>,
    /// The last processes of restic that `svc repo` started, the newest last: what proves a lock to be svc's own.
    pub processes: Vec<Process>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// When it was found.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// In which part; nothing: without reading data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
    /// The end of what restic said.
    pub said: String,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// When it began.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Which part was read; nothing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
    /// How it ended.
    pub code: Code,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One part of a repository's data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Part {
    /// When it was last looked at.
    #[schemars(with = "Option<String>")]
    pub tried: Option<Timestamp>,
    /// When every byte of it was last read and good.
    #[schemars(with = "Option<String>")]
    pub read: Option<Timestamp>,
}

/// A process of restic, and when it may have refreshed its lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it was started, in ticks after the machine; nothing: not known.
    #[serde(default)]
    pub born: Option<u64>,
    /// When it was started.
    #[schemars(with = "String")]
    pub from: Timestamp,
}

const PROCESSES_KEPT: usize = 50;

impl RepositoryRecord {
    /// The record of a repository; an empty one when there is none yet or it cannot be read.
    #[must_use]
    pub fn load(records: &Path, repository: &RepositoryName) -> Self {
        let text = std::fs::read(file(records, repository)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes the record, durably and all at once.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, records: &Path, repository: &RepositoryName) -> io::Result<()> {
        let file = file(records, repository);
        let text = serde_json::to_vec_pretty(self)?;
        durable::make_directory(records, 0o755)?;
        if let Some(directory) = file.parent() {
            durable::make_directory(directory, 0o755)?;
        }
        durable::replace(&file, &text, 0o644)
    }

    /// The part whose turn it is: the one that was not looked at for longest.
    #[must_use]
    pub fn next(&self, of: u32) -> Subset {
        let of = of.max(1);
        let tried = |part: &u32| {
            let known = self.parts.get(usize::try_from(part - 1).unwrap_or(usize::MAX));
            known.filter(|_| self.is_divided_by(of)).and_then(|known| known.tried)
        };
        Subset { part: (1..=of).min_by_key(tried).unwrap_or(1), of }
    }

    /// Takes in how a check ended. One that could not look says nothing about the data.
    pub fn note(&mut self, check: Checked, said: &str, of: u32) {
        let (at, subset, code) = (check.at, check.subset, check.code);
        self.last_check = Some(check);
        if !matches!(code, Code::Ok | Code::Damaged) {
            return;
        }
        if !self.is_divided_by(of) {
            self.parts = vec![Part::default(); usize::try_from(of.max(1)).unwrap_or(1)];
        }
        for (index, part) in self.parts.iter_mut().enumerate() {
            let is_meant = subset.is_some_and(|subset| {
                subset.of == 1 || (subset.of == of && usize::try_from(subset.part) == Ok(index + 1))
            });
            if is_meant {
                part.tried = Some(at);
                part.read = if code == Code::Ok { Some(at) } else { None };
            }
        }
        if code == Code::Damaged {
            self.damaged = Some(Damage { at, subset, said: said.to_owned() });
        } else if self.damaged.as_ref().is_some_and(|damage| covers(subset, damage.subset)) {
            self.damaged = None;
        }
    }

    /// Until when everything in it has been read back and was good; nothing: not yet, or it is damaged.
    #[must_use]
    pub fn proven_until(&self) -> Option<Timestamp> {
        if self.damaged.is_some() || self.parts.is_empty() {
            return None;
        }
        self.parts.iter().map(|part| part.read).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Notes a process that may leave a lock.
    pub fn add_process(&mut self, process: Process) {
        self.processes.push(process);
        let excess = self.processes.len().saturating_sub(PROCESSES_KEPT);
        self.processes.drain(..excess);
    }

    fn is_divided_by(&self, of: u32) -> bool {
        u32::try_from(self.parts.len()) == Ok(of)
    }
}

/// Whether a check that reads one part sees again what another one has seen.
fn covers(read: Option<Subset>, before: Option<Subset>) -> bool {
    before.is_none() || read == before || read.is_some_and(|read| read.of == 1)
}

fn file(records: &Path, repository: &RepositoryName) -> PathBuf {
    records.join("repositories").join(format!("{repository}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(second: i64, subset: Option<Subset>, code: Code) -> Checked {
        Checked { at: Timestamp::from_second(second).unwrap(), subset, code, took_ms: 1 }
    }

    #[test]
    fn every_part_is_read_once_in_as_many_checks_as_there_are_parts() {
        let mut record = RepositoryRecord::default();
        let mut read = Vec::new();
        for run in 0..12 {
            assert_eq!(record.proven_until(), None);
            let subset = record.next(12);
            read.push(subset.part);
            // One that did not get to it does not count.
            record.note(check(run, Some(subset), Code::Unreachable), "", 12);
            record.note(check(100 + run, Some(subset), Code::Ok), "", 12);
        }
        read.sort_unstable();
        assert_eq!(read, (1..=12).collect::<Vec<_>>());
        assert_eq!(record.proven_until(), Timestamp::from_second(100).ok());
        assert_eq!(record.next(12).part, 1);
    }

    #[test]
    fn a_damaged_part_is_not_forgotten_over_the_others_and_does_not_keep_them_waiting() {
        let mut record = RepositoryRecord::default();
        let bad = record.next(3);
        record.note(check(1, Some(bad), Code::Damaged), "pack gone", 3);
        let other = record.next(3);
        assert_ne!(other, bad);
        record.note(check(2, Some(other), Code::Ok), "", 3);
        record.note(check(3, None, Code::Ok), "", 3);
        assert!(record.damaged.is_some());
        record.note(check(4, Some(bad), Code::Ok), "", 3);
        assert_eq!((record.damaged.clone(), record.proven_until()), (None, None));
        record.note(check(5, Some(Subset { part: 1, of: 1 }), Code::Ok), "", 3);
        assert_eq!(record.proven_until(), Timestamp::from_second(5).ok());
    }

    #[test]
    fn another_number_of_parts_begins_anew() {
        let mut record = RepositoryRecord::default();
        record.note(check(1, Some(Subset { part: 1, of: 1 }), Code::Ok), "", 2);
        assert!(record.proven_until().is_some());
        assert_eq!(record.next(5), Subset { part: 1, of: 5 });
        record.note(check(2, Some(Subset { part: 1, of: 5 }), Code::Ok), "", 5);
        assert_eq!((record.proven_until(), record.next(5).part), (None, 2));
    }

    #[test]
    fn a_record_comes_back_as_it_was_saved() {
        let directory = tempfile::tempdir().unwrap();
        let local = "local".parse().unwrap();
        let mut record = RepositoryRecord::default();
        record.note(check(1, None, Code::Damaged), "bad", 2);
        record.add_process(Process { pid: 7, born: Some(70), from: Timestamp::UNIX_EPOCH });
        record.save(directory.path(), &local).unwrap();
        assert_eq!(RepositoryRecord::load(directory.path(), &local), record);
    }
}
