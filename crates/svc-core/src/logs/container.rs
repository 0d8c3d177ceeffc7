//! One container as a source: its past, what it goes on to write, and the same again after each start.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use super::LogRequest;
use super::joiner::Joiner;
use super::lane::{Gone, Lane};
use super::line::Source;
use super::position::Position;
use crate::docker::{ContainerState, Docker, DockerError, LogQuery};
use crate::failure::Failure;

/// Before a log that ended although its container runs is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of a container's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// How often it was seen to start.
    pub(super) starts: u64,
    /// It was removed.
    pub(super) gone: bool,
}

/// What all containers' readers share.
#[derive(Clone)]
pub(super) struct Starter {
    pub(super) docker: Arc<dyn Docker>,
    pub(super) request: LogRequest,
    /// When reading began.
    pub(super) now: Timestamp,
}

/// The log of one container.
pub(super) struct ContainerLog {
    pub(super) starter: Starter,
    pub(super) id: String,
    pub(super) source: Arc<Source>,
    pub(super) life: watch::Receiver<Life>,
    /// It was there before reading began.
    pub(super) has_past: bool,
}

impl ContainerLog {
    /// Reads until there is nothing more to come, or no reader.
    pub(super) async fn run(mut self, lane: Lane) {
        // Without a reader there is nobody to tell.
        let _ = self.read(&lane).await;
    }

    async fn read(&mut self, lane: &Lane) -> Result<(), Gone> {
        let request = &self.starter.request;
        let wants_past = self.has_past && request.tail != Some(0);
        let mut position = match request.since {
            _ if !wants_past => Position::at(self.starter.now),
            Some(since) => Position::at(since),
            None => Position::default(),
        };
        if self.has_past {
            if wants_past {
                // A search goes through all of it.
                let tail = request.tail.filter(|_| request.grep.is_none());
                let ended = self.portion(lane, &mut position, false, tail).await?;
                if !goes_on(lane, ended) {
                    return Ok(());
                }
            }
            lane.live()?;
        }
        if self.starter.request.follow {
            self.follow(lane, &mut position).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, lane: &Lane, position: &mut Position) -> Result<(), Gone> {
        loop {
            let starts = self.life.borrow_and_update().starts;
            let ended = self.portion(lane, position, true, None).await?;
            if !goes_on(lane, ended) || !self.next_start(starts).await {
                return Ok(());
            }
        }
    }

    /// Waits until there may be more to read; false: there never will be.
    async fn next_start(&mut self, starts: u64) -> bool {
        // A proxy before the engine may close what is idle although the container runs.
        let state = self.starter.docker.inspect(&self.id).await.map(|details| details.state);
        let is_up = matches!(state, Ok(ContainerState::Running | ContainerState::Paused));
        let next = self.life.wait_for(|life| life.gone || life.starts != starts);
        let next = if is_up { timeout(AGAIN, next).await } else { Ok(next.await) };
        match next {
            // Nothing was heard, and it ran.
            Err(_) => true,
            Ok(Ok(life)) => !life.gone,
            // Nobody looks for starts any more.
            Ok(Err(_)) => false,
        }
    }

    /// One request: everything it answers.
    async fn portion(
        &self,
        lane: &Lane,
        position: &mut Position,
        follow: bool,
        tail: Option<usize>,
    ) -> Result<Result<(), DockerError>, Gone> {
        let query = LogQuery { follow, since: position.resume(), tail };
        let mut writing = match self.starter.docker.logs(&self.id, query).await {
            Ok(writing) => writing,
            Err(error) => return Ok(Err(error)),
        };
        let mut joiner = Joiner::new(Arc::clone(&self.source));
        let mut ended = Ok(());
        while let Some(portion) = writing.next().await {
            let mut lines = Vec::new();
            match portion {
                Ok(entries) => {
                    let new = entries.into_iter().filter(|entry| position.take(entry));
                    new.for_each(|entry| joiner.push(entry, &mut lines));
                }
                Err(error) => ended = Err(error),
            }
            lane.send(lines).await?;
        }
        lane.send(joiner.finish()).await?;
        Ok(ended)
    }
}

/// Whether there may be more after an answer that ended so; the reader is told of what nobody else tells.
fn goes_on(lane: &Lane, ended: Result<(), DockerError>) -> bool {
    match ended {
        // That the engine is away is told once for all containers.
        Ok(()) | Err(DockerError::Unreachable { .. }) => true,
        Err(DockerError::NotFound { .. }) => false,
        Err(DockerError::Refused { reason, .. }) if reason.contains("marked for removal") => false,
        Err(error @ DockerError::Deadline { .. }) => {
            lane.note(Failure::from(&error));
            true
        }
        Err(error @ (DockerError::Denied { .. } | DockerError::Refused { .. })) => {
            lane.note(Failure::from(&error));
            false
        }
    }
}
