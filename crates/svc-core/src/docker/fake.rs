//! A Docker engine in memory that behaves as the real one does, fails on demand and remembers what it was asked.

mod container;
mod stack;
mod writing;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

pub use self::container::FakeContainer;
use super::{
    Container, ContainerDetails, ContainerState, Docker, DockerError, HappeningKind, Happenings, LogQuery,
    Volume, Writing,
};
use crate::testing::{Script, When};

/// The socket the fake gives as its own.
const SOCKET: &str = "fake:docker.sock";
/// What the real client grants a start, a pause or a question.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// What the real client grants a stop beyond the container's own timeout.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// What can be done to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DockerVerb {
    /// `inspect`.
    Inspect,
    /// `stop`.
    Stop,
    /// `start`.
    Start,
    /// `pause`.
    Pause,
    /// `unpause`.
    Unpause,
    /// `logs`.
    Logs,
}

impl fmt::Display for DockerVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inspect => "inspect",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Logs => "logs",
        })
    }
}

/// A question or an order that reached the fake. Each is one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerCall {
    /// `containers`.
    Containers,
    /// `volumes`.
    Volumes,
    /// `happenings`.
    Happenings,
    /// Anything about one container, with its name; what was asked for if there is none.
    Container(DockerVerb, String),
}

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerFault {
    /// The engine refuses it with this error.
    Error(DockerError),
    /// It never ends: `Deadline`, and the container stays as it is.
    Hang,
    /// It ends well, but only after this time.
    Slow(Duration),
    /// A start succeeds, and the container ends at once with this code.
    Exits(i64),
}

type Key = (DockerVerb, String);
type Hook = Arc<dyn Fn() + Send + Sync>;
type Observer = Arc<dyn Fn(&DockerCall) + Send + Sync>;

#[derive(Default)]
struct Inner {
    containers: Vec<FakeContainer>,
    /// Containers that `compose down` removed and `compose up` would make again.
    removed: Vec<FakeContainer>,
    volumes: Vec<Volume>,
    desk: writing::Desk,
    unreachable: bool,
    made: u64,
    calls: Vec<DockerCall>,
    script: Script<Key, DockerFault>,
    hooks: Vec<(Key, Hook)>,
    observers: Vec<Observer>,
}

/// The fake engine; clones share one state. Containers are found by name or by id.
#[derive(Clone, Default)]
pub struct FakeDocker {
    inner: Arc<Mutex<Inner>>,
}

impl FakeDocker {
    /// An engine without containers and volumes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more container.
    #[must_use]
    pub fn with(self, container: FakeContainer) -> Self {
        self.add(container);
        self
    }

    /// Adds a container, and the volumes it mounts as plain local ones where they are missing.
    pub fn add(&self, mut container: FakeContainer) {
        let mut inner = self.lock();
        for name in &container.volumes {
            inner.add_volume(container::plain_volume(name));
        }
        container.id = inner.new_id();
        inner.containers.push(container);
    }

    /// Adds a volume; one of that name must not be there yet.
    pub fn add_volume(&self, volume: Volume) {
        self.lock().add_volume(volume);
    }

    /// Makes calls of this verb on this container (by name) go wrong.
    pub fn fault(&self, verb: DockerVerb, container: &str, when: When, fault: DockerFault) {
        self.lock().script.add((verb, container.to_owned()), when, fault);
    }

    /// Lets all calls go well again.
    pub fn clear_faults(&self) {
        self.lock().script.clear();
    }

    /// Runs `hook` after this verb has really changed this container, so that a unit can bring it up again, say.
    pub fn on_done(&self, verb: DockerVerb, container: &str, hook: impl Fn() + Send + Sync + 'static) {
        self.lock().hooks.push(((verb, container.to_owned()), Arc::new(hook)));
    }

    /// Tells `observer` of every call, at its begin: one order across several fakes.
    pub fn on_call(&self, observer: impl Fn(&DockerCall) + Send + Sync + 'static) {
        self.lock().observers.push(Arc::new(observer));
    }

    /// Takes the engine away, or gives it back. A call under way when it goes ends `Unreachable`.
    pub fn set_reachable(&self, reachable: bool) {
        let mut inner = self.lock();
        inner.unreachable = !reachable;
        if !reachable {
            inner.desk.hang_up();
        }
    }

    /// Every call so far, in the order they began.
    #[must_use]
    pub fn calls(&self) -> Vec<DockerCall> {
        self.lock().calls.clone()
    }

    /// The calls that change something.
    #[must_use]
    pub fn orders(&self) -> Vec<(DockerVerb, String)> {
        let order = |call| match call {
            DockerCall::Container(DockerVerb::Inspect | DockerVerb::Logs, _)
            | DockerCall::Containers
            | DockerCall::Volumes
            | DockerCall::Happenings => None,
            DockerCall::Container(verb, name) => Some((verb, name)),
        };
        self.calls().into_iter().filter_map(order).collect()
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.lock().calls.len()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.lock().calls.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call; an error when nobody answers.
    async fn enter(&self, call: DockerCall) -> Result<(), DockerError> {
        let observers = {
            let mut inner = self.lock();
            inner.calls.push(call.clone());
            inner.observers.clone()
        };
        for observer in observers {
            observer(&call);
        }
        // A real call gives other tasks their turn, so that a test sees them interleave.
        tokio::task::yield_now().await;
        self.reachable()
    }

    fn reachable(&self) -> Result<(), DockerError> {
        if self.lock().unreachable {
            let reason = "the fake is unreachable".to_owned();
            return Err(DockerError::Unreachable { socket: SOCKET.to_owned(), reason });
        }
        Ok(())
    }

    /// Everything that happens before the engine touches the container; gives back its name and its fault, if any.
    async fn begin(
        &self,
        verb: DockerVerb,
        asked: &str,
    ) -> Result<(String, Option<DockerFault>), DockerError> {
        let (name, limit) = {
            let inner = self.lock();
            let found = inner.find(asked);
            let name = found.map_or(asked, |c| &c.name).to_owned();
            let limit = match (verb, found) {
                (DockerVerb::Stop, Some(c)) => c.stop_timeout + STOP_MARGIN,
                _ => START_DEADLINE,
            };
            (name, limit)
        };
        self.enter(DockerCall::Container(verb, name.clone())).await?;
        let fault = self.lock().script.next(&(verb, name.clone()));
        let takes = match &fault {
            Some(DockerFault::Error(error)) => return Err(error.clone()),
            Some(DockerFault::Hang) => Some(Duration::MAX),
            Some(DockerFault::Slow(takes)) => Some(*takes),
            Some(DockerFault::Exits(_)) | None => None,
        };
        if let Some(takes) = takes {
            tokio::time::sleep(takes.min(limit)).await;
            self.reachable()?;
            if takes > limit {
                let action = format!("{verb} `{name}`");
                return Err(DockerError::Deadline { action, seconds: limit.as_secs() });
            }
        }
        Ok((name, fault))
    }

    /// One order. The engine goes on with it when the asker is gone.
    async fn order(&self, verb: DockerVerb, asked: &str) -> Result<(), DockerError> {
        let (fake, container) = (self.clone(), asked.to_owned());
        let work = tokio::spawn(async move { fake.carry_out(verb, &container).await });
        let lost = |error: tokio::task::JoinError| DockerError::Refused {
            action: format!("{verb} `{asked}`"),
            reason: error.to_string(),
        };
        work.await.map_err(lost)?
    }

    /// The script first, then the change, then the hooks if something changed.
    async fn carry_out(&self, verb: DockerVerb, asked: &str) -> Result<(), DockerError> {
        let (name, fault) = self.begin(verb, asked).await?;
        let hooks: Vec<Hook> = {
            let mut inner = self.lock();
            let Some(container) = inner.find_mut(&name) else { return Err(no_container(asked)) };
            let changed = container.obey(verb).map_err(|reason| {
                let action = format!("{verb} `{name}`");
                DockerError::Refused { action, reason: reason.to_owned() }
            })?;
            if let (DockerVerb::Start, Some(DockerFault::Exits(code))) = (verb, fault) {
                container.exit(code);
            }
            let container = container.clone();
            match verb {
                DockerVerb::Start if changed => inner.desk.tell(HappeningKind::Started, &container),
                _ => inner.desk.note_change(),
            }
            let wanted = |(key, _): &&(Key, Hook)| changed && *key == (verb, name.clone());
            inner.hooks.iter().filter(wanted).map(|(_, hook)| Arc::clone(hook)).collect()
        };
        for hook in hooks {
            hook();
        }
        Ok(())
    }
}

impl Inner {
    fn new_id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", self.made)
    }

    fn add_volume(&mut self, volume: Volume) {
        if self.volumes.iter().all(|v| v.name != volume.name) {
            self.volumes.push(volume);
        }
    }

    fn find(&self, asked: &str) -> Option<&FakeContainer> {
        self.containers.iter().find(|c| c.name == asked || c.id == asked)
    }

    fn find_mut(&mut self, asked: &str) -> Option<&mut FakeContainer> {
        self.containers.iter_mut().find(|c| c.name == asked || c.id == asked)
    }
}

fn no_container(name: &str) -> DockerError {
    DockerError::NotFound { kind: "container", name: name.to_owned() }
}

#[async_trait]
impl Docker for FakeDocker {
    async fn containers(&self) -> Result<Vec<Container>, DockerError> {
        self.enter(DockerCall::Containers).await?;
        Ok(self.lock().containers.iter().map(FakeContainer::container).collect())
    }

    async fn volumes(&self) -> Result<Vec<Volume>, DockerError> {
        self.enter(DockerCall::Volumes).await?;
        Ok(self.lock().volumes.clone())
    }

    async fn inspect(&self, container: &str) -> Result<ContainerDetails, DockerError> {
        let (name, _) = self.begin(DockerVerb::Inspect, container).await?;
        self.lock().find(&name).map(FakeContainer::details).ok_or_else(|| no_container(container))
    }

    async fn stop(&self, container: &str) -> Result<(), DockerError> {
        self.order(DockerVerb::Stop, container).await
    }

    async fn start(&self, container: &str) -> Result<(), DockerError> {
        self.order(DockerVerb::Start, container).await
    }

    async fn pause(&self, container: &str) -> Result<(), DockerError> {
        self.order(DockerVerb::Pause, container).await
    }

    async fn unpause(&self, container: &str) -> Result<(), DockerError> {
        self.order(DockerVerb::Unpause, container).await
    }

    async fn logs(&self, container: &str, query: LogQuery) -> Result<Writing, DockerError> {
        let (name, _) = self.begin(DockerVerb::Logs, container).await?;
        let id = self.lock().find(&name).map(|container| container.id.clone());
        Ok(self.writing(id.ok_or_else(|| no_container(container))?, query))
    }

    async fn happenings(&self) -> Result<Happenings, DockerError> {
        self.enter(DockerCall::Happenings).await?;
        Ok(self.listen())
    }
}
