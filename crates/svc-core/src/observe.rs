//! What the world looks like before a plan is made: units, containers, sources, repositories.

mod ground;
mod keepers;
mod parts;
mod place;
mod relatives;
mod repositories;
mod secrets;
mod sources;
mod targets;

use futures_util::future::join_all;
use indexmap::IndexMap;
use jiff::Timestamp;

pub(crate) use keepers::{keeps, unknown_keeper};
pub use parts::{KnownUnits, Parts, parts, parts_at_a_glance};
pub(crate) use parts::{belongs, candidates, is_part, is_up};
pub use place::Place;
pub(crate) use place::stage_directory;
pub use relatives::Seen;
pub(crate) use relatives::is_wanted;
pub(crate) use repositories::reach;
pub use secrets::hook_warnings;
pub(crate) use secrets::loose;
pub(crate) use sources::observe as sources_of;
pub use sources::{ObservedSource, Source};
pub use targets::{Free, ObservedRestore, ObservedTarget};

use crate::config::{Config, Service};
use crate::docker::Volume;
use crate::failure::Failure;
use crate::freeze::Part;
use crate::goal::Goal;
use crate::names::{RepositoryName, ServiceName};
use crate::outside::Outside;
use crate::records::{RepositoryRecord, ServiceRecord};
use crate::restic::Snapshot;
use crate::scope::Scope;

/// What was seen; only what the goal needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The services of the goal.
    pub services: IndexMap<ServiceName, ObservedService>,
    /// The repositories of the goal: their snapshots, oldest first, or why they cannot be used.
    pub repositories: IndexMap<RepositoryName, Result<Vec<Snapshot>, Failure>>,
    /// What is known of them.
    pub known: IndexMap<RepositoryName, RepositoryRecord>,
}

/// One service as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedService {
    /// Its units and containers.
    pub parts: Parts,
    /// What a backup of it reads.
    pub sources: Vec<ObservedSource>,
    /// Why its hooks must not run with a backup of it.
    pub refused_hooks: Vec<Failure>,
    /// On what file systems that lies, part by part, those above first; empty: nobody wants it frozen.
    pub ground: Vec<Part>,
    /// What a restore of it writes; nothing: that was not asked.
    pub restore: Option<Result<ObservedRestore, Failure>>,
    /// Where its manifest is.
    pub manifest: std::path::PathBuf,
    /// What is known of its earlier runs.
    pub record: ServiceRecord,
}

/// How repositories are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Nothing is written there, not even a lock.
    Look,
    /// Where something will be written, a lock is taken and let go: whoever stands in the way has to show.
    Knock,
}

/// Looks at everything that the goal needs, systems side by side.
pub async fn observe(
    config: &Config,
    scope: &Scope,
    outside: &Outside,
    goal: &Goal,
    probe: Probe,
    now: Timestamp,
) -> Observed {
    let names = goal.services();
    let (parts, volumes, repositories) = tokio::join!(
        parts(config, outside, names),
        volumes(config, outside, goal),
        repositories::observe(config, outside, goal, probe),
    );
    let known = |name: &RepositoryName| (name.clone(), RepositoryRecord::load(&scope.records_dir(), name));
    let known = goal.repositories().iter().map(known).collect();
    // One that cannot be used is not written to.
    let usable = repositories.iter().filter(|(_, snapshots)| snapshots.is_ok());
    let usable = usable.filter_map(|(name, _)| config.repositories.get_key_value(name));
    let written = match goal {
        Goal::Backup { .. } => ground::written(scope, usable).await,
        _ => Vec::new(),
    };
    let look = Look { scope, outside, goal, volumes, repositories: &repositories, written, now };
    let declared =
        names.iter().zip(parts).filter_map(|(name, parts)| Some((config.services.get(name)?, parts)));
    // At once: of several on one disk that does not answer, each takes its whole time.
    let seen =
        declared.map(async |(service, parts)| (service.name.clone(), look.service(service, parts).await));
    let services = join_all(seen).await.into_iter().collect();
    Observed { services, repositories, known }
}

/// What the looks at single services share.
struct Look<'a> {
    scope: &'a Scope,
    outside: &'a Outside,
    goal: &'a Goal,
    volumes: Result<Vec<Volume>, Failure>,
    repositories: &'a IndexMap<RepositoryName, Result<Vec<Snapshot>, Failure>>,
    written: Vec<ground::Written>,
    now: Timestamp,
}

impl Look<'_> {
    async fn service(&self, service: &Service, parts: Parts) -> ObservedService {
        let (sources, refused_hooks) = match self.goal {
            Goal::Backup { .. } => {
                (sources::observe(service, &self.volumes).await, secrets::observe(service))
            }
            _ => (Vec::new(), Vec::new()),
        };
        let record = ServiceRecord::load(&self.scope.records_dir(), &service.name);
        let manifest = self.scope.manifests_dir().join(format!("{}.json", service.name));
        let ground = ground::observe(self.scope, self.outside, service, &sources, &self.written).await;
        let restore = self.restore(service, &record).await;
        ObservedService { parts, sources, refused_hooks, ground, restore, manifest, record }
    }

    async fn restore(
        &self,
        service: &Service,
        record: &ServiceRecord,
    ) -> Option<Result<ObservedRestore, Failure>> {
        let Goal::Restore { repository, snapshot, .. } = self.goal else { return None };
        let own = [self.scope.state_dir.as_path(), self.scope.cache_dir.as_path()];
        let stages = self.scope.stages_dir();
        let wish =
            targets::Wish { service, repository, choice: snapshot, now: self.now, own, stages: &stages };
        let snapshots = self.repositories.get(repository);
        Some(targets::observe(self.outside, &wish, snapshots, &self.volumes, record).await)
    }
}

/// The volumes, if any service of the goal names one.
async fn volumes(config: &Config, outside: &Outside, goal: &Goal) -> Result<Vec<Volume>, Failure> {
    let named = |name: &ServiceName| {
        config.services.get(name).is_some_and(|service| match goal {
            Goal::Backup { .. } => !service.backup.volumes.is_empty(),
            Goal::Restore { .. } => !service.restore.volumes.is_empty(),
            _ => false,
        })
    };
    if goal.services().iter().any(named) {
        outside.docker.volumes().await.map_err(|error| Failure::from(&error))
    } else {
        Ok(Vec::new())
    }
}
