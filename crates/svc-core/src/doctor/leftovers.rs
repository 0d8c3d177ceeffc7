//! What earlier runs left: services that a crash left down, and stages that nobody knows of any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Finding, Grade};
use crate::code::Code;
use crate::config::Config;
use crate::docker::Volume;
use crate::event::Body;
use crate::failure::Failure;
use crate::freeze::FrozenCopy;
use crate::history::{self, CutOff, Fate};
use crate::names::RunId;
use crate::observe::{Parts, Source, stage_directory};
use crate::plan::{STAGE_PREFIX, Step};
use crate::records::ServiceRecord;
use crate::run_log;
use crate::scope::Scope;
use crate::standing::crashes;

const CHECK: &str = "leftovers";

pub(super) fn check(config: &Config, scope: &Scope, parts: &[Parts], volumes: &[Volume]) -> Vec<Finding> {
    let mut findings = match crashes::of(&scope.runs_dir()) {
        Ok(left) => left.iter().map(|cut| left_by(config, cut, parts)).collect(),
        Err(error) => vec![unreadable(scope, &error)],
    };
    findings.extend(stages(config, scope, volumes).iter().map(|stage| {
        let said = format!("`{}` is a stage that no record names", stage.display());
        let fix = format!("look what is in it, then: rm -r {}", stage.display());
        Finding::new(CHECK, Grade::Warning, said).fix(fix)
    }));
    findings.extend(copies(&scope.runs_dir()));
    if findings.is_empty() {
        findings.push(Finding::good(CHECK, "none"));
    }
    findings
}

fn unreadable(scope: &Scope, error: &std::io::Error) -> Finding {
    let runs = scope.runs_dir();
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "sudo svc doctor".to_owned(),
        _ => format!("ls -ld {}", runs.display()),
    };
    let failure = Failure::new(Code::Failed, format!("the runs in `{}` cannot be read", runs.display()));
    Finding::problem(CHECK, failure.because(error.to_string()).hint(hint))
}

fn left_by(config: &Config, cut: &CutOff, parts: &[Parts]) -> Finding {
    let own = config.services.get_index_of(&cut.service).and_then(|index| parts.get(index));
    let cut = crashes::still(cut, own);
    let how = if cut.crashed { "crashed in the middle of" } else { "could not bring back" };
    let said = format!("run {} {how} `{}`", cut.run, cut.service);
    if cut.down.is_empty() && !cut.exchanging {
        return Finding::new(CHECK, Grade::Warning, said).fix(format!("svc runs {}", cut.run));
    }
    let down: Vec<String> = cut.down.iter().map(ToString::to_string).collect();
    let said = if down.is_empty() { said } else { format!("{said}; down: {}", down.join(", ")) };
    let fix =
        if cut.exchanging { format!("svc runs {}", cut.run) } else { format!("svc start {}", cut.service) };
    Finding::new(CHECK, Grade::Problem, said).fix(fix)
}

/// The frozen copies that nobody will remove any more.
fn copies(runs: &Path) -> Vec<Finding> {
    // A directory that cannot be read has been told of.
    let left = history::frozen_left(runs).unwrap_or_default();
    let finding = |(run, copy): &(RunId, FrozenCopy)| {
        let said = format!("run {run} left the {} `{}`", copy.how.words(), copy.to.display());
        Finding::new(CHECK, Grade::Warning, said).fix("svc recover".to_owned())
    };
    left.iter().map(finding).collect()
}

/// The stages that are neither a record's nor a run's that is at work.
fn stages(config: &Config, scope: &Scope, volumes: &[Volume]) -> Vec<PathBuf> {
    let known = known(config, scope);
    let found = places(config, scope, volumes).into_iter().flat_map(|place| in_place(&place));
    found.filter(|stage| !known.contains(stage)).collect()
}

/// The directories that stages are made in.
fn places(config: &Config, scope: &Scope, volumes: &[Volume]) -> BTreeSet<PathBuf> {
    let own = scope.stages_dir();
    let paths = config
        .services
        .values()
        .flat_map(|service| service.backup.paths.iter().chain(&service.restore.paths));
    let paths = paths.map(|path| (path.clone(), Source::Path(path.clone())));
    let volumes = volumes.iter().map(|v| (v.mountpoint.clone(), Source::Volume(v.name.clone())));
    let place = |(live, source): (PathBuf, Source)| {
        stage_directory(&live, &source, &own).ok().map(|(place, _)| place)
    };
    paths.chain(volumes).filter_map(place).chain([own.clone()]).collect()
}

fn in_place(place: &Path) -> Vec<PathBuf> {
    // One that is not there or not to be read has nothing to tell.
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let is_stage = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(STAGE_PREFIX);
    entries.filter(is_stage).map(|entry| entry.path()).collect()
}

fn known(config: &Config, scope: &Scope) -> BTreeSet<PathBuf> {
    let records = config.services.keys().map(|name| ServiceRecord::load(&scope.records_dir(), name));
    let kept = records.filter_map(|record| record.replaced).flat_map(|replaced| replaced.stages);
    kept.chain(at_work(&scope.runs_dir())).collect()
}

/// The stages of the runs that are at work.
fn at_work(runs: &Path) -> Vec<PathBuf> {
    let all = history::runs(runs).unwrap_or_default();
    let is_running =
        |run: &&RunId| history::summary(runs, run).is_ok_and(|summary| summary.fate == Fate::Running);
    let events = all
        .iter()
        .filter(is_running)
        .flat_map(|run| run_log::read(&history::log(runs, run)).unwrap_or_default());
    events
        .filter_map(|event| match event.body {
            Body::StepStarted { step: Step::Stage(stage), .. } => Some(stage.stage),
            _ => None,
        })
        .collect()
}
