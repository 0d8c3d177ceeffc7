//! The journal of a service's units, read by `journalctl`: one process at a time for all of them.

mod entry;
mod program;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::LogRequest;
use super::lane::{Gone, Lane};
use super::line::{LogLine, LogStream, Source};
use crate::code::Code;
use crate::failure::Failure;
use crate::names::UnitName;
use entry::Entry;
pub use program::Journal;
use program::{Ended, Portion, Running};

/// An entry is dated before it can be read. Where there was none, a new one may be so much older than the search.
const MARGIN: Duration = Duration::from_mins(1);

/// The journal of these units as a source.
pub(super) struct JournalLog {
    pub(super) journal: Journal,
    pub(super) units: Vec<(UnitName, Arc<Source>)>,
    pub(super) request: LogRequest,
    /// When reading began.
    pub(super) now: Timestamp,
}

/// How far it has been read.
enum Place {
    After(String),
    Since(Option<Timestamp>),
}

impl JournalLog {
    /// Reads until there is nothing more to come, or no reader.
    pub(super) async fn run(self, lane: Lane) {
        // Without a reader there is nobody to tell.
        let _ = self.read(&lane).await;
    }

    async fn read(&self, lane: &Lane) -> Result<(), Gone> {
        let request = &self.request;
        let mut place = Place::Since(request.since);
        if request.tail == Some(0) {
            place = Place::Since(Some(self.now));
        } else {
            // A search goes through all of it.
            let tail = request.tail.filter(|_| request.grep.is_none());
            let lines = tail.map_or_else(|| "--lines=all".to_owned(), |tail| format!("--lines={tail}"));
            if !self.portion(lane, vec![lines], &mut place).await? {
                return Ok(());
            }
            if let Place::Since(since) = &mut place {
                let begin = self.now.saturating_sub(MARGIN).unwrap_or(self.now);
                *since = (*since).max(Some(begin));
            }
        }
        lane.live()?;
        if request.follow {
            self.portion(lane, vec!["--follow".to_owned(), "--no-tail".to_owned()], &mut place).await?;
        }
        Ok(())
    }

    /// One process from its start to its end; false: it ended badly, and the reader knows.
    async fn portion(&self, lane: &Lane, mut more: Vec<String>, place: &mut Place) -> Result<bool, Gone> {
        more.extend(self.units.iter().map(|(unit, _)| self.journal.unit(unit)));
        more.extend(place.argument());
        let mut running = match Running::start(&self.journal, &more) {
            Ok(running) => running,
            Err(failure) => {
                lane.note(failure);
                return Ok(false);
            }
        };
        let sources: HashMap<&str, &Arc<Source>> =
            self.units.iter().map(|(unit, source)| (unit.as_str(), source)).collect();
        let mut last = self.now;
        loop {
            match running.next().await {
                Portion::Lines(raw) => {
                    let mut lines = Vec::with_capacity(raw.len());
                    for line in &raw {
                        let Some(entry) = entry::read(line, last) else { continue };
                        last = entry.at;
                        if let Some(cursor) = &entry.cursor {
                            *place = Place::After(cursor.clone());
                        }
                        lines.extend(self.line(entry, &sources));
                    }
                    lane.send(lines).await?;
                }
                Portion::End(ended) => return Ok(judge(lane, &ended)),
            }
        }
    }

    fn line(&self, entry: Entry, sources: &HashMap<&str, &Arc<Source>>) -> Option<LogLine> {
        let named = entry.units.iter().find_map(|unit| sources.get(unit.as_str()));
        let source = Arc::clone(named.copied().or_else(|| self.units.first().map(|(_, source)| source))?);
        let wanted = self.request.since.is_none_or(|since| entry.at >= since);
        let (at, message, priority) = (entry.at, entry.message, entry.priority);
        wanted.then_some(LogLine { at, source, stream: LogStream::Journal, message, priority })
    }
}

impl Place {
    fn argument(&self) -> Option<String> {
        match self {
            Self::After(cursor) => Some(format!("--after-cursor={cursor}")),
            Self::Since(since) => since.map(|since| {
                let micros = since.as_microsecond().max(0);
                format!("--since=@{}.{:06}", micros / 1_000_000, micros % 1_000_000)
            }),
        }
    }
}

/// Tells the reader what `journalctl` had to say.
fn judge(lane: &Lane, ended: &Ended) -> bool {
    let text = ended.stderr.trim();
    let is_closed = ["not seeing messages", "insufficient permissions", "Permission denied"];
    if is_closed.iter().any(|words| text.contains(words)) {
        let failure = Failure::new(Code::Permission, "this user may not read all of the journal");
        lane.note(failure.hint("join the group `systemd-journal`, or use sudo"));
    } else if !ended.success {
        let failure = Failure::new(Code::ManagerUnreachable, "the journal cannot be read any further");
        lane.note(if text.is_empty() { failure.because(ended.how.clone()) } else { failure.because(text) });
    }
    ended.success
}
