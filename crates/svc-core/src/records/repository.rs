//! What svc remembers of each repository: `<stateDir>/records/repositories/<repository>.json`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::kept::{self, Lost};
use crate::code::Code;
use crate::durable;
use crate::failure::Failure;
use crate::figure::moment;
use crate::names::RepositoryName;
use crate::restic::Subset;

/// What is known of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RepositoryRecord {
    /// What was found to be damaged: nothing is removed from it until a check has seen all of that again, and it was good.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_more")]
    pub damaged: Vec<Damage>,
    /// The last check, whatever came of it.
    pub last_check: Option<Checked>,
    /// The last time that unneeded data was removed.
    #[schemars(with = "Option<String>")]
    pub last_prune: Option<Timestamp>,
    /// The parts that checks read one after the other.
    pub parts: Vec<Part>,
    /// The last processes of restic that `svc repo` started, the newest last: what proves a lock to be svc's own.
    pub processes: Vec<Process>,
    /// What earlier records said, and cannot be read.
    #[serde(flatten)]
    pub lost: Lost,
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
    #[serde(deserialize_with = "crate::code::known")]
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
/// A change takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

impl RepositoryRecord {
    /// The record of a repository; an empty one when there is none yet, and `lost` says it when it cannot be read.
    #[must_use]
    pub fn load(records: &Path, repository: &RepositoryName) -> Self {
        kept::load(&file(records, repository))
    }

    /// Changes the record, durably and all at once; no other process changes it meanwhile. Gives what it is then.
    ///
    /// # Errors
    /// What the file system says, or that another process does not let it go.
    pub fn update(
        records: &Path,
        repository: &RepositoryName,
        now: Timestamp,
        change: impl FnOnce(&mut Self),
    ) -> io::Result<Self> {
        let file = file(records, repository);
        durable::make_directory(records, 0o755)?;
        if let Some(directory) = file.parent() {
            durable::make_directory(directory, 0o755)?;
        }
        let _lock = lock(&file.with_file_name(format!("{repository}.lock")))?;
        let mut record = kept::load(&file);
        change(&mut record);
        kept::save(&mut record, &file, now)?;
        Ok(record)
    }

    /// Why nothing may be removed from the repository.
    #[must_use]
    pub fn hold(&self, repository: &RepositoryName) -> Option<Failure> {
        self.damage(repository).or_else(|| self.lost.failure())
    }

    /// That it was found damaged.
    #[must_use]
    pub fn damage(&self, repository: &RepositoryName) -> Option<Failure> {
        let last = self.damaged.last()?;
        let when = moment(last.at);
        let message =
            format!("repository `{repository}` was found damaged at {when}: nothing is removed from it");
        let failure = Failure::new(Code::Damaged, message);
        let failure =
            self.damaged.iter().fold(failure, |failure, damage| failure.because(damage.said.clone()));
        Some(failure.hint(format!(
            "svc repo check {repository} --subset all   # after a repair: https://restic.readthedocs.io/en/stable/077_troubleshooting.html"
        )))
    }

    /// The part whose turn it is: the one that was not looked at for longest. A time that is still to come, from a clock
    /// that was wrong, says nothing.
    #[must_use]
    pub fn next(&self, of: u32, now: Timestamp) -> Subset {
        let of = of.max(1);
        let tried = |part: &u32| {
            let known = self.parts.get(usize::try_from(part - 1).unwrap_or(usize::MAX));
            let known = known.filter(|_| self.is_divided_by(of)).and_then(|known| known.tried);
            known.filter(|tried| *tried <= now)
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
            self.damaged.retain(|damage| damage.subset != subset);
            self.damaged.push(Damage { at, subset, said: said.to_owned() });
        } else {
            self.damaged.retain(|damage| !covers(subset, damage.subset));
        }
    }

    /// Until when everything in it has been read back and was good; nothing: not yet, or it is damaged, or the clock was
    /// wrong then.
    #[must_use]
    pub fn proven_until(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.damaged.is_empty() || self.parts.is_empty() {
            return None;
        }
        let read = self.parts.iter().map(|part| part.read.filter(|read| *read <= now));
        read.collect::<Option<Vec<_>>>()?.into_iter().min()
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

/// Whether a check that reads one part sees again what another one has seen. Any check looks at what is not data; restic
/// divides packs by a number in their names, so a third holds every third of the twelfths.
fn covers(read: Option<Subset>, before: Option<Subset>) -> bool {
    let (Some(before), read) = (before, read) else { return true };
    read.is_some_and(|read| {
        let is_in = |part: u32| part.checked_rem(read.of) == read.part.checked_sub(1);
        before.of.checked_rem(read.of) == Some(0) && before.part.checked_sub(1).is_some_and(is_in)
    })
}

impl kept::Record for RepositoryRecord {
    fn lost(&mut self) -> &mut Lost {
        &mut self.lost
    }
}

/// Earlier versions knew of one damage at most.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Damage>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Several(Vec<Damage>),
        One(Damage),
        None,
    }
    Ok(match Written::deserialize(from)? {
        Written::Several(several) => several,
        Written::One(one) => vec![one],
        Written::None => Vec::new(),
    })
}

/// The lock of a record, held for as long as a change takes; never unlinked.
fn lock(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
    let began = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < LOCK_WAIT => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn file(records: &Path, repository: &RepositoryName) -> PathBuf {
    records.join("repositories").join(format!("{repository}.json"))
}

#[cfg(test)]
mod tests;
