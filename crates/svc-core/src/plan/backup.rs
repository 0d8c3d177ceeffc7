//! The plan of a backup.

use std::path::PathBuf;

use jiff::Timestamp;

use super::hooks;
use super::lifecycle::{self, down_waves, held_wave, up_waves};
use super::{BackupStep, ServicePlan, Step, Target, When, forget, snapshots_of};
use crate::code::Code;
use crate::config::{Config, Freeze, Quiesce, Service};
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Observed, ObservedService, Parts};
use crate::restic::Snapshot;

/// Plans the backup of one service to those of the repositories that it uses.
pub(super) fn service(
    config: &Config,
    observed: &Observed,
    name: &ServiceName,
    repositories: &[RepositoryName],
    now: Timestamp,
) -> ServicePlan {
    let plan = ServicePlan::empty(name.clone());
    let (Some(service), Some(seen)) = (config.services.get(name), observed.services.get(name)) else {
        return plan.skip("it is not configured");
    };
    if let Some(failure) = not_yet(service) {
        return plan.refuse(failure);
    }
    let sources = match sources(service, seen) {
        Ok(sources) => sources,
        Err(failures) => return failures.into_iter().fold(plan, ServicePlan::refuse),
    };
    let mut plan = plan;
    let mut usable: Vec<(&RepositoryName, &[Snapshot])> = Vec::new();
    for repository in repositories.iter().filter(|name| service.uses(name)) {
        match observed.repositories.get(repository) {
            Some(Ok(snapshots)) => usable.push((repository, snapshots)),
            Some(Err(failure)) => plan.refused.push(failure.clone()),
            None => {}
        }
    }
    if usable.is_empty() {
        return if plan.refused.is_empty() { plan.skip("none of these repositories takes it") } else { plan };
    }
    add_steps(&mut plan, config, service, seen, &sources, &usable);
    for (repository, _) in &usable {
        forget::add(&mut plan, config, observed, repository, now, Some(now));
    }
    plan
}

/// What the configuration asks for and this version cannot do: leaving it out would be a backup that is not one.
fn not_yet(service: &Service) -> Option<Failure> {
    let what = match service.backup.freeze {
        Freeze::Require => "`backup.freeze` = `require`",
        Freeze::Auto | Freeze::Never => return None,
    };
    Some(Failure::new(Code::Refused, format!("{what} of `{}` is not possible in this version", service.name)))
}

/// What will be read; or everything that stands in the way.
fn sources(service: &Service, seen: &ObservedService) -> Result<Vec<PathBuf>, Vec<Failure>> {
    let (paths, mut failures): (Vec<_>, Vec<_>) =
        seen.sources.iter().partition_map(|source| source.path.clone());
    let stops = service.backup.quiesce != Quiesce::None;
    if let Some(missing) = seen.parts.missing_units.first().filter(|_| stops) {
        // Whether the service runs is not known then: it may run under another name.
        failures.insert(0, lifecycle::missing_unit(missing));
    }
    if seen.sources.is_empty() {
        let message = format!("`{}` declares nothing to back up", service.name);
        failures.push(Failure::new(Code::Failed, message).hint("set `backup.volumes` or `backup.paths`"));
    }
    if let Some(unknown) = seen.parts.unknown(service) {
        // The volumes fail for the same reason; one sentence is enough.
        failures.retain(|failure| failure.message != unknown.message);
        failures.insert(0, unknown.clone());
    }
    failures.dedup();
    if failures.is_empty() { Ok(paths) } else { Err(failures) }
}

trait PartitionMap: Iterator + Sized {
    fn partition_map<T, E>(self, split: impl Fn(Self::Item) -> Result<T, E>) -> (Vec<T>, Vec<E>) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for item in self {
            match split(item) {
                Ok(value) => left.push(value),
                Err(error) => right.push(error),
            }
        }
        (left, right)
    }
}

impl<I: Iterator> PartitionMap for I {}

fn add_steps(
    plan: &mut ServicePlan,
    config: &Config,
    service: &Service,
    seen: &ObservedService,
    sources: &[PathBuf],
    repositories: &[(&RepositoryName, &[Snapshot])],
) {
    let quiet = Quiet::of(service, &seen.parts);
    plan.push(
        Step::WriteManifest { path: seen.manifest.clone() },
        "so that a restore knows what the service was made of",
    );
    hooks::add_pre(plan, service);
    plan.push(
        Step::CheckSources { sources: sources.to_vec() },
        "a missing source is found before anything stops",
    );
    if service.backup.quiesce != Quiesce::None {
        let reason =
            if quiet.running.is_empty() { "nothing of it runs" } else { "so that exactly this runs again" };
        plan.push(Step::RecordPrior { running: quiet.running.clone() }, reason);
    }
    for step in quiet.down {
        plan.push(step, "its data must not change while it is read");
    }
    for (repository, snapshots) in repositories {
        let step = backup_step(config, service, seen, sources, repository, snapshots);
        let reason = match &step.parent {
            Some(parent) => format!("compared with snapshot {}", parent.short()),
            None => "its first snapshot there".to_owned(),
        };
        plan.push(Step::Backup(step), reason);
    }
    for targets in &quiet.up {
        lifecycle::add_resume(plan, &seen.parts, targets.clone(), service);
    }
    if !quiet.up.is_empty() {
        let timeout = service.health.timeout.duration();
        let step = Step::AwaitHealth { targets: quiet.up.concat(), timeout };
        plan.add(step, When::Always, "it is back only when it works as before");
    }
    hooks::add_after(plan, service);
}

/// How a service is made to hold still, and how it goes on.
struct Quiet {
    /// All that runs of it.
    running: Vec<Target>,
    down: Vec<Step>,
    up: Vec<Vec<Target>>,
}

impl Quiet {
    fn of(service: &Service, parts: &Parts) -> Self {
        let waves = down_waves(parts);
        let running = waves.concat();
        match service.backup.quiesce {
            Quiesce::None => Self { running, down: Vec::new(), up: Vec::new() },
            Quiesce::Stop => {
                let down = waves.into_iter().map(|targets| Step::Stop { targets }).collect();
                Self { running, down, up: up_waves(parts) }
            }
            Quiesce::Pause => {
                let held: Vec<Vec<Target>> =
                    Some(held_wave(parts)).filter(|wave| !wave.is_empty()).into_iter().collect();
                let down = held.iter().map(|targets| Step::Pause { targets: targets.clone() }).collect();
                Self { running, down, up: held }
            }
        }
    }
}

fn backup_step(
    config: &Config,
    service: &Service,
    seen: &ObservedService,
    sources: &[PathBuf],
    repository: &RepositoryName,
    snapshots: &[Snapshot],
) -> BackupStep {
    let identity = format!("svc:{}", service.name);
    let good = |snapshot: &&Snapshot| {
        snapshot.host == config.host && !seen.record.is_not_good(repository, &snapshot.id)
    };
    let previous = snapshots_of(snapshots, service).filter(good).max_by_key(|snapshot| snapshot.time);
    let other_tags = service.backup.tags.iter().filter(|tag| **tag != identity).cloned();
    BackupStep {
        repository: repository.clone(),
        sources: sources.iter().cloned().chain([seen.manifest.clone()]).collect(),
        tags: std::iter::once(identity.clone()).chain(other_tags).collect(),
        exclude: service.backup.exclude.clone(),
        host: config.host.clone(),
        parent: previous.map(|snapshot| snapshot.id.clone()),
        previous: previous.and_then(|snapshot| snapshot.counts),
        min_files: service.backup.min_files,
        max_shrink_percent: service.backup.max_shrink_percent,
        timeout: service.backup.timeout.map(crate::config::Period::duration),
    }
}
