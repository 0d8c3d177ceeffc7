//! Containers that come, go and come again while their logs are read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::container::{ContainerLog, Life, Starter};
use super::lane::{Lane, Lanes};
use super::line::Source;
use super::sources::Names;
use crate::config::Service;
use crate::docker::{Container, DockerError, Happening, HappeningKind};
use crate::failure::Failure;
use crate::observe::{belongs, is_part};

/// Before an engine that is away is looked for again; the longest wait.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Keeps one reader for each container of the service.
pub(super) struct Watch {
    service: Service,
    starter: Starter,
    names: Names,
    readers: JoinSet<()>,
    lives: HashMap<String, watch::Sender<Life>>,
    /// The reader has been told that the engine is away.
    is_away: bool,
}

impl Watch {
    pub(super) fn new(service: Service, starter: Starter, names: Names, is_away: bool) -> Self {
        Self { service, starter, names, readers: JoinSet::new(), lives: HashMap::new(), is_away }
    }

    /// Reads a container that was there from the beginning.
    pub(super) fn begin(&mut self, container: &Container, source: Arc<Source>, lane: Lane) {
        self.read(&container.id, source, lane, true);
    }

    /// Waits until all containers have been read.
    pub(super) async fn finish(mut self) {
        self.lives.clear();
        while self.readers.join_next().await.is_some() {}
    }

    /// Looks for starts and removals as long as there is a reader.
    pub(super) async fn run(mut self, lanes: Lanes) {
        tokio::select! {
            () = self.look(&lanes) => {}
            () = lanes.closed() => {}
        }
        self.readers.shutdown().await;
    }

    async fn look(&mut self, lanes: &Lanes) {
        let mut pause = PATIENCE.0;
        let mut is_first = !self.is_away;
        loop {
            match self.listen(lanes, is_first).await {
                Ok(()) => pause = PATIENCE.0,
                Err(error) => {
                    self.tell(lanes, &error);
                    if matches!(error, DockerError::Denied { .. }) {
                        return;
                    }
                }
            }
            is_first = false;
            sleep(pause).await;
            pause = (pause * 2).min(PATIENCE.1);
        }
    }

    /// Listens until the engine hangs up.
    async fn listen(&mut self, lanes: &Lanes, is_first: bool) -> Result<(), DockerError> {
        let docker = Arc::clone(&self.starter.docker);
        // First listen, then look: what happens in between is seen twice and not never.
        let mut happenings = docker.happenings().await?;
        let containers = docker.containers().await?;
        self.is_away = false;
        self.compare(&containers, lanes, is_first);
        while let Some(happening) = happenings.next().await {
            self.heed(&happening?, lanes);
        }
        Ok(())
    }

    /// Brings the readers in line with the list.
    fn compare(&mut self, containers: &[Container], lanes: &Lanes, is_first: bool) {
        let own: Vec<&Container> = containers.iter().filter(|one| belongs(&self.service, one)).collect();
        self.lives.retain(|id, life| {
            let is_there = own.iter().any(|container| container.id == *id);
            if !is_there {
                life.send_modify(|life| life.gone = true);
            } else if !is_first {
                // Its log broke off with the engine.
                life.send_modify(|life| life.starts += 1);
            }
            is_there
        });
        for container in own {
            self.adopt(&container.id, &container.name, container.compose.as_ref(), lanes);
        }
    }

    fn heed(&mut self, happening: &Happening, lanes: &Lanes) {
        let Happening { kind, id, name, compose } = happening;
        match kind {
            HappeningKind::Removed => {
                if let Some(life) = self.lives.remove(id) {
                    life.send_modify(|life| life.gone = true);
                }
            }
            HappeningKind::Started => match self.lives.get(id) {
                Some(life) => life.send_modify(|life| life.starts += 1),
                None if is_part(&self.service, name, compose.as_ref()) => {
                    self.adopt(id, name, compose.as_ref(), lanes);
                }
                None => {}
            },
        }
        while self.readers.try_join_next().is_some() {}
    }

    /// Reads a container that was not there in the beginning.
    fn adopt(&mut self, id: &str, name: &str, compose: Option<&crate::docker::ComposeLabels>, lanes: &Lanes) {
        if !self.lives.contains_key(id) && !self.names.is_in_journal(name) {
            let source = self.names.of_container(name, compose);
            self.read(id, source, lanes.open(true), false);
        }
    }

    fn read(&mut self, id: &str, source: Arc<Source>, lane: Lane, has_past: bool) {
        let (sender, life) = watch::channel(Life::default());
        self.lives.insert(id.to_owned(), sender);
        let log = ContainerLog { starter: self.starter.clone(), id: id.to_owned(), source, life, has_past };
        self.readers.spawn(log.run(lane));
    }

    /// Says once that the engine is away, and again only after it was there.
    fn tell(&mut self, lanes: &Lanes, error: &DockerError) {
        if !self.is_away {
            lanes.note(Failure::from(error));
        }
        self.is_away = true;
    }
}
