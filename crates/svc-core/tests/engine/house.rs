//! A homeserver in memory: six services on fakes, their data in a temporary directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use svc_core::cancel::Cancel;
use svc_core::config::{
    Backup, Compose, Config, Docker, Freeze, Health, Hooks, Monitoring, Paths, Period, Preseed, Quiesce,
    Repository, Restore, Service,
};
use svc_core::docker::{ContainerState, Volume};
use svc_core::engine::Engine;
use svc_core::event::Event;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::names::{RepositoryName, RunId, ServiceName};
use svc_core::observe::{Observed, observe};
use svc_core::outside::Outside;
use svc_core::plan::{Plan, plan};
use svc_core::recorder::Recorder;
use svc_core::records::ServiceRecord;
use svc_core::report::{Report, ServiceReport};
use svc_core::restic::Snapshot;
use svc_core::restic::fake::{FakeRepository, FakeRestic};
use svc_core::run_log::{self, RunLog};
use svc_core::scope::{Scope, ScopeKind};
use svc_core::systemd::ActiveState;
use svc_core::testing::{FakeContainer, FakeDocker, FakeSystemd, FakeUnit, volume_name};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::tap::Tap;

const UNITS: [&str; 5] = [
    "docker-compose-archive.service",
    "docker-compose-caddy.service",
    "docker-compose-paperless.service",
    "docker-x.service",
    "notes.service",
];
const CONTAINERS: [&str; 6] =
    ["archive-app-1", "caddy-web-1", "paperless-cache-1", "paperless-db-1", "paperless-web-1", "x"];

pub(crate) const DB: &str = "paperless-db-1";
pub(crate) const CACHE: &str = "paperless-cache-1";
pub(crate) const WEB: &str = "paperless-web-1";
pub(crate) const STACK: &str = "docker-compose-paperless.service";

/// The homeserver.
pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) scope: Scope,
    pub(crate) systemd: FakeSystemd,
    pub(crate) docker: FakeDocker,
    pub(crate) restic: Arc<FakeRestic>,
    pub(crate) tap: Tap,
    cancel: Mutex<Cancel>,
    runs: AtomicU32,
    dir: TempDir,
}

/// What a run left.
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    pub(crate) report: Report,
    /// As read back from the disk.
    pub(crate) events: Vec<Event>,
    /// As a renderer got them.
    pub(crate) told: Vec<Event>,
    pub(crate) log: PathBuf,
}

impl Outcome {
    pub(crate) fn code(&self) -> u8 {
        self.report.code.number()
    }

    pub(crate) fn of(&self, name: &str) -> &ServiceReport {
        self.report.services.iter().find(|report| report.service.as_str() == name).unwrap()
    }

    pub(crate) fn code_of(&self, name: &str) -> u8 {
        self.of(name).code.number()
    }

    /// Every message of a service's failures, for assertions that should say more than a code.
    pub(crate) fn messages(&self, name: &str) -> String {
        let message = |f: &svc_core::failure::Failure| format!("{} {}", f.message, f.causes.join(" "));
        self.of(name).failures.iter().map(message).collect::<Vec<_>>().join("; ")
    }
}

impl House {
    pub(crate) fn new() -> Self {
        let dir = temp();
        let systemd = systemd();
        let docker = docker(dir.path(), &systemd);
        let restic = FakeRestic::new()
            .repository(&repository("local"), FakeRepository::new("1d"))
            .repository(&repository("remote"), FakeRepository::new("2d"));
        let house = Self {
            config: config(dir.path()),
            scope: scope(dir.path()),
            systemd,
            docker,
            restic: Arc::new(restic),
            tap: Tap::default(),
            cancel: Mutex::default(),
            runs: AtomicU32::new(0),
            dir,
        };
        for file in FILES {
            house.write(file, &format!("{file} as it was first"));
        }
        house
    }

    /// A path in the house.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn service(&mut self, name: &str) -> &mut Service {
        self.config.services.get_mut(&service(name)).unwrap()
    }

    /// Everything that runs: units, and containers with a note where they are not plainly running.
    pub(crate) fn running(&self) -> BTreeSet<String> {
        let active = |unit: &&&str| self.systemd.active(unit) == Some(ActiveState::Active);
        let mut running: BTreeSet<String> = UNITS.iter().filter(active).map(ToString::to_string).collect();
        for name in CONTAINERS {
            match self.docker.state(name) {
                Some(ContainerState::Running) => running.insert(name.to_owned()),
                Some(ContainerState::Paused) => running.insert(format!("{name} paused")),
                _ => false,
            };
        }
        running
    }

    /// Every file below a part of the house and its text, stages and svc's own state left out.
    pub(crate) fn tree(&self, below: &str) -> BTreeMap<PathBuf, String> {
        let own = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            !name.starts_with(".svc-stage-") && name != "state"
        };
        walkdir::WalkDir::new(self.path(below))
            .into_iter()
            .filter_entry(own)
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| (entry.path().to_path_buf(), std::fs::read_to_string(entry.path()).unwrap()))
            .collect()
    }

    /// The stages that lie about.
    pub(crate) fn stages(&self) -> Vec<PathBuf> {
        let is_stage = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".svc-stage-"))
        };
        let all = walkdir::WalkDir::new(self.dir.path()).into_iter().map(|e| e.unwrap().into_path());
        all.filter(is_stage).collect()
    }

    pub(crate) fn saved(&self, name: &str) -> Vec<Snapshot> {
        self.restic.saved(&repository(name))
    }

    pub(crate) fn record(&self, name: &str) -> ServiceRecord {
        ServiceRecord::load(&self.scope.records_dir(), &service(name))
    }

    /// Where the log of the next run will be.
    pub(crate) fn next_log(&self) -> PathBuf {
        let next = self.runs.load(Ordering::Relaxed) + 1;
        self.scope.runs_dir().join(format!("r{next}")).join("log.jsonl")
    }

    /// What cancels the next run.
    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.lock().unwrap().clone()
    }

    pub(crate) async fn observe(&self, goal: &Goal) -> Observed {
        observe(&self.config, &self.scope, &self.outside(), goal, self.now()).await
    }

    pub(crate) async fn plan(&self, goal: &Goal) -> Plan {
        plan(&self.config, &self.observe(goal).await, goal, self.now())
    }

    /// Looks, plans and runs.
    pub(crate) async fn run(&self, goal: &Goal) -> Outcome {
        let plan = self.plan(goal).await;
        self.run_plan(plan).await
    }

    pub(crate) async fn run_plan(&self, plan: Plan) -> Outcome {
        let cancel = std::mem::take(&mut *self.cancel.lock().unwrap());
        self.run_watched(plan, cancel, |_, _| {}).await
    }

    /// Runs, and shows every event to `watch` as soon as a renderer could see it.
    pub(crate) async fn run_watched(
        &self,
        plan: Plan,
        cancel: Cancel,
        watch: impl FnMut(&Event, &Cancel),
    ) -> Outcome {
        self.run_clocked(plan, cancel, noon, watch).await
    }

    /// The same with another clock of the recorder.
    pub(crate) async fn run_clocked(
        &self,
        plan: Plan,
        cancel: Cancel,
        clock: fn() -> Timestamp,
        mut watch: impl FnMut(&Event, &Cancel),
    ) -> Outcome {
        let run: RunId = format!("r{}", self.runs.fetch_add(1, Ordering::Relaxed) + 1).parse().unwrap();
        let log = RunLog::create(&self.scope.runs_dir(), &run).unwrap();
        let path = log.path().to_path_buf();
        let (events, mut seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run.clone(), log, clock, events);
        let engine = Engine {
            config: Arc::new(self.config.clone()),
            scope: Arc::new(self.scope.clone()),
            outside: self.outside(),
            recorder,
            run,
            cancel: cancel.clone(),
            now: noon,
        };
        let mut told = Vec::new();
        let work = async move { engine.run(&plan).await.pipe(plan) };
        tokio::pin!(work);
        let (report, plan) = loop {
            tokio::select! {
                biased;
                Some(event) = seen.recv() => { watch(&event, &cancel); told.push(event); }
                done = &mut work => break done,
            }
        };
        thread.join();
        for event in std::iter::from_fn(|| seen.try_recv().ok()) {
            watch(&event, &cancel);
            told.push(event);
        }
        Outcome { plan, report, events: run_log::read(&path).unwrap(), told, log: path }
    }

    /// The moment of the next plan: a second after the one before.
    fn now(&self) -> Timestamp {
        noon().checked_add(SignedDuration::from_secs(i64::from(self.runs.load(Ordering::Relaxed)))).unwrap()
    }

    fn outside(&self) -> Outside {
        self.tap.on(Outside {
            systemd: Arc::new(self.systemd.clone()),
            docker: Arc::new(self.docker.clone()),
            restic: self.restic.clone(),
        })
    }
}

trait Pipe: Sized {
    fn pipe<T>(self, with: T) -> (Self, T) {
        (self, with)
    }
}

impl Pipe for Report {}

const FILES: [&str; 10] = [
    "docker/volumes/paperless_db/_data/table",
    "docker/volumes/paperless_db/_data/deep/index",
    "docker/volumes/paperless_data/_data/scan.pdf",
    "docker/volumes/archive_data/_data/box",
    "docker/volumes/caddy_data/_data/cert",
    "docker/volumes/x_data/_data/x.db",
    "srv/paperless/media/page",
    "srv/music/one.flac",
    "srv/music/two.flac",
    "lib/notes/notes.db",
];

fn systemd() -> FakeSystemd {
    FakeSystemd::new()
        .with(FakeUnit::compose(STACK).active())
        .with(FakeUnit::compose("docker-compose-archive.service"))
        .with(FakeUnit::compose("docker-compose-caddy.service").active())
        .with(FakeUnit::new("docker-x.service").active())
        .with(FakeUnit::new("notes.service").active())
}

fn docker(dir: &Path, systemd: &FakeSystemd) -> FakeDocker {
    let docker = FakeDocker::new();
    for name in ["paperless_db", "paperless_data", "archive_data", "caddy_data", "x_data"] {
        docker.add_volume(volume(dir, name));
    }
    let healthy_soon = Duration::from_secs(3);
    docker.add(
        FakeContainer::compose("paperless", "db")
            .volume("paperless_db")
            .healthy_after(healthy_soon)
            .running(),
    );
    docker.add(FakeContainer::compose("paperless", "cache").running());
    let web = FakeContainer::compose("paperless", "web").depends_on("db").depends_on("cache");
    docker.add(web.volume("paperless_data").healthy_after(healthy_soon).running());
    docker.add(FakeContainer::compose("archive", "app").volume("archive_data").exited(0));
    docker.add(FakeContainer::compose("caddy", "web").volume("caddy_data").running());
    docker.add(FakeContainer::new("x").volume("x_data").running());
    for project in ["paperless", "archive", "caddy"] {
        docker.behind(systemd, &format!("docker-compose-{project}.service"), project);
    }
    docker.in_foreground_of(systemd, "docker-x.service", "x");
    docker
}

pub(crate) fn volume(dir: &Path, name: &str) -> Volume {
    Volume {
        name: volume_name(name),
        driver: "local".to_owned(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        mountpoint: dir.join("docker/volumes").join(name).join("_data"),
    }
}

fn config(dir: &Path) -> Config {
    let services = [
        compose("paperless", &["paperless_db", "paperless_data"], &[dir.join("srv/paperless/media")]),
        Service {
            units: vec!["notes.service".parse().unwrap()],
            ..data("notes", &[], &[dir.join("lib/notes")], Quiesce::Stop)
        },
        Service {
            units: vec!["docker-x.service".parse().unwrap()],
            ..data("x", &["x_data"], &[], Quiesce::Stop)
        },
        data("music", &[], &[dir.join("srv/music")], Quiesce::None),
        compose("archive", &["archive_data"], &[]),
        data("caddy", &["caddy_data"], &[], Quiesce::None),
    ];
    Config {
        schema_version: 1,
        host: "home".to_owned(),
        paths: Paths {
            secrets_root: dir.join("secrets"),
            deploy_root: dir.join("deploy"),
            docker_volumes_root: None,
            state_dir: None,
            cache_dir: None,
            metrics_dir: None,
        },
        docker: Docker::default(),
        timers: Vec::new(),
        repositories: ["local", "remote"].map(|name| (repository(name), plain_repository())).into(),
        services: services.map(|service| (service.name.clone(), service)).into(),
        notifications: Vec::new(),
        warnings: Vec::new(),
    }
}

fn compose(name: &str, volumes: &[&str], paths: &[PathBuf]) -> Service {
    data(name, volumes, paths, Quiesce::Stop)
}

/// A service with these data and no units of its own.
pub(crate) fn data(name: &str, volumes: &[&str], paths: &[PathBuf], quiesce: Quiesce) -> Service {
    let volumes: Vec<_> = volumes.iter().map(|name| volume_name(name)).collect();
    Service {
        name: service(name),
        description: None,
        units: Vec::new(),
        compose: Compose { project: name.to_owned(), file: None },
        after: Vec::new(),
        monitoring: Monitoring::default(),
        health: Health { timeout: Period::seconds(120), probe: None },
        backup: Backup {
            enable: true,
            volumes: volumes.clone(),
            paths: paths.to_vec(),
            tags: vec![name.to_owned()],
            exclude: vec!["*.log".to_owned()],
            policy: None,
            repositories: Vec::new(),
            quiesce,
            freeze: Freeze::Auto,
            hooks: Hooks::default(),
            dumps: Vec::new(),
            timeout: None,
            max_age: None,
            min_files: 1,
            max_shrink_percent: 50,
        },
        restore: Restore {
            tag: Some(name.to_owned()),
            volumes,
            paths: paths.to_vec(),
            stop_compose: quiesce == Quiesce::Stop,
            compose_unit: None,
            target: "/".into(),
            preseed: Preseed::default(),
            verify: Vec::new(),
        },
    }
}

fn plain_repository() -> Repository {
    Repository {
        location: None,
        password: None,
        environment_file: None,
        id: None,
        mount_point: None,
        options: IndexMap::new(),
        limit_upload: None,
        limit_download: None,
        check_subsets: 12,
        max_age: Period::seconds(93_600),
    }
}

fn scope(dir: &Path) -> Scope {
    Scope {
        kind: ScopeKind::System,
        bus_address: "fake:bus".to_owned(),
        engine_socket: "fake:docker.sock".into(),
        config_file: dir.join("services.json"),
        state_dir: dir.join("state"),
        cache_dir: dir.join("cache"),
    }
}

/// Memory where there is any: a test of many runs need not wear a disk.
fn temp() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn services(names: &[&str]) -> Vec<ServiceName> {
    names.iter().map(|name| service(name)).collect()
}

/// A backup to `local`.
pub(crate) fn backup(names: &[&str]) -> Goal {
    backup_to(&["local"], names)
}

pub(crate) fn backup_to(repositories: &[&str], names: &[&str]) -> Goal {
    let repositories = repositories.iter().map(|name| repository(name)).collect();
    Goal::Backup { repositories, services: services(names) }
}

/// The restore of the latest snapshot in `local`.
pub(crate) fn restore(names: &[&str]) -> Goal {
    Goal::Restore {
        repository: repository("local"),
        services: services(names),
        snapshot: SnapshotChoice::Latest,
        start: false,
    }
}

pub(crate) fn start(names: &[&str]) -> Goal {
    Goal::Start { services: services(names) }
}

pub(crate) fn stop(names: &[&str]) -> Goal {
    Goal::Stop { services: services(names) }
}

pub(crate) fn restart(names: &[&str], recreate: bool) -> Goal {
    Goal::Restart { services: services(names), recreate }
}
