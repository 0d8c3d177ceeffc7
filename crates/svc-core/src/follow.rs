//! A run that another process does, told by its log while that grows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::event::{Body, Event};
use crate::history;
use crate::names::RunId;
use crate::report::Report;
use crate::run_log;

/// How often it is looked whether the log has grown; a run writes at most two lines of progress a second.
const LOOK: Duration = Duration::from_millis(50);
/// How many looks in vain a run may take to begin, and a recovery to take over from one that died: 20 s.
const GRACE: u32 = 400;

/// A run cannot be followed to its end.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Its log cannot be read.
    #[error("the run log `{path}` cannot be read")]
    Log {
        /// Its path.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// It died, and nobody has done what it owes.
    #[error("run {run} died")]
    Died {
        /// The run.
        run: RunId,
    },
}

/// Sends every event of a run on, from its first to its last, and returns how it ended. A run that died is followed into
/// its recovery.
///
/// # Errors
/// When its log cannot be read, or nobody writes into it any more.
pub async fn follow(
    directory: &Path,
    run: &RunId,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<Report, FollowError> {
    let path = history::log(directory, run);
    let failed = |source| FollowError::Log { path: path.clone(), source };
    let mut log = Growing::open(&path).map_err(failed)?;
    let mut silent = 0;
    loop {
        let mut report = None;
        let came = log.read(&mut |event| {
            report = match &event.body {
                Body::RunFinished { report } => Some(report.clone()),
                _ => None,
            };
            // Whoever showed it may be gone; the end is awaited all the same.
            let _ = events.send(event);
        });
        let came = came.map_err(failed)?;
        if let Some(report) = report {
            return Ok(report);
        }
        if came || run_log::is_held(&path).map_err(failed)? {
            silent = 0;
        } else if silent >= GRACE {
            return Err(FollowError::Died { run: run.clone() });
        }
        silent += 1;
        tokio::time::sleep(LOOK).await;
    }
}

/// A log that is still being written.
struct Growing {
    file: File,
    /// The beginning of a line that is still being written; a plan of many services is a long one.
    open: Vec<u8>,
}

impl Growing {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, open: Vec::new() })
    }

    /// Takes what has come; whether anything has.
    fn read(&mut self, take: &mut dyn FnMut(Event)) -> io::Result<bool> {
        let came = self.file.read_to_end(&mut self.open)? > 0;
        let end = self.open.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = self.open.drain(..end).collect();
        run_log::parse(&whole).into_iter().for_each(take);
        Ok(came)
    }
}
