//! A homeserver in memory: six services on fakes, their data in a temporary directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use svc_core::cancel::Cancel;
use svc_core::config::{Config, Service};
use svc_core::docker::ContainerState;
use svc_core::engine::Engine;
use svc_core::event::Event;
use svc_core::goal::Goal;
use svc_core::names::{RepositoryName, RunId, ServiceName};
use svc_core::observe::{Observed, Probe, observe};
use svc_core::outside::Outside;
use svc_core::plan::{Plan, plan};
use svc_core::recorder::Recorder;
use svc_core::records::ServiceRecord;
use svc_core::recover::recover;
use svc_core::report::{Report, ServiceReport};
use svc_core::restic::Snapshot;
use svc_core::restic::fake::{FakeRepository, FakeRestic};
use svc_core::run_log::{self, RunLog};
use svc_core::scope::Scope;
use svc_core::systemd::ActiveState;
use svc_core::testing::{FakeDocker, FakeFreezer, FakeSystemd};
use tempfile::TempDir;
use tokio::sync::mpsc;

pub(crate) use self::goals::{backup, backup_to, restart, restore, start, stop};
use crate::tap::Tap;

mod build;
mod death;
mod freezing;
mod goals;

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
    pub(crate) freezer: Arc<FakeFreezer>,
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
        let dir = build::temp();
        let systemd = build::systemd();
        let docker = build::docker(dir.path(), &systemd);
        let restic = FakeRestic::new()
            .repository(&repository("local"), FakeRepository::new("1d"))
            .repository(&repository("remote"), FakeRepository::new("2d"));
        let house = Self {
            config: build::config(dir.path()),
            scope: build::scope(dir.path()),
            systemd,
            docker,
            restic: Arc::new(restic),
            freezer: Arc::default(),
            tap: Tap::default(),
            cancel: Mutex::default(),
            runs: AtomicU32::new(0),
            dir,
        };
        for file in build::FILES {
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
            !name.starts_with(".svc-stage-") && !name.starts_with(".svc-frozen-") && name != "state"
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
        let next = run_id(self.runs.load(Ordering::Relaxed) + 1);
        self.scope.runs_dir().join(format!("{next}/log.jsonl"))
    }

    /// What cancels the next run.
    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.lock().unwrap().clone()
    }

    pub(crate) async fn observe(&self, goal: &Goal) -> Observed {
        observe(&self.config, &self.scope, &self.outside(), goal, Probe::Knock, self.now()).await
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
        let run = self.next_run();
        let log = RunLog::create(&self.scope.runs_dir(), &run).unwrap();
        let path = log.path().to_path_buf();
        let (events, mut seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run.clone(), log, clock, events);
        let engine = Engine { cancel: cancel.clone(), ..self.engine(&run, recorder) };
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

    /// Runs until the process dies: at the first event for which `dies` says so, or over an order that the tap was told.
    /// Returns the run; nothing: it came to its end before.
    pub(crate) async fn run_and_die(&self, plan: Plan, dies: impl FnMut(&Event) -> bool) -> Option<RunId> {
        let run = self.next_run();
        let log = RunLog::create(&self.scope.runs_dir(), &run).unwrap();
        let (events, seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run.clone(), log, noon, events);
        let engine = self.engine(&run, recorder);
        let end = self.until_death(async move { engine.run(&plan).await }, seen, dies).await;
        thread.join();
        end.err().map(|()| run)
    }

    /// Does what a run that died owes; dies in the same way. Returns its report if it came to its end.
    pub(crate) async fn recover(&self, run: &RunId, dies: impl FnMut(&Event) -> bool) -> Option<Report> {
        let log = RunLog::reopen(&self.scope.runs_dir(), run).unwrap().unwrap();
        let recovery = recover(&run_log::read(log.path()).unwrap(), noon()).unwrap();
        let (events, seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::go_on(run.clone(), log, recovery.next, noon, events);
        let cancel = std::mem::take(&mut *self.cancel.lock().unwrap());
        let engine = Engine { cancel, ..self.engine(run, recorder) };
        let work = async move { engine.recover(&recovery).await };
        let report = self.until_death(work, seen, dies).await;
        thread.join();
        report.ok()
    }

    async fn until_death(
        &self,
        work: impl Future<Output = Report>,
        mut seen: mpsc::UnboundedReceiver<Event>,
        mut dies: impl FnMut(&Event) -> bool,
    ) -> Result<Report, ()> {
        let mut work = Box::pin(work);
        loop {
            tokio::select! {
                biased;
                Some(event) = seen.recv() => if dies(&event) { return Err(()) },
                () = self.tap.death() => return Err(()),
                report = &mut work => return Ok(report),
            }
        }
    }

    fn next_run(&self) -> RunId {
        run_id(self.runs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn engine(&self, run: &RunId, recorder: Recorder) -> Engine {
        Engine {
            config: Arc::new(self.config.clone()),
            scope: Arc::new(self.scope.clone()),
            outside: self.outside(),
            recorder,
            run: run.clone(),
            cancel: Cancel::default(),
            now: noon,
            path: "/usr/bin:/bin".to_owned(),
            faults: Arc::default(),
        }
    }

    /// The moment of the next plan: a second after the one before.
    pub(crate) fn now(&self) -> Timestamp {
        noon().checked_add(SignedDuration::from_secs(i64::from(self.runs.load(Ordering::Relaxed)))).unwrap()
    }

    pub(crate) fn outside(&self) -> Outside {
        self.tap.on(Outside {
            systemd: Arc::new(self.systemd.clone()),
            docker: Arc::new(self.docker.clone()),
            restic: self.restic.clone(),
            freezer: self.freezer.clone(),
        })
    }
}

trait Pipe: Sized {
    fn pipe<T>(self, with: T) -> (Self, T) {
        (self, with)
    }
}

impl Pipe for Report {}

/// Of a run that dies at no event of its own.
pub(crate) const fn never(_: &Event) -> bool {
    false
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// The runs begin a second after each other.
fn run_id(number: u32) -> RunId {
    format!("20261120T1200{number:02}-{number}").parse().unwrap()
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
