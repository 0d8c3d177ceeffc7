//! Stands between the engine and the fakes: sees every call in one order, and lets any one of them go wrong.

use std::future::{Future, pending};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use svc_core::docker::{
    Container, ContainerDetails, Docker, DockerError, Happenings, LogQuery, Volume, Writing,
};
use svc_core::names::UnitName;
use svc_core::outside::Outside;
use svc_core::systemd::{
    JobVerb, ManagerState, Systemd, SystemdError, TransientUnit, Unit, UnitDetails, Value,
};
use tokio::sync::Notify;

mod restic;

mod files;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It is refused, and nothing was done.
    Refused,
    /// Nobody answers, and nothing was done.
    Unreachable,
    /// It was done, but the answer says otherwise.
    LostAnswer,
    /// Nothing comes back until its deadline.
    Late,
    /// The code behind it has a bug.
    Panics,
}

pub(crate) const MISHAPS: [Mishap; 5] =
    [Mishap::Refused, Mishap::Unreachable, Mishap::LostAnswer, Mishap::Late, Mishap::Panics];

type Watcher = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct Inner {
    calls: Vec<String>,
    death: Option<Death>,
    killed: Arc<Notify>,
    mishaps: Vec<(String, usize, usize, Mishap)>,
    watchers: Vec<Watcher>,
}

/// When the process dies that gives the orders.
#[derive(Debug, Clone, Copy)]
struct Death {
    /// Over the n-th order from now, from 1.
    nth: usize,
    order: Order,
}

/// What becomes of an order whose giver dies over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// It never arrived.
    Lost,
    /// It is being carried out.
    UnderWay,
    /// It was carried out.
    Done,
}

/// The tap; clones share one state.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Inner>>);

impl Tap {
    /// The outside systems, tapped.
    pub(crate) fn on(&self, outside: Outside) -> Outside {
        Outside {
            systemd: Arc::new(Tapped { tap: self.clone(), inner: outside.systemd }),
            docker: Arc::new(Tapped { tap: self.clone(), inner: outside.docker }),
            restic: Arc::new(Tapped { tap: self.clone(), inner: outside.restic }),
            freezer: Arc::new(Tapped { tap: self.clone(), inner: outside.freezer }),
        }
    }

    /// Every call so far as text, in the order they began.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// The calls that change something.
    pub(crate) fn orders(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| is_order(call)).collect()
    }

    /// Forgets the calls so far; mishaps count from here.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// The n-th of these calls (from 1) goes wrong.
    pub(crate) fn mishap(&self, call: &str, nth: usize, mishap: Mishap) {
        self.0.lock().unwrap().mishaps.push((call.to_owned(), nth, nth, mishap));
    }

    /// These calls always go wrong.
    pub(crate) fn always(&self, call: &str, mishap: Mishap) {
        self.0.lock().unwrap().mishaps.push((call.to_owned(), 1, usize::MAX, mishap));
    }

    /// From now on nothing goes wrong, and nobody watches.
    pub(crate) fn heal(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.mishaps.clear();
        inner.watchers.clear();
    }

    /// The process dies over the n-th order from now (from 1).
    pub(crate) fn die_at(&self, nth: usize, order: Order) {
        self.0.lock().unwrap().death = Some(Death { nth, order });
    }

    /// Waits for that.
    pub(crate) async fn death(&self) {
        let killed = Arc::clone(&self.0.lock().unwrap().killed);
        killed.notified().await;
    }

    fn dies(&self, call: &str) -> Option<Death> {
        let mut inner = self.0.lock().unwrap();
        let death = inner.death.as_mut().filter(|_| is_order(call))?;
        death.nth -= 1;
        let death = Some(*death).filter(|death| death.nth == 0)?;
        inner.death = None;
        Some(death)
    }

    /// Tells `watcher` of every call right before it is done.
    pub(crate) fn watch(&self, watcher: impl Fn(&str) + Send + Sync + 'static) {
        self.0.lock().unwrap().watchers.push(Arc::new(watcher));
    }

    async fn through<T, E>(
        &self,
        call: String,
        error: fn(Mishap) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mishap = self.enter(&call);
        if let Some(death) = self.dies(&call) {
            let mut work = std::pin::pin!(work);
            match death.order {
                Order::Lost => {}
                Order::UnderWay => drop(futures_util::poll!(&mut work)),
                Order::Done => drop(work.await),
            }
            self.0.lock().unwrap().killed.notify_one();
            return pending().await;
        }
        match mishap {
            None => work.await,
            Some(Mishap::Panics) => panic!("the test wants a panic in `{call}`"),
            Some(Mishap::LostAnswer) => {
                let _ = work.await;
                Err(error(Mishap::LostAnswer))
            }
            Some(Mishap::Late) => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                Err(error(Mishap::Late))
            }
            Some(mishap @ (Mishap::Refused | Mishap::Unreachable)) => Err(error(mishap)),
        }
    }

    fn enter(&self, call: &str) -> Option<Mishap> {
        let (watchers, mishap) = {
            let mut inner = self.0.lock().unwrap();
            inner.calls.push(call.to_owned());
            let nth = inner.calls.iter().filter(|earlier| *earlier == call).count();
            let hits = |(c, from, to, _): &&(String, usize, usize, Mishap)| {
                c == call && (*from..=*to).contains(&nth)
            };
            (inner.watchers.clone(), inner.mishaps.iter().find(hits).map(|(.., mishap)| *mishap))
        };
        for watcher in watchers {
            watcher(call);
        }
        mishap
    }
}

/// Whether a call changes something.
fn is_order(call: &str) -> bool {
    let word = call.split(' ').nth(1).unwrap();
    ["start", "stop", "restart", "pause", "unpause", "backup", "restore", "forget", "copy", "remove"]
        .contains(&word)
}

struct Tapped<T: ?Sized> {
    tap: Tap,
    inner: Arc<T>,
}

fn systemd_error(mishap: Mishap) -> SystemdError {
    match mishap {
        Mishap::Unreachable => SystemdError::Unreachable { address: "tap".into(), reason: "tapped".into() },
        Mishap::Late => SystemdError::Deadline { action: "answer".into(), seconds: 60 },
        _ => SystemdError::Refused { action: "do it".into(), reason: "tapped".into() },
    }
}

fn docker_error(mishap: Mishap) -> DockerError {
    match mishap {
        Mishap::Unreachable => DockerError::Unreachable { socket: "tap".into(), reason: "tapped".into() },
        Mishap::Late => DockerError::Deadline { action: "answer".into(), seconds: 60 },
        _ => DockerError::Refused { action: "do it".into(), reason: "tapped".into() },
    }
}

fn names(units: &[UnitName]) -> String {
    units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(",")
}

#[async_trait]
impl Systemd for Tapped<dyn Systemd> {
    async fn manager_state(&self) -> Result<ManagerState, SystemdError> {
        self.tap.through("systemd state".into(), systemd_error, self.inner.manager_state()).await
    }

    async fn units(&self, wanted: &[UnitName]) -> Result<Vec<Unit>, SystemdError> {
        let call = format!("systemd units {}", names(wanted));
        self.tap.through(call, systemd_error, self.inner.units(wanted)).await
    }

    async fn details(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        let wanted: Vec<UnitName> = units.iter().map(|unit| unit.name.clone()).collect();
        let call = format!("systemd details {}", names(&wanted));
        self.tap.through(call, systemd_error, self.inner.details(units)).await
    }

    async fn glance(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        let wanted: Vec<UnitName> = units.iter().map(|unit| unit.name.clone()).collect();
        let call = format!("systemd glance {}", names(&wanted));
        self.tap.through(call, systemd_error, self.inner.glance(units)).await
    }

    async fn matching(&self, glob: &str) -> Result<Vec<Unit>, SystemdError> {
        self.tap.through(format!("systemd matching {glob}"), systemd_error, self.inner.matching(glob)).await
    }

    async fn run_job(&self, verb: JobVerb, unit: &UnitName, deadline: Duration) -> Result<(), SystemdError> {
        let call = format!("systemd {verb} {unit}");
        self.tap.through(call, systemd_error, self.inner.run_job(verb, unit, deadline)).await
    }

    async fn start_transient(
        &self,
        unit: &TransientUnit,
        output: Option<OwnedFd>,
        deadline: Duration,
    ) -> Result<(), SystemdError> {
        let call = format!("systemd transient {}", unit.name);
        self.tap.through(call, systemd_error, self.inner.start_transient(unit, output, deadline)).await
    }

    async fn kill(&self, unit: &UnitName, signal: i32) -> Result<(), SystemdError> {
        let call = format!("systemd kill {unit}");
        self.tap.through(call, systemd_error, self.inner.kill(unit, signal)).await
    }

    async fn set_properties(
        &self,
        unit: &UnitName,
        properties: &[(&'static str, Value)],
    ) -> Result<(), SystemdError> {
        let call = format!("systemd set {unit}");
        self.tap.through(call, systemd_error, self.inner.set_properties(unit, properties)).await
    }

    async fn freeze(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.tap.through(format!("systemd freeze {unit}"), systemd_error, self.inner.freeze(unit)).await
    }

    async fn thaw(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.tap.through(format!("systemd thaw {unit}"), systemd_error, self.inner.thaw(unit)).await
    }

    async fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        let call = format!("systemd reset {unit}");
        self.tap.through(call, systemd_error, self.inner.reset_failed(unit)).await
    }
}

#[async_trait]
impl Docker for Tapped<dyn Docker> {
    async fn containers(&self) -> Result<Vec<Container>, DockerError> {
        self.tap.through("docker containers".into(), docker_error, self.inner.containers()).await
    }

    async fn volumes(&self) -> Result<Vec<Volume>, DockerError> {
        self.tap.through("docker volumes".into(), docker_error, self.inner.volumes()).await
    }

    async fn inspect(&self, container: &str) -> Result<ContainerDetails, DockerError> {
        self.tap.through("docker inspect".into(), docker_error, self.inner.inspect(container)).await
    }

    async fn stop(&self, container: &str) -> Result<(), DockerError> {
        let call = format!("docker stop {container}");
        self.tap.through(call, docker_error, self.inner.stop(container)).await
    }

    async fn start(&self, container: &str) -> Result<(), DockerError> {
        let call = format!("docker start {container}");
        self.tap.through(call, docker_error, self.inner.start(container)).await
    }

    async fn pause(&self, container: &str) -> Result<(), DockerError> {
        let call = format!("docker pause {container}");
        self.tap.through(call, docker_error, self.inner.pause(container)).await
    }

    async fn unpause(&self, container: &str) -> Result<(), DockerError> {
        let call = format!("docker unpause {container}");
        self.tap.through(call, docker_error, self.inner.unpause(container)).await
    }

    async fn logs(&self, container: &str, query: LogQuery) -> Result<Writing, DockerError> {
        self.inner.logs(container, query).await
    }

    async fn happenings(&self) -> Result<Happenings, DockerError> {
        self.inner.happenings().await
    }
}
