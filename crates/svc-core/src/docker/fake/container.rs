//! A container of the fake engine.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::DockerVerb;
use crate::docker::{ComposeLabels, Container, ContainerDetails, ContainerHealth, ContainerState, Volume};
use crate::testing::volume_name;

/// How a container's health check behaves after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// There is none.
    None,
    /// `starting` until the test says otherwise.
    OnDemand,
    /// `healthy` after this time.
    After(Duration),
}

/// A container of the fake engine, created but never started unless told otherwise.
#[derive(Debug, Clone)]
pub struct FakeContainer {
    pub(super) id: String,
    pub(super) name: String,
    image: String,
    pub(super) state: ContainerState,
    check: Check,
    health: Option<ContainerHealth>,
    /// It was paused: the engine calls it unhealthy from then on, until it asks its check again, perhaps much later.
    unasked: bool,
    started: Option<Instant>,
    started_at: Option<Timestamp>,
    exit_code: Option<i64>,
    pub(super) compose: Option<ComposeLabels>,
    pub(super) volumes: Vec<String>,
    restarts: u32,
    unit: Option<String>,
    pub(super) stop_timeout: Duration,
}

impl FakeContainer {
    /// A container of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            id: String::new(),
            name: name.to_owned(),
            image: format!("example/{name}:1"),
            state: ContainerState::Created,
            check: Check::None,
            health: None,
            unasked: false,
            started: None,
            started_at: None,
            exit_code: None,
            compose: None,
            volumes: Vec::new(),
            restarts: 0,
            unit: None,
            // Docker's own default.
            stop_timeout: Duration::from_secs(10),
        }
    }

    /// The container of a compose service, named `<project>-<service>-1`.
    #[must_use]
    pub fn compose(project: &str, service: &str) -> Self {
        let compose = ComposeLabels {
            project: project.to_owned(),
            service: service.to_owned(),
            number: 1,
            depends_on: Vec::new(),
            awaits_end_of: Vec::new(),
            oneoff: false,
        };
        Self { compose: Some(compose), ..Self::new(&format!("{project}-{service}-1")) }
    }

    /// The same, as another of several containers of its compose service.
    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        if let Some(compose) = &mut self.compose {
            compose.number = number;
            self.name = format!("{}-{}-{number}", compose.project, compose.service);
        }
        self
    }

    /// The same, started after this compose service.
    #[must_use]
    pub fn depends_on(mut self, service: &str) -> Self {
        if let Some(compose) = &mut self.compose {
            compose.depends_on.push(service.to_owned());
        }
        self
    }

    /// The same, started after this compose service has ended well.
    #[must_use]
    pub fn awaits_end_of(mut self, service: &str) -> Self {
        if let Some(compose) = &mut self.compose {
            compose.depends_on.push(service.to_owned());
            compose.awaits_end_of.push(service.to_owned());
        }
        self
    }

    /// The same, made by `compose run`.
    #[must_use]
    pub fn oneoff(mut self) -> Self {
        if let Some(compose) = &mut self.compose {
            compose.oneoff = true;
        }
        self
    }

    /// The same, of this image.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// The same, kept by this unit as podman notes it.
    #[must_use]
    pub fn kept_by(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// The same, mounting this volume.
    #[must_use]
    pub fn volume(mut self, name: &str) -> Self {
        self.volumes.push(name.to_owned());
        self
    }

    /// The same with another stop timeout.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// The same, restarted by its policy this often since its last start.
    #[must_use]
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }

    /// The same, running; a health check, if it has one, says healthy. Say so last.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.run();
        self.started_at = Some(Timestamp::UNIX_EPOCH);
        self.health = self.health.map(|_| ContainerHealth::Healthy);
        self
    }

    /// The same, ended with this code.
    #[must_use]
    pub fn exited(mut self, code: i64) -> Self {
        self.exit(code);
        self
    }

    /// The same, between two starts after it ended with this code.
    #[must_use]
    pub fn restarting(mut self, code: i64) -> Self {
        self.exit(code);
        self.in_state(ContainerState::Restarting)
    }

    /// The same in this state.
    #[must_use]
    pub fn in_state(mut self, state: ContainerState) -> Self {
        self.state = state;
        self
    }

    /// The same with a health check; after a start it says `starting` until `FakeDocker::set_health`.
    #[must_use]
    pub fn health_check(mut self) -> Self {
        self.check = Check::OnDemand;
        self
    }

    /// The same with a health check that says `healthy` this long after a start, by tokio's clock.
    #[must_use]
    pub fn healthy_after(mut self, time: Duration) -> Self {
        self.check = Check::After(time);
        self
    }

    /// The same, its health check saying this now.
    #[must_use]
    pub fn health(mut self, health: ContainerHealth) -> Self {
        self.set_health(health);
        self
    }

    pub(super) fn set_health(&mut self, health: ContainerHealth) {
        self.check = Check::OnDemand;
        self.unasked = false;
        self.health = Some(health);
    }

    pub(super) fn run(&mut self) {
        self.state = ContainerState::Running;
        self.started = Some(Instant::now());
        self.started_at = Some(Timestamp::now());
        self.exit_code = None;
        self.restarts = 0;
        self.unasked = false;
        self.health = (self.check != Check::None).then_some(ContainerHealth::Starting);
    }

    pub(super) fn exit(&mut self, code: i64) {
        self.state = ContainerState::Exited;
        self.exit_code = Some(code);
    }

    /// Does as the engine would; says whether that changed anything, or why the engine refuses.
    pub(super) fn obey(&mut self, verb: DockerVerb) -> Result<bool, &'static str> {
        use ContainerState::{Created, Dead, Exited, Paused, Removing, Restarting, Running, Unknown};
        match (verb, self.state) {
            (DockerVerb::Start, Created | Exited) => self.run(),
            (DockerVerb::Start, Paused) => {
                return Err("cannot start a paused container, try unpause instead");
            }
            (DockerVerb::Start, Dead | Removing) => return Err("container is marked for removal"),
            // Real images end with the code of TERM, or 0 if they heed it.
            (DockerVerb::Stop, Running | Paused | Restarting) => self.exit(0),
            (DockerVerb::Pause, Running) => {
                self.state = Paused;
                self.unasked = true;
            }
            (DockerVerb::Pause, Restarting | Created | Exited | Dead | Removing | Unknown) => {
                return Err("container is not running");
            }
            (DockerVerb::Unpause, Paused) => self.state = Running,
            (DockerVerb::Inspect | DockerVerb::Logs, _)
            | (DockerVerb::Start, Running | Restarting | Unknown)
            | (DockerVerb::Stop, Created | Exited | Dead | Removing | Unknown)
            | (DockerVerb::Pause, Paused)
            | (DockerVerb::Unpause, Created | Running | Restarting | Removing | Exited | Dead | Unknown) => {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn health_now(&self) -> Option<ContainerHealth> {
        let due = |after| self.started.is_some_and(|started| started.elapsed() >= after);
        match (self.state, self.check) {
            (ContainerState::Running | ContainerState::Paused, Check::OnDemand | Check::After(_))
                if self.unasked =>
            {
                Some(ContainerHealth::Unhealthy)
            }
            (ContainerState::Running, Check::After(time)) if due(time) => Some(ContainerHealth::Healthy),
            (ContainerState::Running | ContainerState::Paused, _) => self.health,
            _ => None,
        }
    }

    fn status_text(&self) -> String {
        let health = match self.health_now() {
            None => "",
            Some(ContainerHealth::Starting) => " (health: starting)",
            Some(ContainerHealth::Healthy) => " (healthy)",
            Some(ContainerHealth::Unhealthy) => " (unhealthy)",
        };
        match self.state {
            ContainerState::Created => "Created".to_owned(),
            ContainerState::Running => format!("Up 2 hours{health}"),
            ContainerState::Paused => format!("Up 2 hours{health} (Paused)"),
            ContainerState::Restarting => {
                format!("Restarting ({}) 1 second ago", self.exit_code.unwrap_or(1))
            }
            ContainerState::Removing => "Removal In Progress".to_owned(),
            ContainerState::Exited => format!("Exited ({}) 2 hours ago", self.exit_code.unwrap_or(0)),
            ContainerState::Dead => "Dead".to_owned(),
            ContainerState::Unknown => String::new(),
        }
    }

    /// The container as the engine lists it.
    #[must_use]
    pub fn container(&self) -> Container {
        Container {
            id: self.id.clone(),
            name: self.name.clone(),
            image: self.image.clone(),
            state: self.state,
            health: self.health_now(),
            exit_code: self.exit_code,
            compose: self.compose.clone(),
            unit: self.unit.clone(),
            status_text: self.status_text(),
            lasts: match self.state {
                ContainerState::Restarting => Some(Duration::from_secs(1)),
                state if state.is_up() || state == ContainerState::Exited => Some(Duration::from_hours(2)),
                _ => None,
            },
            volumes: self.volumes.clone(),
        }
    }

    /// What an inspection of it says.
    #[must_use]
    pub fn details(&self) -> ContainerDetails {
        ContainerDetails {
            id: self.id.clone(),
            state: self.state,
            health: self.health_now(),
            exit_code: self.exit_code,
            started_at: self.started_at,
            restarts: self.restarts,
            stop_timeout: self.stop_timeout,
            image_id: format!("sha256:{:0>64}", self.image.len()),
        }
    }
}

/// A local volume where Docker keeps such by default.
pub(super) fn plain_volume(name: &str) -> Volume {
    Volume {
        name: volume_name(name),
        driver: "local".to_owned(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        mountpoint: format!("/var/lib/docker/volumes/{name}/_data").into(),
    }
}
