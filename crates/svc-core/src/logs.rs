//! What a service's units and containers write, as one stream in the order of time.
//!
//! Each source is a task that reads as fast as its *lane* has credit; the mixer merges the lanes and hands on. So a
//! slow reader slows the sources down, and nothing grows.

mod container;
mod joiner;
mod journal;
mod lane;
mod line;
mod merge;
mod mixer;
mod position;
mod sources;
mod tail;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use regex::Regex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::code::Code;
use crate::config::Service;
use crate::docker::Docker;
use crate::failure::Failure;
pub use journal::Journal;
pub use line::{LogLine, LogStream, Source};
pub use sources::Sources;

use container::Starter;
use journal::JournalLog;
use lane::Lanes;
use mixer::Mixer;
use watch::Watch;

/// Which lines are wanted.
#[derive(Debug, Clone)]
pub struct LogRequest {
    /// Nothing from before this moment.
    pub since: Option<Timestamp>,
    /// Of what is there already the last so many lines; nothing: all.
    pub tail: Option<usize>,
    /// Only messages in which this is found.
    pub grep: Option<Regex>,
    /// Go on with what is written from now on.
    pub follow: bool,
}

/// What the reader is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A line.
    Line(LogLine),
    /// A source cannot be read, or no longer; the others go on.
    Note(Failure),
}

/// Where the sources are.
#[derive(Clone)]
pub struct Systems {
    /// Docker.
    pub docker: Arc<dyn Docker>,
    /// The journal.
    pub journal: Journal,
    /// What time it is.
    pub now: fn() -> Timestamp,
}

/// Reads a service's logs until they end or the reader is gone; gives the worst of what was noted.
///
/// With `follow` there is no end as long as anything may go on.
pub async fn read(
    service: &Service,
    sources: Sources,
    systems: &Systems,
    request: &LogRequest,
    out: mpsc::Sender<Vec<Told>>,
) -> Code {
    let Sources { units, containers, docker, systemd, may_have_containers, names, .. } = sources;
    let (lanes, heard) = Lanes::new();
    // All lanes are there before the first source speaks: the past is complete when none is behind.
    let journal = (!units.is_empty()).then(|| lanes.open(false));
    let containers: Vec<_> = containers.into_iter().map(|one| (one, lanes.open(false))).collect();
    let is_away = docker.is_some();
    for failure in docker.into_iter().chain(systemd) {
        lanes.note(failure);
    }
    let now = (systems.now)();
    let mut tasks = JoinSet::new();
    if let Some(lane) = journal {
        let (journal, request) = (systems.journal.clone(), request.clone());
        tasks.spawn(JournalLog { journal, units, request, now }.run(lane));
    }
    let starter = Starter { docker: Arc::clone(&systems.docker), request: request.clone(), now };
    let mut watch = Watch::new(service.clone(), starter, names, is_away);
    for ((container, source), lane) in containers {
        watch.begin(&container, source, lane);
    }
    if request.follow && may_have_containers {
        tasks.spawn(watch.run(lanes));
    } else {
        drop(lanes);
        tasks.spawn(watch.finish());
    }
    Mixer::new(heard, request, systems.now, out).run().await
}
