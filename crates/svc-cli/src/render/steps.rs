//! The steps of a plan in words.

use std::path::PathBuf;

use svc_core::plan::{BackupStep, PlannedStep, StageStep, Step, Target, When};
use svc_tui::figures;
use svc_tui::text;

/// A step as a sentence without its full stop.
pub(crate) fn describe(planned: &PlannedStep) -> String {
    let what = step(&planned.step);
    match planned.when {
        When::Normal => what,
        When::Always => format!("in any case: {what}"),
        When::OnFailure => format!("after a failure: {what}"),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::CheckSources { sources } => format!("check that {} can be read", paths(sources)),
        Step::WriteManifest { path } => format!("write the manifest {}", self::path(path)),
        Step::RecordPrior { running } if running.is_empty() => "note that nothing runs".to_owned(),
        Step::RecordPrior { running } => format!("note what runs: {}", targets(running)),
        Step::Stop { targets: which } => format!("stop {}", targets(which)),
        Step::Resume { targets: which } => format!("start {} again", targets(which)),
        Step::Start { targets: which } => format!("start {}", targets(which)),
        Step::Restart { targets: which } => format!("restart {}", targets(which)),
        Step::AwaitHealth { targets: which, timeout } => {
            format!("wait for {} to work, {} at most", targets(which), figures::seconds(timeout.as_secs()))
        }
        Step::Backup(step) => backup(step),
        Step::Stage(step) => stage(step),
        Step::VerifyStage(step) => {
            format!("verify that {} are there, {}", files(step), figures::bytes(step.counts.bytes))
        }
        Step::Exchange { pairs } => {
            let live: Vec<PathBuf> = pairs.iter().map(|pair| pair.live.clone()).collect();
            format!("exchange {} with what was staged", paths(&live))
        }
        Step::Revert { .. } => "put the old data back and start what ran".to_owned(),
        Step::DropStage { stage } => format!("remove {}", path(stage)),
    }
}

fn backup(step: &BackupStep) -> String {
    let without = match step.exclude.as_slice() {
        [] => String::new(),
        exclude => format!(" without {}", list(exclude.iter().map(|pattern| quote(pattern)))),
    };
    format!("back up {}{without} to `{}`", paths(&step.sources), step.repository)
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
pub(crate) fn targets(targets: &[Target]) -> String {
    list(targets.iter().map(|target| quote(&target.to_string())))
}

/// A path in backticks.
pub(crate) fn path(path: &std::path::Path) -> String {
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
