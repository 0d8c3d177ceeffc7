//! How things stand: every service's backups with what went wrong, and what a run that crashed left behind. A fold of
//! records and run logs; never runs restic.

pub(crate) mod crashes;
pub(crate) mod owing;

pub use crashes::{is_unfinished, unfinished};

use std::collections::HashMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::config::{Config, Service};
use crate::failure::Failure;
use crate::history::{self, CutOff};
use crate::names::{RunId, ServiceName};
use crate::observe::Parts;
use crate::outside::Outside;
use crate::overview::{RepositoryOverview, State, backups, overview_and_parts};
use crate::records::Attempt;
use crate::report::Report;
use crate::scope::Scope;
use crate::status::StateWord;
use crate::timers::NextRun;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `ok`; `unhealthy`: something needs a person; `notResumed`: a run that crashed left something down.
    pub code: Code,
    /// The services, in the order of the file.
    pub services: Vec<ServiceStanding>,
    /// Why something may be missing here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Failure>,
}

/// How one service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStanding {
    /// Its name.
    pub name: ServiceName,
    /// What it is doing; nothing: nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Its backups in each repository that it uses; none: it is not backed up.
    pub backups: Vec<BackupStanding>,
    /// When it is backed up next; nothing: no timer is known to do it, or nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<NextRun>,
    /// Runs that crashed in the middle of it or could not bring it back, and no later one has ended well since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<CutOff>,
}

/// How a service's backups in one repository stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStanding {
    /// What the records say.
    #[serde(flatten)]
    pub known: RepositoryOverview,
    /// What went wrong with the last attempt, as its run's log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl ServiceStanding {
    /// The worst that is true of it, as an exit code.
    #[must_use]
    pub fn code(&self) -> Code {
        let is_down = self.left.iter().any(|cut| !cut.down.is_empty() || cut.exchanging);
        let is_bad =
            self.state.as_ref().is_some_and(|state| state.at_work.is_none() && needs_a_person(&state.word))
                || self.backups.iter().any(BackupStanding::is_bad)
                || !self.left.is_empty();
        match (is_down, is_bad) {
            (true, _) => Code::NotResumed,
            (false, true) => Code::Unhealthy,
            (false, false) => Code::Ok,
        }
    }
}

impl BackupStanding {
    /// Whether the last good one is missing, too old or unproven, or the last attempt came to less.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.known.overdue
            || self.known.damaged
            || self.known.last_attempt.as_ref().is_some_and(|last| last.code != Code::Ok)
    }
}

/// What is off because somebody wanted it so needs nobody.
const fn needs_a_person(word: &StateWord) -> bool {
    match word {
        StateWord::Partial { .. } | StateWord::Unhealthy | StateWord::Failed | StateWord::Unknown { .. } => {
            true
        }
        StateWord::Running
        | StateWord::Starting
        | StateWord::Paused
        | StateWord::Stopped
        | StateWord::Masked
        | StateWord::ByHand
        | StateWord::DataOnly => false,
    }
}

/// How these services stand. Without the outside systems only svc's own files are read.
pub async fn standing(
    config: &Config,
    scope: &Scope,
    outside: Option<&Outside>,
    names: &[ServiceName],
    now: Timestamp,
) -> Standing {
    let mut notes = Vec::new();
    let mut seen = match outside {
        Some(outside) => see(config, scope, outside, now).await,
        None => HashMap::new(),
    };
    let runs = scope.runs_dir();
    let crashes = crashes::of(&runs).unwrap_or_else(|error| {
        notes.push(
            Failure::new(Code::Permission, format!("the runs in `{}` cannot be read", runs.display()))
                .because(error.to_string())
                .hint("sudo svc status"),
        );
        Vec::new()
    });
    let mut logs = Logs { scope, known: HashMap::new() };
    let services = config.services.values().filter(|service| names.contains(&service.name));
    let services: Vec<ServiceStanding> = services
        .map(|service| {
            let live = seen.remove(&service.name);
            let left = crashes.iter().filter(|cut| cut.service == service.name);
            ServiceStanding {
                name: service.name.clone(),
                backups: backups_of(config, &mut logs, service, now),
                left: left.map(|cut| crashes::still(cut, live.as_ref().map(|live| &live.parts))).collect(),
                next_run: live.as_ref().and_then(|live| live.next_run.clone()),
                state: live.map(|live| live.state),
            }
        })
        .collect();
    let code = Code::worst(services.iter().map(ServiceStanding::code));
    Standing { at: now, code, services, notes }
}

/// What is seen of a service now.
struct Live {
    state: State,
    next_run: Option<NextRun>,
    parts: Parts,
}

async fn see(
    config: &Config,
    scope: &Scope,
    outside: &Outside,
    now: Timestamp,
) -> HashMap<ServiceName, Live> {
    let (overview, parts) = overview_and_parts(config, scope, outside, now).await;
    let live = overview.services.into_iter().zip(parts);
    live.map(|(one, parts)| (one.name, Live { state: one.state, next_run: one.next_run, parts })).collect()
}

fn backups_of(
    config: &Config,
    logs: &mut Logs<'_>,
    service: &Service,
    now: Timestamp,
) -> Vec<BackupStanding> {
    let known = backups(config, logs.scope, service, now).into_iter();
    known
        .map(|known| {
            let failed = known.last_attempt.as_ref().filter(|last| last.code != Code::Ok);
            let failure = failed.and_then(|last| logs.failure(&service.name, last));
            BackupStanding { known, failure }
        })
        .collect()
}

/// The reports of runs, each read once: twenty services fail in one run.
struct Logs<'a> {
    scope: &'a Scope,
    known: HashMap<RunId, Option<Report>>,
}

impl Logs<'_> {
    /// What went wrong with this service in the run of this attempt; nothing: its log is gone.
    fn failure(&mut self, service: &ServiceName, attempt: &Attempt) -> Option<Failure> {
        let runs = self.scope.runs_dir();
        let read = || history::report_of(&runs, &attempt.run).ok().flatten();
        let report = self.known.entry(attempt.run.clone()).or_insert_with(read).as_ref()?;
        let failures = &report.services.iter().find(|one| one.service == *service)?.failures;
        failures.iter().find(|failure| failure.code == attempt.code).or(failures.first()).cloned()
    }
}
