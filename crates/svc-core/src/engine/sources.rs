//! A last look at what is saved, right before anything stops.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::service::ServiceRun;
use crate::answer::{answered, within};
use crate::code::Code;
use crate::failure::Failure;
use crate::judge::kept_all;
use crate::mounts;
use crate::names::RepositoryName;
use crate::plan::BackupStep;
use crate::records::ServiceRecord;
use crate::restic::BackupSummary;

/// A source with so many entries is no inbox, which somebody empties every other day.
const MUCH: usize = 20;

/// A dump of many files is looked through in this time, and a disk that sleeps wakes.
const ANSWER: Duration = Duration::from_mins(2);

/// What a look at the sources has shown.
#[derive(Debug)]
pub(super) struct Looked {
    /// These hold much.
    held: Vec<PathBuf>,
    /// These are empty directories.
    empty: Vec<PathBuf>,
}

/// How much there is of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Empty,
    HoldsLittle,
    HoldsMuch,
}

impl ServiceRun<'_> {
    pub(super) async fn check_sources(
        &mut self,
        sources: &[PathBuf],
        dumps: &[PathBuf],
    ) -> Result<(), Failure> {
        let looked = tokio::select! {
            biased;
            () = self.engine.cancel.token().cancelled() => {
                let code = self.engine.cancel.code().unwrap_or(Code::Terminated);
                return Err(Failure::new(code, "the look at what is to be saved was cancelled"));
            }
            looked = look(sources, dumps) => looked?,
        };
        for path in &looked.empty {
            self.note(format!("`{}` is empty", path.display()));
        }
        self.looked = Some(looked);
        Ok(())
    }

    /// That a source which held much in the last good snapshot is empty. The sum over all of them may hide it.
    pub(super) fn emptied(&self, step: &BackupStep, summary: &BackupSummary) -> Option<Failure> {
        let record = ServiceRecord::load(&self.engine.scope.records_dir(), &self.plan.service);
        let before = &record.backups.get(&step.repository)?.held;
        let looked = self.looked.as_ref().filter(|_| step.max_shrink_percent < 100)?;
        let path = looked.empty.iter().find(|path| before.contains(path))?;
        let message = format!(
            "snapshot {} holds nothing of `{}`, and the last good one held much",
            summary.snapshot.short(),
            path.display()
        );
        Some(kept_all(Failure::new(Code::Failed, message), step))
    }

    /// What the new good snapshot holds much of.
    pub(super) fn note_held(&self, record: &mut ServiceRecord, repository: &RepositoryName) {
        let is_good = record.backups.get(repository).and_then(|record| record.last_good.as_ref());
        let is_new = is_good.is_some_and(|good| good.run == self.engine.run);
        if let Some((record, looked)) = record.backups.get_mut(repository).zip(self.looked.as_ref())
            && is_new
        {
            record.held.clone_from(&looked.held);
        }
    }
}

/// Looks whether every source is there, and every dump holds something; at each by itself, so that one which does not
/// answer can be named.
async fn look(sources: &[PathBuf], dumps: &[PathBuf]) -> Result<Looked, Failure> {
    let seen = join_all(sources.iter().map(|path| in_time(path, look_at_source)));
    let (seen, dumped) = tokio::join!(seen, join_all(dumps.iter().map(|path| in_time(path, check_dump))));
    let seen: Vec<Seen> = seen.into_iter().collect::<Result<_, _>>()?;
    dumped.into_iter().collect::<Result<(), Failure>>()?;
    let those = |wanted: Seen| {
        let seen = sources.iter().zip(&seen).filter(|(_, seen)| **seen == wanted);
        seen.map(|(path, _)| path.clone()).collect()
    };
    Ok(Looked { held: those(Seen::HoldsMuch), empty: those(Seen::Empty) })
}

async fn in_time<T: Send + 'static>(
    path: &Path,
    look: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (message, at) = (format!("`{}` cannot be backed up", path.display()), path.to_path_buf());
    answered(ANSWER, path, message, move || look(&at)).await
}

/// What there is of a source; that it is an empty directory may be as it should.
fn look_at_source(path: &Path) -> Result<Seen, Failure> {
    if std::fs::symlink_metadata(path).is_err() {
        return Err(Failure::new(Code::Failed, format!("`{}` is gone", path.display())));
    }
    if is_empty(path) {
        return check_mounted(path).map(|()| Seen::Empty);
    }
    Ok(if holds_much(path) { Seen::HoldsMuch } else { Seen::HoldsLittle })
}

/// A directory without any entry; one that cannot be read is restic's to tell of.
fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn holds_much(path: &Path) -> bool {
    walkdir::WalkDir::new(path).min_depth(1).into_iter().flatten().take(MUCH).count() == MUCH
}

/// How many bytes there are below these paths; nothing: that could not be counted in so short a time.
pub(super) async fn size_within(paths: Vec<PathBuf>, limit: Duration) -> Option<u64> {
    let count = move || {
        let end = Instant::now() + limit;
        let mut bytes = 0_u64;
        for entry in paths.iter().flat_map(walkdir::WalkDir::new).flatten() {
            if Instant::now() >= end {
                return None;
            }
            let is_file = entry.file_type().is_file();
            bytes += entry.metadata().ok().filter(|_| is_file).map_or(0, |metadata| metadata.len());
        }
        Some(bytes)
    };
    within(limit, count).await.flatten()
}

/// What a file system is to be mounted on is empty when it is not.
fn check_mounted(path: &Path) -> Result<(), Failure> {
    let Some(point) = mounts::missing(path) else { return Ok(()) };
    let message = format!("`{}` is empty, and `{}` is not mounted", path.display(), point.display());
    let failure = Failure::new(Code::Failed, message).because("/etc/fstab has a file system for it");
    Err(failure.hint(format!("mount {}", point.display())))
}

/// A dump of zero bytes is what a database's own tool leaves when it fails behind a pipe.
fn check_dump(dump: &Path) -> Result<(), Failure> {
    let bad = |how: &str| {
        let failure = Failure::new(Code::Failed, format!("the dump `{}` {how}", dump.display()));
        failure.hint("see what the `pre` hook that writes it says: svc runs latest")
    };
    match first_empty(dump) {
        Ok(None) => Ok(()),
        Ok(Some(file)) if file == dump => Err(bad("is empty")),
        Ok(Some(file)) => Err(bad(&format!("is empty in part: `{}`", file.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(bad("was not written")),
        Err(error) => Err(bad("cannot be read").because(error.to_string())),
    }
}

/// The first file of zero bytes; a directory without any file is one, too.
fn first_empty(dump: &Path) -> io::Result<Option<PathBuf>> {
    let mut files = 0_usize;
    for entry in walkdir::WalkDir::new(dump).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files += 1;
            // A link stands for what it leads to.
            if std::fs::metadata(entry.path())?.len() == 0 {
                return Ok(Some(entry.into_path()));
            }
        }
    }
    Ok((files == 0).then(|| dump.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_there_is_to_save_is_counted_if_there_is_time() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("a")).unwrap();
        fs::write(directory.path().join("a/one"), "12345").unwrap();
        fs::write(directory.path().join("two"), "67").unwrap();
        let paths = vec![directory.path().to_path_buf()];
        assert_eq!(size_within(paths.clone(), Duration::from_mins(1)).await, Some(7));
        assert_eq!(size_within(paths, Duration::ZERO).await, None);
    }

    #[tokio::test]
    async fn a_directory_without_an_entry_is_told_and_one_that_is_gone_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["empty", "hidden", "file"].map(|name| directory.path().join(name));
        fs::create_dir(&paths[0]).unwrap();
        fs::create_dir(&paths[1]).unwrap();
        fs::write(paths[1].join(".keep"), "").unwrap();
        fs::write(&paths[2], "").unwrap();
        assert_eq!(look(&paths, &[]).await.unwrap().empty, [paths[0].clone()]);
        fs::remove_dir(&paths[0]).unwrap();
        assert!(look(&paths, &[]).await.unwrap_err().message.ends_with("is gone"));
    }

    #[test]
    fn a_dump_that_is_missing_or_empty_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let dump = directory.path().join("all");
        let said = || check_dump(&dump).unwrap_err().message;
        assert!(said().ends_with("was not written"), "{}", said());
        fs::create_dir(&dump).unwrap();
        assert!(said().ends_with("is empty"), "{}", said());
        fs::write(dump.join("a.sql"), "insert").unwrap();
        check_dump(&dump).unwrap();
        fs::write(dump.join("b.sql"), "").unwrap();
        assert!(said().contains("is empty in part") && said().contains("b.sql"), "{}", said());
        fs::remove_dir_all(&dump).unwrap();
        fs::write(&dump, "").unwrap();
        assert!(said().ends_with("is empty"), "{}", said());
        fs::write(&dump, "insert").unwrap();
        check_dump(&dump).unwrap();
    }
}
