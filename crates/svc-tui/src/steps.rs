//! Goals and the steps that lead to them, in words.

use std::path::PathBuf;

use svc_core::freeze::FrozenCopy;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::names::RepositoryName;
use svc_core::plan::{BackupStep, ForgetStep, Pass, PlannedStep, StageStep, Step, Target, When};
use svc_core::retention::Judged;

use crate::figures;
use crate::text;

/// What a goal is, in a few words: `Backup of 3 services to remote`.
#[must_use]
pub fn headline(goal: &Goal) -> String {
    let services = match goal.services() {
        [one] => one.to_string(),
        several => figures::plural(several.len(), "service", "services"),
    };
    let repositories: Vec<&str> = goal.repositories().iter().map(RepositoryName::as_str).collect();
    let repositories = repositories.join(" and ");
    match goal {
        Goal::Backup { .. } => format!("Backup of {services} to {repositories}"),
        Goal::Restore { snapshot, .. } => {
            let which = match snapshot {
                SnapshotChoice::Latest => "the latest good snapshot".to_owned(),
                SnapshotChoice::Id(id) => format!("snapshot {id}"),
                SnapshotChoice::At(moment) => format!("as of {}", moment.strftime("%F %T UTC")),
            };
            format!("Restore of {services} from {repositories}: {which}")
        }
        Goal::Forget { .. } => format!("Retention of {services} in {repositories}"),
        Goal::Start { .. } => format!("Start of {services}"),
        Goal::Stop { .. } => format!("Stop of {services}"),
        Goal::Restart { .. } => format!("Restart of {services}"),
    }
}

/// A step as a sentence without its full stop.
#[must_use]
pub fn describe(planned: &PlannedStep) -> String {
    let what = step(&planned.step);
    match planned.when {
        When::Normal => what,
        When::Always => format!("in any case: {what}"),
        When::OnFailure => format!("after a failure: {what}"),
    }
}

fn check(sources: &[PathBuf], dumps: &[PathBuf]) -> String {
    match dumps {
        [] => format!("check that {} can be read", paths(sources)),
        dumps => format!("check that {} can be read and {} holds something", paths(sources), paths(dumps)),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::CheckSources { sources, dumps } => check(sources, dumps),
        Step::WriteManifest { path } => format!("write the manifest {}", self::path(path)),
        Step::RecordPrior { running } if running.is_empty() => "note that nothing runs".to_owned(),
        Step::RecordPrior { running } => format!("note what runs: {}", targets(running)),
        Step::Hook(hook) => {
            format!("run the {} hook `{}`", hook.kind.as_str(), crate::text::clean(&hook.label))
        }
        Step::Pause { targets: which } => format!("pause {}", targets(which)),
        Step::Stop { targets: which } => format!("stop {}", targets(which)),
        Step::Resume { targets: which } => format!("start {} again", targets(which)),
        Step::Start { targets: which } => format!("start {}", targets(which)),
        Step::Restart { targets: which } => format!("restart {}", targets(which)),
        Step::AwaitHealth { targets: which, timeout } => {
            format!("wait for {} to work, {} at most", targets(which), figures::seconds(timeout.as_secs()))
        }
        Step::SyncSources { paths: which } => format!("write {} to disk", paths(which)),
        Step::Freeze(step) => format!("freeze {}", list(step.copies.iter().map(copy))),
        Step::DropFreeze { copies } => {
            format!("remove {}", list(copies.iter().map(|copy| path(&copy.to))))
        }
        Step::Backup(step) => backup(step),
        Step::ForgetHot { left } => {
            let repositories = left.iter().map(|left| format!("`{}`", left.repository));
            format!("forget the hot snapshots in {}", list(repositories))
        }
        Step::Stage(step) => stage(step),
        Step::VerifyStage(step) => {
            format!("verify that {} are there, {}", files(step), figures::bytes(step.counts.bytes))
        }
        Step::Exchange { pairs } => {
            let live: Vec<PathBuf> = pairs.iter().map(|pair| pair.live.clone()).collect();
            format!("exchange {} with what was staged", paths(&live))
        }
        Step::Revert { .. } => "put the old data back and start what ran".to_owned(),
        Step::Forget(step) => forget(step),
        Step::DropStage { stage } => format!("remove {}", path(stage)),
    }
}

fn copy(copy: &FrozenCopy) -> String {
    format!("{} by {} in {}", path(&copy.from), copy.how.words(), path(&copy.to))
}

fn backup(step: &BackupStep) -> String {
    let without = match step.exclude.as_slice() {
        [] => String::new(),
        exclude => format!(" without {}", list(exclude.iter().map(|pattern| quote(pattern)))),
    };
    let pass = match step.pass {
        Pass::Only => "",
        Pass::Hot => ", service running",
        Pass::Cold => ", for good",
    };
    format!("back up {}{without} to `{}`{pass}", paths(&step.sources), step.repository)
}

fn forget(step: &ForgetStep) -> String {
    let which = |judged: &Judged| format!("`{}` of {}", judged.id.short(), judged.time.strftime("%F"));
    let left = match step.left.len() {
        0 => String::new(),
        left => format!(", leaving {} whose owner is in doubt", figures::plural(left, "old one", "old ones")),
    };
    if step.forget.is_empty() {
        return format!("forget nothing in `{}`{left}", step.repository);
    }
    format!("forget {} in `{}`{left}", list(step.forget.iter().map(which)), step.repository)
}

fn stage(step: &StageStep) -> String {
    format!(
        "stage {} with {} from snapshot `{}` of `{}` in {}",
        files(step),
        figures::bytes(step.counts.bytes),
        step.snapshot.short(),
        step.repository,
        path(&step.stage)
    )
}

fn files(step: &StageStep) -> String {
    figures::plural(usize::try_from(step.counts.files).unwrap_or(usize::MAX), "file", "files")
}

/// Units and containers, each in backticks.
#[must_use]
pub fn targets(targets: &[Target]) -> String {
    list(targets.iter().map(|target| quote(&target.to_string())))
}

/// A path in backticks.
#[must_use]
pub fn path(path: &std::path::Path) -> String {
    quote(&path.display().to_string())
}

fn paths(paths: &[PathBuf]) -> String {
    list(paths.iter().map(|one| path(one)))
}

fn quote(name: &str) -> String {
    format!("`{}`", text::clean(name))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
