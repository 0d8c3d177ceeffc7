//! A service manager in memory that behaves as the real one does, fails on demand and remembers what it was asked.

mod jobs;
mod transient;
mod unit;

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;

pub use self::unit::FakeUnit;
use super::{
    ActiveState, JobVerb, LoadState, ManagerState, Systemd, SystemdError, TransientUnit, Unit, UnitDetails,
    Value,
};
use crate::names::UnitName;
use crate::testing::{Script, When, unit_name};

/// The address the fake gives as its own.
const ADDRESS: &str = "fake:bus";

/// A question or an order that reached the fake. Each is one round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemdCall {
    /// `manager_state`.
    ManagerState,
    /// `units`, with the names asked for.
    Units(Vec<UnitName>),
    /// `details`, with the names asked for.
    Details(Vec<UnitName>),
    /// `glance`, with the names asked for.
    Glance(Vec<UnitName>),
    /// `matching`, with the glob.
    Matching(String),
    /// `run_job`.
    Job(JobVerb, UnitName),
    /// `start_transient`, with the unit.
    Transient(TransientUnit),
    /// `kill`, with the signal.
    Kill(UnitName, i32),
    /// `set_properties`.
    SetProperties(UnitName, Vec<(&'static str, Value)>),
    /// `freeze`.
    Freeze(UnitName),
    /// `thaw`.
    Thaw(UnitName),
    /// `reset_failed` of this unit.
    ResetFailed(UnitName),
}

/// How a job goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemdFault {
    /// It ends with this result: `failed`, `timeout`, `canceled`, `dependency` …
    Job(&'static str),
    /// The manager refuses it with this error.
    Error(SystemdError),
    /// It never ends: `Deadline`, and the unit stays `activating` or `deactivating`.
    Hang,
    /// A oneshot unit without a file does not end in its own time: systemd ends it, with this result.
    Late(&'static str),
    /// It ends well, but only after this time.
    Slow(Duration),
}

type JobKey = (JobVerb, UnitName);
type Hook = Arc<dyn Fn() + Send + Sync>;
type Observer = Arc<dyn Fn(&SystemdCall) + Send + Sync>;

#[derive(Default)]
struct Inner {
    units: IndexMap<UnitName, FakeUnit>,
    stopping: bool,
    unreachable: bool,
    calls: Vec<SystemdCall>,
    script: Script<JobKey, SystemdFault>,
    hooks: Vec<(JobKey, Hook)>,
    observers: Vec<Observer>,
}

/// The fake manager; clones share one state.
#[derive(Clone, Default)]
pub struct FakeSystemd {
    inner: Arc<Mutex<Inner>>,
}

impl FakeSystemd {
    /// A manager without units.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more unit.
    #[must_use]
    pub fn with(self, unit: FakeUnit) -> Self {
        self.add(unit);
        self
    }

    /// Adds a unit, or replaces the one of that name.
    pub fn add(&self, unit: FakeUnit) {
        self.lock().units.insert(unit.name.clone(), unit);
    }

    /// Removes a unit, as if its file were deleted and it had stopped.
    pub fn remove(&self, unit: &str) {
        self.lock().units.shift_remove(&unit_name(unit));
    }

    /// Changes a unit behind svc's back: a crash, an operator, a mask.
    pub fn change(&self, unit: &str, change: impl FnOnce(FakeUnit) -> FakeUnit) {
        let mut inner = self.lock();
        if let Some(slot) = inner.units.get_mut(&unit_name(unit)) {
            *slot = change(slot.clone());
        }
    }

    /// Whether the unit runs now; nothing: there is no such unit. No round trip.
    #[must_use]
    pub fn active(&self, unit: &str) -> Option<ActiveState> {
        self.lock().find(&unit_name(unit)).map(|unit| unit.active)
    }

    /// Whether the unit is frozen now; nothing: there is no such unit. No round trip.
    #[must_use]
    pub fn frozen(&self, unit: &str) -> Option<bool> {
        self.lock().find(&unit_name(unit)).map(|unit| unit.frozen)
    }

    /// A client knocks at the unit's socket, or its timer is due: starts it if one of its triggers is active.
    #[must_use = "says whether it was started"]
    pub fn trigger(&self, unit: &str) -> bool {
        let name = unit_name(unit);
        let listens = {
            let inner = self.lock();
            inner.find(&name).is_some_and(|unit| {
                let listens = |name| inner.find(name).is_some_and(|t| t.active == ActiveState::Active);
                unit.triggered_by.iter().any(listens)
            })
        };
        if listens {
            self.apply(JobVerb::Start, &name);
        }
        listens
    }

    /// Makes jobs of this verb on this unit go wrong.
    pub fn fault(&self, verb: JobVerb, unit: &str, when: When, fault: SystemdFault) {
        self.lock().script.add((verb, unit_name(unit)), when, fault);
    }

    /// Lets all jobs go well again.
    pub fn clear_faults(&self) {
        self.lock().script.clear();
    }

    /// Runs `hook` whenever a job really starts or stops this unit, so not when it already was so. A restart is a
    /// stop and a start. The hook may call any fake.
    pub fn on_job(&self, unit: &str, verb: JobVerb, hook: impl Fn() + Send + Sync + 'static) {
        self.lock().hooks.push(((verb, unit_name(unit)), Arc::new(hook)));
    }

    /// Tells `observer` of every call, at its begin: one order across several fakes.
    pub fn on_call(&self, observer: impl Fn(&SystemdCall) + Send + Sync + 'static) {
        self.lock().observers.push(Arc::new(observer));
    }

    /// Begins to shut the machine down, or takes that back.
    pub fn set_stopping(&self, stopping: bool) {
        self.lock().stopping = stopping;
    }

    /// Takes the bus away, or gives it back. A job under way when it goes ends `Unreachable`.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().unreachable = !reachable;
    }

    /// Every call so far, in the order they began.
    #[must_use]
    pub fn calls(&self) -> Vec<SystemdCall> {
        self.lock().calls.clone()
    }

    /// The jobs among the calls.
    #[must_use]
    pub fn jobs(&self) -> Vec<(JobVerb, UnitName)> {
        let job = |call| if let SystemdCall::Job(verb, unit) = call { Some((verb, unit)) } else { None };
        self.calls().into_iter().filter_map(job).collect()
    }

    /// How many round trips there were.
    #[must_use]
    pub fn round_trips(&self) -> usize {
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
    async fn enter(&self, call: SystemdCall) -> Result<(), SystemdError> {
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

    fn reachable(&self) -> Result<(), SystemdError> {
        if self.lock().unreachable {
            let reason = "the fake is unreachable".to_owned();
            return Err(SystemdError::Unreachable { address: ADDRESS.to_owned(), reason });
        }
        Ok(())
    }

    /// What the manager refuses before there is a job.
    fn admit(&self, verb: JobVerb, name: &UnitName) -> Result<(), SystemdError> {
        let inner = self.lock();
        let no_unit = |reason: String| Err(SystemdError::NoUnit { unit: name.to_string(), reason });
        let Some(unit) = inner.find(name) else { return no_unit(format!("Unit {name} not found.")) };
        match (verb, unit.load) {
            (JobVerb::Stop | JobVerb::Restart, _) if unit.frozen => {
                let (verb, unit) = (verb.to_string(), name.to_string());
                Err(SystemdError::JobEnded { verb, unit, result: "frozen".to_owned() })
            }
            (JobVerb::Stop, _) => Ok(()),
            (_, LoadState::Masked) => no_unit(format!("Unit {name} is masked.")),
            (_, LoadState::Broken) => no_unit(format!("Unit {name} has a bad unit file setting.")),
            _ if inner.stopping => Err(SystemdError::ShuttingDown { unit: name.to_string() }),
            _ => Ok(()),
        }
    }

    /// Carries a job out and runs the hooks of what it changed.
    fn apply(&self, verb: JobVerb, name: &UnitName) {
        let changed = self.lock().carry_out(verb, name);
        for key in changed {
            let hooks: Vec<Hook> = {
                let inner = self.lock();
                inner.hooks.iter().filter(|(k, _)| *k == key).map(|(_, hook)| Arc::clone(hook)).collect()
            };
            for hook in hooks {
                hook();
            }
        }
    }

    /// Waits as the real job would; the error is what the caller gets.
    async fn wait(
        &self,
        verb: JobVerb,
        name: &UnitName,
        takes: Option<Duration>,
        deadline: Duration,
    ) -> Result<(), SystemdError> {
        self.lock().on_the_way(verb, name);
        let late = takes.is_none_or(|takes| takes > deadline);
        tokio::time::sleep(takes.unwrap_or(deadline).min(deadline)).await;
        self.reachable()?;
        if late {
            let action = format!("{verb} `{name}`");
            return Err(SystemdError::Deadline { action, seconds: deadline.as_secs() });
        }
        Ok(())
    }
}

#[async_trait]
impl Systemd for FakeSystemd {
    async fn manager_state(&self) -> Result<ManagerState, SystemdError> {
        self.enter(SystemdCall::ManagerState).await?;
        Ok(if self.lock().stopping { ManagerState::Stopping } else { ManagerState::Running })
    }

    async fn units(&self, names: &[UnitName]) -> Result<Vec<Unit>, SystemdError> {
        self.enter(SystemdCall::Units(names.to_vec())).await?;
        let inner = self.lock();
        let listed = |name: &UnitName| inner.find(name).map_or_else(|| unit::not_found(name), FakeUnit::unit);
        Ok(names.iter().map(listed).collect())
    }

    async fn details(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        let names: Vec<_> = units.iter().map(|unit| unit.name.clone()).collect();
        self.enter(SystemdCall::Details(names.clone())).await?;
        let inner = self.lock();
        let details = |name: &UnitName| {
            inner.find(name).map_or_else(|| FakeUnit::blank(name), FakeUnit::clone).details()
        };
        Ok(names.iter().map(details).collect())
    }

    async fn glance(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<_> = units.iter().map(|unit| unit.name.clone()).collect();
        self.enter(SystemdCall::Glance(names.clone())).await?;
        let inner = self.lock();
        let seen = |name: &UnitName| inner.find(name).map_or_else(|| FakeUnit::blank(name), FakeUnit::clone);
        Ok(names.iter().map(|name| seen(name).glance()).collect())
    }

    async fn matching(&self, glob: &str) -> Result<Vec<Unit>, SystemdError> {
        self.enter(SystemdCall::Matching(glob.to_owned())).await?;
        // The globs that svc uses have one `*`.
        let (head, tail) = glob.split_once('*').unwrap_or((glob, ""));
        let matches =
            |unit: &&FakeUnit| unit.name.as_str().strip_prefix(head).is_some_and(|rest| rest.ends_with(tail));
        Ok(self.lock().units.values().filter(matches).map(FakeUnit::unit).collect())
    }

    async fn run_job(&self, verb: JobVerb, unit: &UnitName, deadline: Duration) -> Result<(), SystemdError> {
        self.enter(SystemdCall::Job(verb, unit.clone())).await?;
        let fault = self.lock().script.next(&(verb, unit.clone()));
        if let Some(SystemdFault::Error(error)) = &fault {
            return Err(error.clone());
        }
        self.admit(verb, unit)?;
        match fault {
            Some(SystemdFault::Job(result) | SystemdFault::Late(result)) => {
                self.lock().break_down(verb, unit, result);
                let (verb, unit) = (verb.to_string(), unit.to_string());
                return Err(SystemdError::JobEnded { verb, unit, result: result.to_owned() });
            }
            Some(SystemdFault::Hang) => self.wait(verb, unit, None, deadline).await?,
            Some(SystemdFault::Slow(takes)) => self.wait(verb, unit, Some(takes), deadline).await?,
            Some(SystemdFault::Error(_)) | None => {}
        }
        self.apply(verb, unit);
        Ok(())
    }

    async fn start_transient(
        &self,
        unit: &TransientUnit,
        _output: Option<OwnedFd>,
        deadline: Duration,
    ) -> Result<(), SystemdError> {
        self.enter(SystemdCall::Transient(unit.clone())).await?;
        self.pass(unit, deadline).await
    }

    async fn kill(&self, unit: &UnitName, signal: i32) -> Result<(), SystemdError> {
        self.enter(SystemdCall::Kill(unit.clone(), signal)).await?;
        let is_up = self.lock().find(unit).is_some_and(FakeUnit::is_up);
        let (unit, reason) = (unit.to_string(), "not loaded".to_owned());
        if is_up { Ok(()) } else { Err(SystemdError::NoUnit { unit, reason }) }
    }

    async fn set_properties(
        &self,
        unit: &UnitName,
        properties: &[(&'static str, Value)],
    ) -> Result<(), SystemdError> {
        self.enter(SystemdCall::SetProperties(unit.clone(), properties.to_vec())).await?;
        let is_known = self.lock().find(unit).is_some();
        let (unit, reason) = (unit.to_string(), "not loaded".to_owned());
        if is_known { Ok(()) } else { Err(SystemdError::NoUnit { unit, reason }) }
    }

    async fn freeze(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.enter(SystemdCall::Freeze(unit.clone())).await?;
        self.lock().set_frozen("freeze", unit, true)
    }

    async fn thaw(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.enter(SystemdCall::Thaw(unit.clone())).await?;
        self.lock().set_frozen("thaw", unit, false)
    }

    async fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.enter(SystemdCall::ResetFailed(unit.clone())).await
    }
}
