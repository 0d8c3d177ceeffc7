//! The plan of a restore: stage beside the live data, stop, exchange, start; and the way back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::lifecycle::{self, add_resume, down_waves, off_waves, up_waves};
use super::{ExchangePair, ServicePlan, StageStep, Step, Target, When};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Observed, ObservedRestore, ObservedService, ObservedTarget, Place};
use crate::restic::Counts;

/// What a person wants restored.
pub(super) struct Wish<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) start: bool,
    pub(super) now: Timestamp,
}

/// Names of stages begin so; nothing else is ever removed.
pub(crate) const STAGE_PREFIX: &str = ".svc-stage-";

/// Plans the restore of one service.
pub(super) fn service(
    config: &Config,
    observed: &Observed,
    name: &ServiceName,
    wish: &Wish<'_>,
) -> ServicePlan {
    let plan = ServicePlan::empty(name.clone());
    let (Some(service), Some(seen)) = (config.services.get(name), observed.services.get(name)) else {
        return plan.skip("it is not configured");
    };
    if let Some(unknown) = unknown(service, seen) {
        return plan.refuse(unknown.clone());
    }
    let restore = match &seen.restore {
        Some(Ok(restore)) => restore,
        Some(Err(failure)) => return plan.refuse(failure.clone()),
        None => return plan.skip("its snapshots were not looked at"),
    };
    if restore.targets.is_empty() {
        let failure = Failure::new(Code::Failed, format!("`{name}` declares nothing to restore"));
        return plan.refuse(failure.hint("set `restore.volumes` or `restore.paths`"));
    }
    let stages = stages(restore, name, wish);
    let masked = lifecycle::masked(&seen.parts);
    let problems = absent(restore).into_iter().chain(too_large(restore, &stages)).chain(masked);
    let problems: Vec<Failure> = problems.collect();
    if !problems.is_empty() {
        return problems.into_iter().fold(plan, ServicePlan::refuse);
    }
    let mut plan = plan;
    add_steps(&mut plan, service, seen, restore, &stages, wish);
    plan
}

/// Why it cannot be known whether something runs that has the data open: it would go on with the old trees.
fn unknown<'a>(service: &Service, seen: &'a ObservedService) -> Option<&'a Failure> {
    let restore = &service.restore;
    let may_run = restore.stop_compose || restore.compose_unit.is_some() || !service.units.is_empty();
    let any = seen.parts.docker.as_ref().or(seen.parts.systemd.as_ref());
    seen.parts.unknown(service).or(any.filter(|_| may_run))
}

/// One stage for each mounted file system.
fn stages(restore: &ObservedRestore, name: &ServiceName, wish: &Wish<'_>) -> BTreeMap<Place, StageStep> {
    let mut stages: BTreeMap<Place, StageStep> = BTreeMap::new();
    let stamp = wish.now.strftime("%Y%m%dT%H%M%SZ");
    for target in &restore.targets {
        let (directory, place) = &target.stage_in;
        let stage = stages.entry(*place).or_insert_with(|| StageStep {
            repository: wish.repository.clone(),
            snapshot: restore.snapshot.id.clone(),
            stage: directory.join(format!("{STAGE_PREFIX}{name}-{stamp}")),
            include: Vec::new(),
            counts: Counts::default(),
        });
        let counts = target.counts.unwrap_or_default();
        stage.include.push(target.path.clone());
        stage.counts.files += counts.files;
        stage.counts.bytes += counts.bytes;
    }
    stages
}

fn absent(restore: &ObservedRestore) -> Vec<Failure> {
    let lacks = |target: &&ObservedTarget| target.counts.is_none();
    let failure = |target: &ObservedTarget| {
        let message = format!("snapshot {} does not hold {}", restore.snapshot.id.short(), target.source);
        Failure::new(Code::Failed, message).hint("choose another snapshot")
    };
    restore.targets.iter().filter(lacks).map(failure).collect()
}

/// A file system fills up badly in its last hundredth, so that stays free.
fn too_large(restore: &ObservedRestore, stages: &BTreeMap<Place, StageStep>) -> Vec<Failure> {
    let check = |(place, stage): (&Place, &StageStep)| {
        let free = restore.free.get(place)?;
        let (bytes, inodes) = (free.bytes - free.bytes / 100, free.inodes - free.inodes / 100);
        let message =
            |what: String| format!("`{}` has no room for {what}", stage.stage.parent()?.display()).into();
        let lacking: Option<String> = if stage.counts.bytes > bytes {
            message(format!("{} bytes: {} are free", stage.counts.bytes, free.bytes))
        } else if stage.counts.files > inodes {
            message(format!("{} files: {} inodes are free", stage.counts.files, free.inodes))
        } else {
            None
        };
        lacking.map(|message| Failure::new(Code::NoSpace, message).hint("make room there, then run it again"))
    };
    stages.iter().filter_map(check).collect()
}

fn add_steps(
    plan: &mut ServicePlan,
    service: &Service,
    seen: &ObservedService,
    restore: &ObservedRestore,
    stages: &BTreeMap<Place, StageStep>,
    wish: &Wish<'_>,
) {
    let pairs = pairs(restore, stages);
    let down = down_waves(&seen.parts);
    let running = down.concat();
    let up = up_waves(&seen.parts);
    for stage in stages.values() {
        plan.push(Step::Stage(stage.clone()), "the service runs on meanwhile");
        plan.push(Step::VerifyStage(stage.clone()), "nothing is replaced by something incomplete");
    }
    plan.push(Step::RecordPrior { running: running.clone() }, "so that exactly this runs again");
    for targets in &down {
        plan.push(Step::Stop { targets: targets.clone() }, "a running service would go on with the old data");
    }
    plan.push(Step::Exchange { pairs: pairs.clone() }, "all at once; the old data is kept");
    for targets in up.clone() {
        add_resume(plan, &seen.parts, targets, service);
    }
    let started = add_first_start(plan, seen, restore, wish);
    let timeout = service.health.timeout.duration();
    let awaited: Vec<Target> = up.concat().into_iter().chain(started.concat()).collect();
    if !awaited.is_empty() {
        let step = Step::AwaitHealth { targets: awaited, timeout };
        plan.push(step, "a restore is good when the service works");
    }
    let stop = started.into_iter().rev().chain(down).collect();
    let back = Step::AwaitHealth { targets: up.concat(), timeout };
    plan.add(Step::Revert { pairs, stop, start: up }, When::OnFailure, "the way back");
    if !running.is_empty() {
        plan.add(back, When::OnFailure, "it is back only when it works as before");
    }
    add_drops(plan, seen, restore, stages);
}

/// Removes what is of no use any more: the stages after a failure, those that hold nothing old, and older old data.
fn add_drops(
    plan: &mut ServicePlan,
    seen: &ObservedService,
    restore: &ObservedRestore,
    stages: &BTreeMap<Place, StageStep>,
) {
    for stage in stages.values() {
        plan.add(Step::DropStage { stage: stage.stage.clone() }, When::OnFailure, "it is of no use any more");
    }
    for (_, stage) in stages.iter().filter(|(place, _)| !replaces_anything(restore, **place)) {
        plan.push(Step::DropStage { stage: stage.stage.clone() }, "nothing was there to be kept");
    }
    for old in seen.record.replaced.iter().flat_map(|replaced| &replaced.stages) {
        let step = Step::DropStage { stage: old.clone() };
        plan.push(step, "the data that the restore before this one replaced");
    }
}

fn replaces_anything(restore: &ObservedRestore, place: Place) -> bool {
    restore.targets.iter().any(|target| target.exists && target.stage_in.1 == place)
}

/// A service that had no data before, or that a person wants up, is started although it was off.
fn add_first_start(
    plan: &mut ServicePlan,
    seen: &ObservedService,
    restore: &ObservedRestore,
    wish: &Wish<'_>,
) -> Vec<Vec<Target>> {
    let is_new = !restore.targets.iter().any(|target| target.exists);
    if !(wish.start || is_new) {
        return Vec::new();
    }
    let reason = if wish.start { "it was asked for" } else { "it had no data before" };
    let waves = off_waves(&seen.parts);
    for targets in &waves {
        plan.push(Step::Start { targets: targets.clone() }, reason);
    }
    waves
}

fn pairs(restore: &ObservedRestore, stages: &BTreeMap<Place, StageStep>) -> Vec<ExchangePair> {
    let pair = |target: &ObservedTarget| {
        let stage = stages.get(&target.stage_in.1)?;
        Some(ExchangePair { live: target.live.clone(), staged: below(&stage.stage, &target.path) })
    };
    restore.targets.iter().filter_map(pair).collect()
}

fn below(stage: &Path, path: &Path) -> PathBuf {
    stage.join(path.strip_prefix("/").unwrap_or(path))
}
