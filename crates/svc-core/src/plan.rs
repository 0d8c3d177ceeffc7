//! A plan: what a run will do, step by step, each with its reason. Made by a pure function, shown, then run as it is.

mod backup;
mod forget;
mod freeze;
mod hooks;
mod lifecycle;
mod restore;
mod snapshot;
mod step;
mod target;
mod triggers;
mod waves;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use forget::held;
pub(crate) use freeze::is_hot;
pub use hooks::{HookKind, HookStep};
pub(crate) use lifecycle::{held_wave, running};
pub(crate) use restore::STAGE_PREFIX;
pub use snapshot::{choose, snapshots_of};
pub use step::{
    BackupStep, ExchangePair, ForgetStep, FreezeStep, HotLeft, Pass, PlannedStep, StageStep, Step, When,
};
pub use target::Target;

use crate::config::Config;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::names::{ServiceName, UnitName};
use crate::observe::Observed;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What it is to reach.
    pub goal: Goal,
    /// When the world was looked at.
    #[schemars(with = "String")]
    pub made_at: Timestamp,
    /// How many services are worked on at once.
    pub jobs: usize,
    /// What is done to each service.
    pub services: Vec<ServicePlan>,
}

/// What is done to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePlan {
    /// The service.
    pub service: ServiceName,
    /// Services of this plan that come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<ServiceName>,
    /// Services that share a group are never worked on at once: in a backup, those that need each other.
    pub group: usize,
    /// Why nothing is done, although nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What cannot be done, known before anything was touched. Its steps do the rest; none: nothing is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Failure>,
    /// The steps in their order.
    pub steps: Vec<PlannedStep>,
    /// What needs a repository alone: done at the end of the run, when nothing of it is at work there any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closing: Vec<PlannedStep>,
}

impl ServicePlan {
    /// The units that it stops, holds or starts, each once.
    #[must_use]
    pub fn units(&self) -> Vec<UnitName> {
        let targets = self.steps.iter().flat_map(|planned| planned.step.targets());
        let mut units: Vec<UnitName> = targets
            .filter_map(|target| match target {
                Target::Unit(unit) => Some(unit.clone()),
                Target::Container(_) => None,
            })
            .collect();
        units.sort();
        units.dedup();
        units
    }

    pub(crate) fn empty(service: ServiceName) -> Self {
        let (refused, steps, closing) = (Vec::new(), Vec::new(), Vec::new());
        Self { service, after: Vec::new(), group: 0, skipped: None, refused, steps, closing }
    }

    fn skip(mut self, reason: impl Into<String>) -> Self {
        self.skipped = Some(reason.into());
        self.without_steps()
    }

    fn refuse(mut self, failure: Failure) -> Self {
        self.refused.push(failure);
        self.without_steps()
    }

    fn without_steps(mut self) -> Self {
        self.steps.clear();
        self.closing.clear();
        self
    }

    fn push(&mut self, step: Step, reason: impl Into<String>) {
        self.add(step, When::Normal, reason);
    }

    fn add(&mut self, step: Step, when: When, reason: impl Into<String>) {
        self.steps.push(PlannedStep { step, when, reason: reason.into() });
    }

    fn close(&mut self, step: Step, when: When, reason: impl Into<String>) {
        self.closing.push(PlannedStep { step, when, reason: reason.into() });
    }

    /// Of what is done at the end of the run only what is owed.
    pub(crate) fn with_needed_closing(mut self) -> Self {
        self.closing.retain(|planned| planned.when == When::Always);
        self
    }

    /// All its steps, in the order in which they are done.
    pub fn all_steps(&self) -> impl Iterator<Item = &PlannedStep> + Clone {
        self.steps.iter().chain(&self.closing)
    }
}

impl Plan {
    /// Has every snapshot count, however little of the data is left: a person said that it was meant.
    pub fn accept_shrink(&mut self) {
        for planned in self.services.iter_mut().flat_map(|service| &mut service.steps) {
            if let Step::Backup(step) = &mut planned.step {
                step.max_shrink_percent = 100;
            }
        }
    }

    /// Whether any service has something done to it.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.services.iter().any(|service| !service.steps.is_empty())
    }
}

/// Makes the plan that reaches the goal from what was observed. Pure: the same input gives the same plan.
#[must_use]
pub fn plan(config: &Config, observed: &Observed, goal: &Goal, now: Timestamp) -> Plan {
    let one = |name: &ServiceName| match goal {
        Goal::Backup { repositories, .. } => backup::service(config, observed, name, repositories, now),
        Goal::Forget { repository, .. } => forget::service(config, observed, name, repository, now),
        Goal::Restore { repository, start, .. } => {
            restore::service(config, observed, name, &restore::Wish { repository, start: *start, now })
        }
        Goal::Start { .. } => lifecycle::start(config, observed, name),
        Goal::Stop { .. } => lifecycle::stop(observed, name),
        Goal::Restart { recreate, .. } => lifecycle::restart(config, observed, name, *recreate),
    };
    let mut services: Vec<ServicePlan> = goal.services().iter().map(one).collect();
    order(config, goal, &mut services);
    Plan { goal: goal.clone(), made_at: now, jobs: jobs(goal), services }
}

fn jobs(goal: &Goal) -> usize {
    match goal {
        Goal::Backup { .. } => 2,
        // One at a time: what goes wrong with one restore may be wrong with all, and restic forgets alone.
        Goal::Restore { .. } | Goal::Forget { .. } => 1,
        Goal::Start { .. } | Goal::Stop { .. } | Goal::Restart { .. } => 8,
    }
}

/// Fills in `after` and `group` from the configured order; stopping goes the other way round.
fn order(config: &Config, goal: &Goal, services: &mut [ServicePlan]) {
    let names: Vec<ServiceName> = services.iter().map(|plan| plan.service.clone()).collect();
    let groups = waves::groups(config);
    // Services between two of the plan count too, also when they are not part of it.
    let edges: Vec<Vec<ServiceName>> = names
        .iter()
        .map(|name| waves::first(config, name).into_iter().filter(|other| names.contains(other)).collect())
        .collect();
    for (index, plan) in services.iter_mut().enumerate() {
        match goal {
            Goal::Backup { .. } => plan.group = groups.get(&plan.service).copied().unwrap_or(index),
            Goal::Stop { .. } => plan.after = dependents(&names, &edges, &plan.service),
            Goal::Forget { .. } => {}
            Goal::Start { .. } | Goal::Restart { .. } | Goal::Restore { .. } => {
                plan.after = edges.get(index).cloned().unwrap_or_default();
            }
        }
        if !matches!(goal, Goal::Backup { .. }) {
            // Their order says all: two that need the same third one may go on at once.
            plan.group = index;
        }
    }
}

fn dependents(names: &[ServiceName], edges: &[Vec<ServiceName>], of: &ServiceName) -> Vec<ServiceName> {
    let needs = edges.iter().zip(names).filter(|(first, _)| first.contains(of));
    needs.map(|(_, name)| name.clone()).collect()
}
