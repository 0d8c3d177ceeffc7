//! The plan of a backup.

use std::path::PathBuf;

use jiff::Timestamp;

use super::freeze::{self, Way};
use super::hooks;
use super::lifecycle::{self, down_waves, held_wave, up_waves};
use super::{BackupStep, Pass, ServicePlan, Step, Target, When, forget, snapshots_of};
use crate::code::Code;
use crate::config::{Config, Quiesce, Service};
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
    let quiet = Quiet::of(service, &seen.parts);
    let wish = Wish { config, service, seen, quiet, sources: &sources, repositories: &usable };
    match freeze::choose(service, seen, &usable, now) {
        Ok(way) => wish.add_steps(&mut plan, &way),
        Err(failure) => return plan.refuse(failure),
    }
    for (repository, _) in &usable {
        forget::add(&mut plan, config, observed, repository, now, Some(now));
    }
    plan
}

/// What will be read; or everything that stands in the way.
fn sources(service: &Service, seen: &ObservedService) -> Result<Vec<PathBuf>, Vec<Failure>> {
    let (paths, mut failures): (Vec<_>, Vec<_>) =
        seen.sources.iter().partition_map(|source| source.path.clone());
    failures.extend(seen.refused_hooks.iter().cloned());
    let stops = service.backup.quiesce != Quiesce::None;
    if let Some(missing) = seen.parts.missing_units.first().filter(|_| stops) {
        // Whether the service runs is not known then: it may run under another name.
        failures.insert(0, lifecycle::missing_unit(missing));
    }
    if seen.sources.is_empty() && service.backup.dumps.is_empty() {
        let message = format!("`{}` declares nothing to back up", service.name);
        failures.push(Failure::new(Code::Failed, message).hint("set `backup.volumes` or `backup.paths`"));
    }
    failures.extend(lifecycle::masked(&seen.parts).filter(|_| service.backup.quiesce == Quiesce::Stop));
    failures
        .extend(lifecycle::cannot_be_held(&seen.parts).filter(|_| service.backup.quiesce == Quiesce::Pause));
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

/// What is backed up, and where to.
struct Wish<'a> {
    config: &'a Config,
    service: &'a Service,
    seen: &'a ObservedService,
    quiet: Quiet,
    sources: &'a [PathBuf],
    repositories: &'a [(&'a RepositoryName, &'a [Snapshot])],
}

impl Wish<'_> {
    /// The service is down from its stop to what is read or frozen, and no longer.
    fn add_steps(&self, plan: &mut ServicePlan, way: &Way) {
        self.add_preparation(plan, way);
        self.add_quiesce(plan, way);
        match way {
            Way::Frozen(frozen, reason) => {
                plan.push(Step::Freeze(frozen.clone()), reason.clone());
                self.add_resume(plan);
                self.add_backups(plan, Pass::Only, way);
                // After the upload: to wait for a slow health check before it would help nobody.
                self.add_health(plan);
                let copies = frozen.copies.clone();
                plan.add(Step::DropFreeze { copies }, When::Always, "nothing of it stays");
            }
            Way::TwoPasses(_) | Way::Classic(_) => {
                let pass = if matches!(way, Way::TwoPasses(_)) { Pass::Cold } else { Pass::Only };
                self.add_backups(plan, pass, way);
                self.add_resume(plan);
                self.add_health(plan);
            }
        }
        freeze::add_forget(plan, self.config, self.service, self.repositories, way);
        hooks::add_after(plan, self.service);
    }

    fn add_preparation(&self, plan: &mut ServicePlan, way: &Way) {
        let path = self.seen.manifest.clone();
        plan.push(Step::WriteManifest { path }, "so that a restore knows what the service was made of");
        hooks::add_pre(plan, self.service);
        let sources = self.sources.to_vec();
        let dumps = self.service.backup.dumps.clone();
        plan.push(Step::CheckSources { sources, dumps }, "a missing source is found before anything stops");
        match way {
            Way::Frozen(frozen, _) => {
                let paths = frozen.copies.iter().map(|copy| copy.from.clone()).collect();
                plan.push(Step::SyncSources { paths }, "so that freezing takes no time");
            }
            Way::TwoPasses(_) => self.add_backups(plan, Pass::Hot, way),
            Way::Classic(_) => {}
        }
    }

    fn add_quiesce(&self, plan: &mut ServicePlan, way: &Way) {
        let Quiet { running, down, .. } = &self.quiet;
        if self.service.backup.quiesce != Quiesce::None {
            let reason =
                if running.is_empty() { "nothing of it runs" } else { "so that exactly this runs again" };
            plan.push(Step::RecordPrior { running: running.clone() }, reason);
        }
        let still = "its data must not change while it is read";
        for (index, step) in down.iter().enumerate() {
            let reason = match way {
                Way::Classic(Some(why)) if index == 0 => format!("{still}; {why}"),
                Way::Frozen(..) => "its data must not change while it is frozen".to_owned(),
                Way::Classic(_) | Way::TwoPasses(_) => still.to_owned(),
            };
            let via = match step {
                Step::Stop { targets } => lifecycle::via(&self.seen.parts, targets),
                _ => None,
            };
            let reason = via.map_or_else(|| reason.clone(), |via| format!("{reason}; {via}"));
            plan.push(step.clone(), reason);
        }
    }

    fn add_resume(&self, plan: &mut ServicePlan) {
        let up = Quiet::of(self.service, &self.seen.parts).up;
        for targets in up {
            if self.service.backup.quiesce == Quiesce::Pause {
                // All go on at once: nobody waits for anybody.
                plan.add(Step::Resume { targets }, When::Always, "it ran before");
            } else {
                lifecycle::add_resume(plan, &self.seen.parts, targets, self.service);
            }
        }
    }

    fn add_health(&self, plan: &mut ServicePlan) {
        let up = &self.quiet.up;
        if !up.is_empty() {
            let timeout = self.service.health.timeout.duration();
            let step = Step::AwaitHealth { targets: up.concat(), timeout };
            plan.add(step, When::Always, "it is back only when it works as before");
        }
    }

    fn add_backups(&self, plan: &mut ServicePlan, pass: Pass, way: &Way) {
        for (repository, snapshots) in self.repositories {
            let step = backup_step(self.config, self.service, self.seen, self.sources, repository, snapshots);
            let reason = match (pass, way, &step.parent) {
                (Pass::Hot, Way::TwoPasses(reason), _) => reason.clone(),
                (Pass::Cold, ..) => "only what has changed meanwhile".to_owned(),
                (_, _, Some(parent)) => format!("compared with snapshot {}", parent.short()),
                (_, _, None) => "its first snapshot there".to_owned(),
            };
            plan.push(Step::Backup(freeze::adapt(step, self.service, pass, way)), reason);
        }
    }
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

/// The dumps that no source holds anyway. They are read as they are: nobody writes to them any more.
fn dumps_elsewhere<'a>(service: &'a Service, sources: &'a [PathBuf]) -> impl Iterator<Item = &'a PathBuf> {
    let is_held = |dump: &PathBuf| sources.iter().any(|source| dump.starts_with(source));
    service.backup.dumps.iter().filter(move |dump| !is_held(dump))
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
    let good =
        |snapshot: &&Snapshot| snapshot.host == config.host && !seen.record.is_not_good(repository, snapshot);
    let previous = snapshots_of(snapshots, service).filter(good).max_by_key(|snapshot| snapshot.time);
    let other_tags = service.backup.tags.iter().filter(|tag| **tag != identity).cloned();
    BackupStep {
        repository: repository.clone(),
        sources: sources
            .iter()
            .chain(dumps_elsewhere(service, sources))
            .chain([&seen.manifest])
            .cloned()
            .collect(),
        tags: std::iter::once(identity.clone()).chain(other_tags).collect(),
        exclude: service.backup.exclude.clone(),
        host: config.host.clone(),
        parent: previous.map(|snapshot| snapshot.id.clone()),
        previous: previous.and_then(|snapshot| snapshot.counts),
        min_files: service.backup.min_files,
        max_shrink_percent: service.backup.max_shrink_percent,
        timeout: service.backup.timeout.map(crate::config::Period::duration),
        binds: Vec::new(),
        ignore_inode: false,
        pass: Pass::Only,
    }
}
