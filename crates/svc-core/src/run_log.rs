//! The run log: every event of a run, a JSON line each, in `<stateDir>/runs/<id>/log.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation};

use crate::durable;
use crate::event::{Body, Event};
use crate::lock::seize;
use crate::names::RunId;

/// Room taken before anything is stopped, so that a full disk cannot silence the log half way. Bytes.
const RESERVED: u64 = 1 << 20;
/// Room for all else that a run writes beside its log: plan, manifests, records. Bytes.
const ROOM: u64 = 256 << 10;

/// The log of one run, open for appending.
#[derive(Debug)]
pub struct RunLog {
    file: File,
    path: PathBuf,
    /// A line may have been cut short by a full disk: the next one begins anew.
    torn: bool,
}

/// The log cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the run log `{path}` cannot be written")]
pub struct RunLogError {
    /// Its path.
    pub path: PathBuf,
    /// What the file system said.
    #[source]
    pub source: io::Error,
}

impl RunLog {
    /// Makes the run's directory and an empty log in it, with room reserved.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(runs: &Path, run: &RunId) -> Result<Self, RunLogError> {
        let directory = runs.join(run.as_str());
        let path = directory.join("log.jsonl");
        let make = || {
            durable::make_directory(&directory, 0o750)?;
            let file = OpenOptions::new().append(true).create_new(true).mode(0o640).open(&path)?;
            hold(&file)?;
            reserve(&file, RESERVED)?;
            // Taken and given back: what is free is not free for everybody.
            reserve(&tempfile::tempfile_in(&directory)?, ROOM)?;
            durable::sync_directory(&directory)?;
            durable::sync_directory(runs)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok(Self { file, path, torn: false }),
            Err(source) => Err(RunLogError { path, source }),
        }
    }

    /// Opens the log of a run that died, to write on in it; nothing: it is at work, or another one does so already.
    ///
    /// # Errors
    /// What the file system says.
    pub fn reopen(runs: &Path, run: &RunId) -> Result<Option<Self>, RunLogError> {
        let path = runs.join(run.as_str()).join("log.jsonl");
        let open = || {
            let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
            if !seize(&file)? {
                return Ok(None);
            }
            let torn = is_torn(&mut file)?;
            reserve(&file, RESERVED)?;
            Ok(Some((file, torn)))
        };
        match open() {
            Ok(opened) => Ok(opened.map(|(file, torn)| Self { file, path, torn })),
            Err(source) => Err(RunLogError { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an event; one that is durable is on disk when this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn append(&mut self, event: &Event) -> Result<(), RunLogError> {
        let failed = |source| RunLogError { path: self.path.clone(), source };
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, event).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        self.torn = written.is_err();
        written.map_err(failed)?;
        if event.body.is_durable() { self.file.sync_data().map_err(failed) } else { Ok(()) }
    }
}

/// Shows that the run is at work; the kernel lets go when its process ends, however it ends.
fn hold(file: &File) -> io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        // Somebody looks whether it is held, at this very moment: that is over at once.
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(rustix::fs::flock(file, FlockOperation::LockExclusive)?),
        result => Ok(result?),
    }
}

/// Whether its last line has no end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(io::SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Whether the run of a log is at work.
///
/// # Errors
/// When the log cannot be opened.
pub fn is_held(path: &Path) -> io::Result<bool> {
    match rustix::fs::flock(File::open(path)?, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Takes the room without changing the size, so that readers see only lines.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        // Some file systems cannot; a full one shows at the first line then.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads a log. What is torn or unknown at its end, or made by a newer svc, is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    let text = std::fs::read(path)?;
    Ok(parse(&text))
}

/// The first and the last event of a log; the many between them are not even looked at.
///
/// # Errors
/// When the file cannot be read.
pub fn ends(path: &Path) -> io::Result<(Option<Event>, Option<Event>)> {
    let text = std::fs::read(path)?;
    let mut lines = whole(&text).split(|&byte| byte == b'\n');
    let read = |line: &[u8]| serde_json::from_slice(line).ok();
    Ok((lines.next().and_then(read), whole(&text).rsplit(|&byte| byte == b'\n').next().and_then(read)))
}

/// The text up to its last whole line.
fn whole(text: &[u8]) -> &[u8] {
    text.iter().rposition(|&byte| byte == b'\n').and_then(|end| text.get(..end)).unwrap_or_default()
}

/// Whether the last whole line of a log's text is the end of its run.
pub(crate) fn is_ended(text: &[u8]) -> bool {
    let last = whole(text).rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let event: Option<Event> = serde_json::from_slice(last).ok();
    event.is_some_and(|event| matches!(event.body, Body::RunFinished { .. }))
}

/// The events of a log's text; a line without its end is not one yet.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Event> {
    whole(text).split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn event(seq: u64) -> Event {
        let body = Body::Note { service: None, text: format!("note {seq}\nsecond line") };
        Event { seq, at: Timestamp::UNIX_EPOCH, run: "r1".parse().unwrap(), body }
    }

    #[test]
    fn a_log_is_read_back_and_a_torn_last_line_is_left_out() {
        let runs = tempfile::tempdir().unwrap();
        let mut log = RunLog::create(runs.path(), &"r1".parse().unwrap()).unwrap();
        log.append(&event(0)).unwrap();
        log.append(&event(1)).unwrap();
        assert_eq!(read(log.path()).unwrap(), [event(0), event(1)]);
        let text = std::fs::read(log.path()).unwrap();
        for cut in 0..text.len() {
            let whole = String::from_utf8_lossy(&text[..cut]).matches('\n').count();
            assert_eq!(parse(&text[..cut]).len(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_a_full_disk_cut_short_does_not_swallow_the_next() {
        let runs = tempfile::tempdir().unwrap();
        let mut log = RunLog::create(runs.path(), &"r1".parse().unwrap()).unwrap();
        log.append(&event(0)).unwrap();
        log.file.write_all(b"{\"seq\":1,\"at\":\"19").unwrap();
        log.torn = true;
        log.append(&event(2)).unwrap();
        log.append(&event(3)).unwrap();
        assert_eq!(read(log.path()).unwrap(), [event(0), event(2), event(3)]);
    }

    #[test]
    fn a_second_run_of_the_same_id_is_refused() {
        let runs = tempfile::tempdir().unwrap();
        let run = "r1".parse().unwrap();
        let _first = RunLog::create(runs.path(), &run).unwrap();
        assert!(RunLog::create(runs.path(), &run).is_err());
    }
}
