//! The real service manager, over D-Bus.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{FutureExt as _, OptionFuture, join, join_all, try_join, try_join_all};
use tokio::sync::Mutex;
use tokio::time::timeout;
use zbus::OwnedVariant;

use super::clock::Clocks;
use super::link::Link;
use super::listing::{self, FileRow, Row};
use super::properties::Properties;
use super::refusal::{self, Kind};
use super::{
    JobVerb, ManagerState, Systemd, SystemdError, TransientUnit, Unit, UnitDetails, Value, glance, job,
};
use crate::names::UnitName;
use crate::scope::SYSTEM_BUS;

/// How long opening the connection may take: a bus that is there may have many others to greet first.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a question may take.
const QUERY: Duration = Duration::from_secs(5);
/// How many units share one deadline; 50 take the manager 0.1 s.
const BATCH: usize = 64;

/// The service manager on the bus of this address. Connects when it is first needed, and again after the connection
/// was lost.
pub struct Bus {
    address: String,
    connect: Duration,
    query: Duration,
    link: Mutex<Option<Arc<Link>>>,
}

impl Bus {
    /// The manager on the bus of this address; does not connect yet.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), connect: CONNECT, query: QUERY, link: Mutex::new(None) }
    }

    /// The open connection, or a new one. A failure is not remembered.
    async fn link(&self) -> Result<Arc<Link>, SystemdError> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.is_closed()) {
            return Ok(Arc::clone(link));
        }
        let open = timeout(self.connect, Link::open(&self.address)).await;
        let unreachable = |reason| SystemdError::Unreachable { address: self.address.clone(), reason };
        let link = open
            .map_err(|_| unreachable(format!("no answer within {} s", self.connect.as_secs())))?
            .map_err(|error| unreachable(refusal::reason(&error)))?;
        let link = Arc::new(link);
        *slot = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Waits for the answer to a question, but not for ever.
    async fn ask<T>(
        &self,
        action: &str,
        question: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        self.ask_within(self.query, action, question).await
    }

    async fn ask_within<T>(
        &self,
        limit: Duration,
        action: &str,
        question: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        let answer = timeout(limit, question).await;
        let answer = answer.map_err(|_| deadline(action.to_owned(), limit))?;
        answer.map_err(|error| refusal::about(&self.address, action, &error))
    }

    /// Waits for an order about one unit to be carried out, but not for ever.
    async fn order<T>(
        &self,
        action: &str,
        unit: &UnitName,
        limit: Duration,
        order: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        let outcome = timeout(limit, order).await;
        let outcome = outcome.map_err(|_| deadline(format!("{action} `{unit}`"), limit))?;
        match outcome {
            Ok(value) => Ok(value),
            Err(error) if refusal::kind(&error) == Kind::Destructive && self.is_stopping().await => {
                Err(SystemdError::ShuttingDown { unit: unit.to_string() })
            }
            Err(error) => Err(refusal::about_unit(&self.address, action, unit.as_str(), &error)),
        }
    }

    async fn is_stopping(&self) -> bool {
        matches!(self.manager_state().await, Ok(ManagerState::Stopping))
    }
}

fn deadline(action: String, limit: Duration) -> SystemdError {
    SystemdError::Deadline { action, seconds: limit.as_secs() }
}

/// What the properties of one unit say. A unit that vanished meanwhile has none.
async fn details_of(link: &Link, listed: &Unit) -> zbus::Result<UnitDetails> {
    let mut properties = Properties::default();
    if !listed.object_path.is_empty() {
        let own = match listed.name.as_str().rsplit_once('.') {
            Some((_, "service")) => Some("org.freedesktop.systemd1.Service"),
            Some((_, "timer")) => Some("org.freedesktop.systemd1.Timer"),
            _ => None,
        };
        let own = own.map(|interface| link.properties(&listed.object_path, interface));
        let unit = link.properties(&listed.object_path, "org.freedesktop.systemd1.Unit");
        let (unit, own) = join(unit, OptionFuture::from(own)).await;
        for answer in [Some(unit), own].into_iter().flatten() {
            match answer {
                Ok(answer) => properties.add(&answer),
                Err(error) if refusal::kind(&error) == Kind::Unreachable => return Err(error),
                Err(_) => {}
            }
        }
    }
    Ok(properties.details(listed, Clocks::now()))
}

/// The same from single questions.
async fn glance_of(link: &Link, unit: &Unit, is_warm: bool) -> zbus::Result<UnitDetails> {
    let mut properties = Properties::default();
    if glance::has_exited(unit) {
        properties.add_flag("RemainAfterExit");
    }
    let questions = if unit.object_path.is_empty() { Vec::new() } else { glance::questions(unit, is_warm) };
    let ask = |(interface, name)| link.property(&unit.object_path, interface, name).map(move |it| (name, it));
    for (name, answer) in join_all(questions.into_iter().map(ask)).await {
        match answer {
            Ok(answer) => properties.add_one(name, &answer),
            Err(error) if refusal::kind(&error) == Kind::Unreachable => return Err(error),
            Err(_) => {}
        }
    }
    Ok(properties.details(unit, Clocks::now()))
}

#[async_trait]
impl Systemd for Bus {
    async fn manager_state(&self) -> Result<ManagerState, SystemdError> {
        let link = self.link().await?;
        let state = self.ask("tell its state", async {
            let answer = link.manager_property("SystemState").await?;
            String::try_from(answer.body().deserialize::<OwnedVariant>()?)
        });
        Ok(match state.await?.as_str() {
            "initializing" | "starting" => ManagerState::Starting,
            "stopping" => ManagerState::Stopping,
            _ => ManagerState::Running,
        })
    }

    async fn units(&self, names: &[UnitName]) -> Result<Vec<Unit>, SystemdError> {
        let mut seen = HashSet::new();
        let listable = names.iter().filter(|name| listing::is_listable(name));
        let asked: Vec<&UnitName> = listable.filter(|name| seen.insert(name.as_str())).collect();
        if asked.is_empty() {
            return Ok(listing::arrange(names, &asked, Vec::new()));
        }
        let link = self.link().await?;
        let rows = self.ask("list units", async {
            let texts: Vec<&str> = asked.iter().map(|name| name.as_str()).collect();
            link.manager("ListUnitsByNames", &texts).await?.body().deserialize::<Vec<Row>>()
        });
        Ok(listing::arrange(names, &asked, rows.await?))
    }

    async fn guessed(&self, names: &[UnitName], globs: &[&str]) -> Result<Vec<Unit>, SystemdError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let link = self.link().await?;
        let answers = self.ask("list units", async {
            let any_state: [&str; 0] = [];
            let body = (any_state.as_slice(), globs);
            let lists = ["ListUnitsByPatterns", "ListUnitFilesByPatterns"];
            let [units, files] = lists.map(|method| link.manager(method, &body));
            let (units, files) = try_join(units, files).await?;
            Ok((units.body().deserialize::<Vec<Row>>()?, files.body().deserialize::<Vec<FileRow>>()?))
        });
        let (rows, files) = answers.await?;
        let (mut units, aliases) = listing::guess(names, rows, &files);
        let others: Vec<UnitName> = aliases.iter().filter_map(|at| names.get(*at)).cloned().collect();
        for (at, unit) in aliases.into_iter().zip(self.units(&others).await?) {
            units[at] = unit;
        }
        Ok(units)
    }

    async fn details(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        let mut all = Vec::with_capacity(units.len());
        for batch in units.chunks(BATCH) {
            let link = self.link().await?;
            let questions = try_join_all(batch.iter().map(|unit| details_of(&link, unit)));
            all.extend(self.ask("tell the units' properties", questions).await?);
        }
        Ok(all)
    }

    async fn glance(&self, units: &[Unit]) -> Result<Vec<UnitDetails>, SystemdError> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let link = self.link().await?;
        // All are under way at once, as far as the bus allows; so many take their time.
        let limit = self.query.saturating_mul(u32::try_from(units.len().div_ceil(BATCH)).unwrap_or(u32::MAX));
        let is_warm = |unit| self.address == SYSTEM_BUS && glance::is_warm(unit);
        let questions = try_join_all(units.iter().map(|unit| glance_of(&link, unit, is_warm(unit))));
        self.ask_within(limit, "tell the units' properties", questions).await
    }

    async fn matching(&self, glob: &str) -> Result<Vec<Unit>, SystemdError> {
        let link = self.link().await?;
        let rows = self.ask("list units", async {
            let (any_state, globs): ([&str; 0], [&str; 1]) = ([], [glob]);
            let body = (any_state.as_slice(), globs.as_slice());
            link.manager("ListUnitsByPatterns", &body).await?.body().deserialize::<Vec<Row>>()
        });
        Ok(rows.await?.into_iter().filter_map(listing::unit).collect())
    }

    async fn run_job(&self, verb: JobVerb, unit: &UnitName, limit: Duration) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let result = self.order(&verb.to_string(), unit, limit, job::run(&link, verb, unit)).await?;
        if result.is_good() {
            return Ok(());
        }
        Err(SystemdError::JobEnded { verb: verb.to_string(), unit: unit.to_string(), result: result.0 })
    }

    async fn start_transient(
        &self,
        unit: &TransientUnit,
        output: Option<OwnedFd>,
        limit: Duration,
    ) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let result =
            self.order("start", &unit.name, limit, job::start_transient(&link, unit, output)).await?;
        if result.is_good() {
            return Ok(());
        }
        let (verb, unit) = (JobVerb::Start.to_string(), unit.name.to_string());
        Err(SystemdError::JobEnded { verb, unit, result: result.0 })
    }

    async fn kill(&self, unit: &UnitName, signal: i32) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let body = (unit.as_str(), "main", signal);
        self.order("signal", unit, self.query, link.manager("KillUnit", &body)).await.map(|_| ())
    }

    async fn set_properties(
        &self,
        unit: &UnitName,
        properties: &[(&'static str, Value)],
    ) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let properties: Vec<_> = properties.iter().map(|(name, value)| (*name, value.variant())).collect();
        let body = (unit.as_str(), true, properties);
        self.order("limit", unit, self.query, link.manager("SetUnitProperties", &body)).await.map(|_| ())
    }

    async fn freeze(&self, unit: &UnitName) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let name = unit.as_str();
        self.order("freeze", unit, self.query, link.manager("FreezeUnit", &name)).await.map(|_| ())
    }

    async fn thaw(&self, unit: &UnitName) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let name = unit.as_str();
        self.order("thaw", unit, self.query, link.manager("ThawUnit", &name)).await.map(|_| ())
    }

    async fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        let link = self.link().await?;
        let name = unit.as_str();
        self.order("reset", unit, self.query, link.manager("ResetFailedUnit", &name)).await.map(|_| ())
    }
}
