//! What happens to the fake's containers from outside svc: compose, operators, crashes.

use super::{ContainerState, DockerVerb, FakeContainer, FakeDocker, HappeningKind, Inner};
use crate::docker::ContainerHealth;
use crate::systemd::fake::FakeSystemd;
use crate::systemd::{ActiveState, JobVerb};

impl FakeDocker {
    /// Puts the stack behind a compose unit: its start is `compose up`, its stop `compose down`.
    pub fn behind(&self, systemd: &FakeSystemd, unit: &str, project: &str) {
        let on = |verb, act: fn(&Self, &str)| {
            let (docker, project) = (self.clone(), project.to_owned());
            systemd.on_job(unit, verb, move || act(&docker, &project));
        };
        on(JobVerb::Start, Self::compose_up);
        on(JobVerb::Stop, Self::compose_down);
    }

    /// Puts one container behind a unit that runs it in the foreground: the unit's start makes it anew and runs it,
    /// its stop ends it, and a stop through Docker is undone at once (`Restart=always`) as long as the unit is active.
    pub fn in_foreground_of(&self, systemd: &FakeSystemd, unit: &str, container: &str) {
        let (docker, name) = (self.clone(), container.to_owned());
        systemd.on_job(unit, JobVerb::Start, move || docker.recreate(&name));
        let (docker, name) = (self.clone(), container.to_owned());
        systemd.on_job(unit, JobVerb::Stop, move || docker.exit(&name, 0));
        let (docker, name) = (self.clone(), container.to_owned());
        let (systemd, unit) = (systemd.clone(), unit.to_owned());
        self.on_done(DockerVerb::Stop, container, move || {
            if systemd.active(&unit) == Some(ActiveState::Active) {
                docker.recreate(&name);
            }
        });
    }

    /// `compose up`: makes what is missing, with new ids, and starts all of the project.
    pub fn compose_up(&self, project: &str) {
        let mut inner = self.lock();
        let (back, rest) = std::mem::take(&mut inner.removed).into_iter().partition(|c| of(project, c));
        inner.removed = rest;
        let back: Vec<FakeContainer> = back;
        for mut container in back {
            container.id = inner.new_id();
            inner.containers.push(container);
        }
        let stopped = |c: &FakeContainer| of(project, c) && c.state != ContainerState::Running;
        for at in 0..inner.containers.len() {
            if inner.containers.get(at).is_some_and(stopped) {
                inner.run(at);
            }
        }
    }

    /// `compose down`: stops and removes all of the project, paused ones too.
    pub fn compose_down(&self, project: &str) {
        let mut inner = self.lock();
        let (gone, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.containers).into_iter().partition(|c| of(project, c));
        inner.containers = rest;
        for container in &gone {
            inner.desk.tell(HappeningKind::Removed, container);
        }
        let created = |c: FakeContainer| c.in_state(ContainerState::Created);
        inner.removed.extend(gone.into_iter().map(created));
    }

    /// `compose up --force-recreate` of one container: the same name, a new id, running.
    pub fn recreate(&self, name: &str) {
        self.change(name, |inner, at| {
            let id = inner.new_id();
            if let Some(container) = inner.containers.get_mut(at) {
                let before = container.clone();
                container.id = id;
                inner.desk.tell(HappeningKind::Removed, &before);
            }
            inner.run(at);
        });
    }

    /// `docker rm -f`.
    pub fn remove(&self, name: &str) {
        self.change(name, |inner, at| {
            let gone = inner.containers.remove(at);
            inner.desk.tell(HappeningKind::Removed, &gone);
        });
    }

    /// A person runs `docker start`.
    pub fn start_by_hand(&self, name: &str) {
        self.change(name, Inner::run);
    }

    /// The container ends by itself with this code.
    pub fn exit(&self, name: &str, code: i64) {
        self.edit(name, |container| container.exit(code));
    }

    /// The health check says this from now on.
    pub fn set_health(&self, name: &str, health: ContainerHealth) {
        self.edit(name, |container| container.set_health(health));
    }

    /// dockerd restarts: what ran runs again if `policy` (`restart: always`) says so, else it has ended.
    pub fn restart_engine(&self, policy: bool) {
        use ContainerState::{Paused, Restarting, Running};
        let up = |c: &&mut FakeContainer| matches!(c.state, Running | Paused | Restarting);
        for container in self.lock().containers.iter_mut().filter(up) {
            if policy {
                container.run();
            } else {
                container.exit(0);
            }
        }
    }

    /// What the container is doing now; nothing: there is none. No request.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<ContainerState> {
        self.lock().find(name).map(|container| container.state)
    }

    /// The container's id now.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<String> {
        self.lock().find(name).map(|container| container.id.clone())
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut FakeContainer)) {
        if let Some(container) = self.lock().find_mut(name) {
            edit(container);
        }
        self.lock().desk.note_change();
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Inner, usize)) {
        let mut inner = self.lock();
        if let Some(at) = inner.containers.iter().position(|c| c.name == name || c.id == name) {
            change(&mut inner, at);
        }
    }
}

impl Inner {
    /// Starts a container, and tells of it.
    fn run(&mut self, at: usize) {
        if let Some(container) = self.containers.get_mut(at) {
            container.run();
            self.desk.tell(HappeningKind::Started, container);
        }
    }
}

fn of(project: &str, container: &FakeContainer) -> bool {
    container.compose.as_ref().is_some_and(|compose| compose.project == project)
}
