//! The real engine, over its Unix socket.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker as Client;
use bollard::errors::Error;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListVolumesOptions, StartContainerOptions,
    StopContainerOptions,
};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::stream::{self, Errand};
use super::written::{FILTERS, Happenings, LogQuery, Writing};
use super::{
    Container, ContainerDetails, ContainerState, Docker, DockerError, Volume, reading, refusal, socket,
};

/// The API version spoken first: Docker 25 to 29 know it, and Podman takes any. What an older or newer engine says
/// when it refuses names the version it wants, so that nobody is asked beforehand.
const API_MINOR: usize = 44;
/// How long a question may take.
const QUERY: Duration = Duration::from_secs(10);
/// After this a question makes sure that anybody is there at all,
const PATIENCE: Duration = Duration::from_millis(500);
/// and waits so long for that.
const PING: Duration = Duration::from_millis(1500);
/// How long a start, a pause or its end may take.
const START: Duration = Duration::from_mins(1);
/// How long a stop may take beyond the container's own timeout: the engine needs a moment after it has killed.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// The Docker or Podman engine at a Unix socket. Each request has a connection of its own.
pub struct Engine {
    socket: Arc<Path>,
    api_minor: AtomicUsize,
    query: Duration,
}

impl Engine {
    /// The engine at this socket; does not connect yet.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into().into(), api_minor: AtomicUsize::new(API_MINOR), query: QUERY }
    }

    /// Makes a request and waits for its answer, but not for ever.
    async fn ask<T, Answer: Future<Output = Result<T, Error>>>(
        &self,
        action: &str,
        container: Option<&str>,
        limit: Duration,
        request: impl Fn(Client) -> Answer,
    ) -> Result<T, DockerError> {
        if container.is_some_and(|name| !is_operand(name)) {
            return Err(refusal::no_container(container.unwrap_or_default()));
        }
        let attempt = || async { request(self.client(limit)?).await };
        let answer = timeout(limit, async {
            let answer = attempt().await;
            let Some(minor) = answer.as_ref().err().and_then(refusal::wanted_version) else { return answer };
            self.api_minor.store(minor, Ordering::Relaxed);
            attempt().await
        });
        let late = |_| DockerError::Deadline { action: action.to_owned(), seconds: limit.as_secs() };
        answer.await.map_err(late)?.map_err(|error| refusal::read(&self.socket, action, container, error))
    }

    /// The same of what changes nothing: an engine that does not even answer a ping is not waited for.
    async fn question<T, Answer: Future<Output = Result<T, Error>>>(
        &self,
        action: &str,
        container: Option<&str>,
        request: impl Fn(Client) -> Answer,
    ) -> Result<T, DockerError> {
        let answer = self.ask(action, container, self.query, request);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => return answer,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        tokio::select! {
            answer = &mut answer => answer,
            error = self.silence() => Err(error),
        }
    }

    /// Ends only when the engine hangs.
    async fn silence(&self) -> DockerError {
        let ping = async { self.client(PING)?.ping().await };
        if timeout(PING, ping).await.is_ok() {
            std::future::pending::<()>().await;
        }
        let reason = format!("no answer within {} s", (PATIENCE + PING).as_secs());
        DockerError::Unreachable { socket: self.socket.display().to_string(), reason }
    }

    /// Makes a request whose answer is read as it comes; only its beginning has a deadline, if any.
    async fn open(
        &self,
        path: &str,
        errand: &Errand,
        limit: Option<Duration>,
    ) -> Result<Incoming, DockerError> {
        let get = || async {
            let minor = self.api_minor.load(Ordering::Relaxed);
            stream::get(&self.socket, &format!("/v1.{minor}{path}")).await
        };
        let answer = async {
            let answer = get().await;
            let Some(minor) = answer.as_ref().err().and_then(refusal::wanted_version) else { return answer };
            self.api_minor.store(minor, Ordering::Relaxed);
            get().await
        };
        let answer = match limit {
            Some(limit) => timeout(limit, answer).await.map_err(|_| stream::late(errand, limit))?,
            None => answer.await,
        };
        let container = errand.container.as_deref();
        answer.map_err(|error| refusal::read(&self.socket, &errand.action, container, error))
    }

    fn client(&self, limit: Duration) -> Result<Client, Error> {
        socket::client(&self.socket, self.api_minor.load(Ordering::Relaxed), limit)
    }

    /// Makes a request that the engine refuses with a conflict where there is nothing to do; `wanted` is the state in
    /// which that is so.
    async fn change<Answer: Future<Output = Result<(), Error>>>(
        &self,
        action: &str,
        container: &str,
        wanted: fn(ContainerState) -> bool,
        request: impl Fn(Client) -> Answer,
    ) -> Result<(), DockerError> {
        let refused = match self.ask(action, Some(container), START, request).await {
            Err(error @ DockerError::Refused { .. }) => error,
            other => return other,
        };
        let details = self.inspect(container).await?;
        if wanted(details.state) { Ok(()) } else { Err(refused) }
    }
}

/// Whether this can be the name or id of a container; anything else would change the request's path.
fn is_operand(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
}

#[async_trait]
impl Docker for Engine {
    async fn containers(&self) -> Result<Vec<Container>, DockerError> {
        let request = |client: Client| async move {
            let options = ListContainersOptionsBuilder::default().all(true).build();
            client.list_containers(Some(options)).await
        };
        let listed = self.question("list containers", None, request).await?;
        Ok(listed.into_iter().filter_map(reading::container).collect())
    }

    async fn volumes(&self) -> Result<Vec<Volume>, DockerError> {
        let request = |client: Client| async move { client.list_volumes(None::<ListVolumesOptions>).await };
        let listed = self.question("list volumes", None, request).await?;
        Ok(listed.volumes.unwrap_or_default().into_iter().filter_map(reading::volume).collect())
    }

    async fn inspect(&self, container: &str) -> Result<ContainerDetails, DockerError> {
        let action = format!("inspect `{container}`");
        let request = |client: Client| async move {
            client.inspect_container(container, None::<InspectContainerOptions>).await
        };
        let seen = self.question(&action, Some(container), request).await?;
        Ok(reading::details(container, seen))
    }

    async fn stop(&self, container: &str) -> Result<(), DockerError> {
        let before = self.inspect(container).await?;
        if before.state.is_down() {
            return Ok(());
        }
        let (action, id) = (format!("stop `{container}`"), before.id.as_str());
        let limit = before.stop_timeout.saturating_add(STOP_MARGIN);
        // No `t`: the engine then takes the container's own timeout, as `docker stop` does.
        let request =
            |client: Client| async move { client.stop_container(id, None::<StopContainerOptions>).await };
        let stopped = match self.ask(&action, Some(id), limit, request).await {
            Ok(()) => self.inspect(id).await.map(|after| after.state.is_down()),
            Err(error) => Err(error),
        };
        match stopped {
            Ok(false) => Err(DockerError::Refused { action, reason: "it still runs".to_owned() }),
            // Made with `--rm`: gone as soon as it has ended.
            Ok(true) | Err(DockerError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn start(&self, container: &str) -> Result<(), DockerError> {
        let action = format!("start `{container}`");
        let request = |client: Client| async move {
            client.start_container(container, None::<StartContainerOptions>).await
        };
        self.ask(&action, Some(container), START, request).await
    }

    async fn pause(&self, container: &str) -> Result<(), DockerError> {
        let is_paused = |state| state == ContainerState::Paused;
        let request = |client: Client| async move { client.pause_container(container).await };
        self.change(&format!("pause `{container}`"), container, is_paused, request).await
    }

    async fn unpause(&self, container: &str) -> Result<(), DockerError> {
        let goes_on = |state| state != ContainerState::Paused;
        let request = |client: Client| async move { client.unpause_container(container).await };
        self.change(&format!("unpause `{container}`"), container, goes_on, request).await
    }
    async fn logs(&self, container: &str, query: LogQuery) -> Result<Writing, DockerError> {
        if !is_operand(container) {
            return Err(refusal::no_container(container));
        }
        let limit = Some(self.query).filter(|_| !query.follow);
        let (socket, container) = (Arc::clone(&self.socket), container.to_owned());
        let path = stream::log_path(&container, query);
        let action = format!("read the log of `{container}`");
        let errand = Errand { socket, action, container: Some(container), patience: limit };
        // Podman answers a follower only when there is something to read.
        let body = self.open(&path, &errand, limit).await?;
        Ok(stream::writing(body, errand))
    }

    async fn happenings(&self) -> Result<Happenings, DockerError> {
        let socket = Arc::clone(&self.socket);
        let errand = Errand { socket, action: "tell its events".to_owned(), container: None, patience: None };
        let path = format!("/events?filters={FILTERS}");
        let body = self.open(&path, &errand, Some(self.query)).await?;
        Ok(stream::happenings(body, errand))
    }
}
