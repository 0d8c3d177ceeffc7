//! One mutating run for each service: `<stateDir>/locks/<service>.lock`, never unlinked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::FlockOperation;

use crate::durable;
use crate::names::{RunId, ServiceName};

/// The run that a holder's line names.
#[must_use]
pub fn run_of(holder: &str) -> Option<RunId> {
    let (_, rest) = holder.split_once("(run ")?;
    rest.split_once(',')?.0.parse().ok()
}

/// A held lock; the kernel lets it go when the process ends, however it ends.
#[derive(Debug)]
pub struct ServiceLock {
    _file: File,
}

/// The lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("`{service}` is held by another run: {holder}")]
    Busy {
        /// The service.
        service: ServiceName,
        /// What the holder wrote into it.
        holder: String,
    },
    /// The file cannot be used.
    #[error("the lock of `{service}` cannot be used")]
    File {
        /// The service.
        service: ServiceName,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
}

impl ServiceLock {
    /// Takes the lock, or says at once who has it.
    ///
    /// # Errors
    /// `Busy` when it is held, `File` when it cannot be used.
    pub fn take(
        directory: &Path,
        service: &ServiceName,
        run: &RunId,
        verb: &str,
        since: Timestamp,
    ) -> Result<Self, LockError> {
        let failed = |source: io::Error| LockError::File { service: service.clone(), source };
        durable::make_directory(directory, 0o755).map_err(failed)?;
        let path = directory.join(format!("{service}.lock"));
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
        let mut file = open.map_err(failed)?;
        if !seize(&file).map_err(failed)? {
            return Err(LockError::Busy { service: service.clone(), holder: holder(&mut file) });
        }
        let text = format!("{verb} (run {run}, process {}) since {since:.0}\n", std::process::id());
        write_holder(&mut file, &text).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock of a service now; nothing: nobody does, or it cannot be told.
#[must_use]
pub fn held_by(directory: &Path, service: &ServiceName) -> Option<String> {
    let mut file = File::open(directory.join(format!("{service}.lock"))).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(holder(&mut file)),
        _ => None,
    }
}

/// What the last holder of a service's lock wrote into it, for whom it is known to be held.
#[must_use]
pub fn written_by_holder(directory: &Path, service: &ServiceName) -> Option<String> {
    Some(holder(&mut File::open(directory.join(format!("{service}.lock"))).ok()?))
}

/// Takes hold of a file that nobody holds; whoever only looks whether it is held is gone in a moment.
pub(crate) fn seize(file: &File) -> io::Result<bool> {
    for _ in 0..50 {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(1)),
            result => return Ok(result.map(|()| true)?),
        }
    }
    Ok(false)
}

fn write_holder(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// What the holder wrote; it may be about to.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(1024).read_to_string(&mut text);
    let line = text.lines().next().unwrap_or_default();
    if read.is_err() || line.is_empty() { "it has just begun".to_owned() } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_holds_the_service() {
        let directory = tempfile::tempdir().unwrap();
        let service: ServiceName = "notes".parse().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let take = || ServiceLock::take(directory.path(), &service, &run, "backup", Timestamp::UNIX_EPOCH);
        let first = take().unwrap();
        let Err(LockError::Busy { holder, .. }) = take() else { panic!("the lock was given twice") };
        assert!(holder.starts_with("backup (run r1"), "{holder}");
        assert_eq!(run_of(&holder), Some(run.clone()));
        assert!(holder.ends_with("since 1970-01-01T00:00:00Z"), "{holder}");
        assert_eq!(held_by(directory.path(), &service), Some(holder));
        drop(first);
        assert_eq!(held_by(directory.path(), &service), None);
        assert!(take().is_ok());
        assert!(directory.path().join("notes.lock").exists());
    }
}
