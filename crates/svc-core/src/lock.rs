//! One mutating run for each service: `<stateDir>/locks/<service>.lock`, never unlinked.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::FlockOperation;

use crate::durable;
use crate::figure::moment;
use crate::names::{RunId, ServiceName};

/// The run that a holder's line names.
#[must_use]
pub fn run_of(holder: &str) -> Option<RunId> {
    let (_, rest) = holder.split_once("(run ")?;
    rest.split_once(',')?.0.parse().ok()
}

/// What the run does that a holder's line names: its verb.
#[must_use]
pub fn verb_of(holder: &str) -> Option<&str> {
    holder.split_once(" (run ").map(|(verb, _)| verb)
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
        durable::make_directory(directory, 0o700).map_err(failed)?;
        let path = directory.join(format!("{service}.lock"));
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = open.map_err(failed)?;
        keep_others_out(directory, &file).map_err(failed)?;
        if !seize(&file).map_err(failed)? {
            return Err(LockError::Busy { service: service.clone(), holder: holder(&mut file) });
        }
        let since = moment(since);
        let text = format!("{verb} (run {run}, process {}) since {since}\n", std::process::id());
        // It is only for people: a full disk does not keep anybody from what has to be done.
        let _ = write_holder(&mut file, &text);
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

/// Whoever can open a lock can hold it. Those of before were open to all.
fn keep_others_out(directory: &Path, file: &File) -> io::Result<()> {
    let close = |metadata: &Metadata, mode| {
        let is_open = metadata.permissions().mode() & 0o077 != 0;
        is_open.then(|| Permissions::from_mode(mode))
    };
    if let Some(closed) = close(&std::fs::metadata(directory)?, 0o700) {
        std::fs::set_permissions(directory, closed)?;
    }
    close(&file.metadata()?, 0o600).map_or(Ok(()), |closed| file.set_permissions(closed))
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
        assert_eq!((verb_of(&holder), run_of(&holder)), (Some("backup"), Some(run.clone())));
        assert!(holder.ends_with("since 1970-01-01 00:00:00 UTC"), "{holder}");
        assert_eq!(held_by(directory.path(), &service), Some(holder));
        drop(first);
        assert_eq!(held_by(directory.path(), &service), None);
        assert!(take().is_ok());
        assert!(directory.path().join("notes.lock").exists());
    }

    #[test]
    fn nobody_else_can_open_a_lock_and_hold_it() {
        let directory = tempfile::tempdir().unwrap();
        let locks = directory.path().join("locks");
        let service: ServiceName = "notes".parse().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for _ in 0..2 {
            drop(ServiceLock::take(&locks, &service, &run, "backup", Timestamp::UNIX_EPOCH).unwrap());
            let path = locks.join("notes.lock");
            assert_eq!((mode(&locks), mode(&path)), (0o700, 0o600));
            // As older versions made them.
            std::fs::set_permissions(&locks, Permissions::from_mode(0o755)).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
    }

    #[test]
    fn a_lock_that_cannot_be_written_into_is_taken_all_the_same() {
        use std::os::fd::AsRawFd;
        let directory = tempfile::tempdir().unwrap();
        // What a full disk does to a file, done to this one for ever.
        let file = rustix::fs::memfd_create("lock", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        let seals = rustix::fs::SealFlags::GROW | rustix::fs::SealFlags::WRITE;
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        std::os::unix::fs::symlink(open, directory.path().join("notes.lock")).unwrap();
        let service: ServiceName = "notes".parse().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let take = || ServiceLock::take(directory.path(), &service, &run, "backup", Timestamp::UNIX_EPOCH);
        let first = take().unwrap();
        assert!(matches!(take(), Err(LockError::Busy { .. })));
        drop(first);
        assert!(take().is_ok());
    }
}
