//! The runs of the past and of now, from their logs on disk.

mod cut_off;
mod prune;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::event::{Body, Event};
use crate::freeze::FrozenCopy;
use crate::names::{RepositoryName, RunId, ServiceName};
use crate::plan::{Plan, Step};
use crate::report::{Report, is_false};
use crate::run_log;

pub use cut_off::{CutOff, cut_off};
pub use prune::prune;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// How it was typed: `backup`, `restore` …; nothing: its log does not say.
    pub verb: Option<String>,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub began: Option<Timestamp>,
    /// Its services, in the order in which they were named.
    pub services: Vec<ServiceName>,
    /// Its repositories.
    pub repositories: Vec<RepositoryName>,
    /// What has become of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// It ended, and had not brought all back that it had stopped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub owes: bool,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
    /// The longest time that a service was down for it, in milliseconds.
    pub downtime_ms: Option<u64>,
    /// Frozen copies that it made and that are still there: it is at work, or could not remove them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<FrozenCopy>,
}

/// What has become of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fate", rename_all = "camelCase")]
pub enum Fate {
    /// It is at work.
    Running,
    /// It ended.
    Ended {
        /// How.
        code: Code,
    },
    /// Its process is gone, and it never said that it ended: killed, or cut off with the power.
    Crashed,
    /// It crashed, and what it owed was done by another process.
    Recovered {
        /// How that ended.
        code: Code,
    },
}

/// The ids of all runs whose logs are there, newest first.
///
/// # Errors
/// When the directory cannot be read; one that is missing is empty.
pub fn runs(directory: &Path) -> io::Result<Vec<RunId>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut runs: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
    runs.retain(|run| log(directory, run).exists());
    // An id begins with its time.
    runs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(runs)
}

/// Where a run's log is.
#[must_use]
pub fn log(directory: &Path, run: &RunId) -> PathBuf {
    directory.join(run.as_str()).join("log.jsonl")
}

/// What the log of a run says of it as a whole.
///
/// # Errors
/// When the log cannot be read.
pub fn summary(directory: &Path, run: &RunId) -> io::Result<RunSummary> {
    let path = log(directory, run);
    // Asked first: a run that ends in between has written its end by then.
    let held = run_log::is_held(&path)?;
    let (first, last) = run_log::ends(&path)?;
    let mut summary = summary_of(run, first.as_ref(), last.as_ref(), held);
    // Where the disk is not to be looked at, nobody knows of a copy.
    summary.frozen.retain(|copy| copy.to.try_exists().unwrap_or(false));
    if !summary.frozen.is_empty() {
        // That it was planned does not make it this run's.
        let made = made(&run_log::read(&path)?);
        summary.frozen.retain(|copy| made.contains(copy));
    }
    Ok(summary)
}

fn summary_of(run: &RunId, first: Option<&Event>, last: Option<&Event>, held: bool) -> RunSummary {
    let report = last.and_then(report);
    let (mut verb, mut began, mut services, mut repositories) = (None, None, Vec::new(), Vec::new());
    let mut frozen = Vec::new();
    if let Some(Event { at, body: Body::RunStarted { plan, .. }, .. }) = first {
        verb = Some(plan.goal.verb().to_owned());
        began = Some(*at);
        services = plan.goal.services().to_vec();
        repositories = plan.goal.repositories().to_vec();
        frozen = copies(plan);
    }
    let fate = match report {
        Some(report) if report.crashed => Fate::Recovered { code: report.code },
        Some(report) => Fate::Ended { code: report.code },
        None if held => Fate::Running,
        None => Fate::Crashed,
    };
    let downtimes = report.iter().flat_map(|report| &report.services).filter_map(|one| one.downtime_ms);
    RunSummary {
        run: run.clone(),
        verb,
        began,
        services,
        repositories,
        fate,
        owes: report.is_some_and(Report::owes),
        took_ms: report.map(|report| report.took_ms),
        downtime_ms: downtimes.max(),
        frozen,
    }
}

/// The frozen copies that a plan makes.
fn copies(plan: &Plan) -> Vec<FrozenCopy> {
    let steps = plan.services.iter().flat_map(|service| &service.steps);
    let freezes = steps.filter_map(|planned| match &planned.step {
        Step::Freeze(freeze) => Some(&freeze.copies),
        _ => None,
    });
    freezes.flatten().cloned().collect()
}

/// The frozen copies that a run made, or was about to.
fn made(events: &[Event]) -> Vec<FrozenCopy> {
    let begun = events.iter().filter_map(|event| match &event.body {
        Body::StepStarted { step: Step::Freeze(freeze), .. } => Some(&freeze.copies),
        _ => None,
    });
    begun.flatten().cloned().collect()
}

/// The frozen copies of runs that came to their end, or were brought there: nobody will remove them any more.
///
/// # Errors
/// When the directory cannot be read.
pub fn frozen_left(directory: &Path) -> io::Result<Vec<(RunId, FrozenCopy)>> {
    let all = runs(directory)?;
    // One that vanishes meanwhile left nothing.
    let seen = all.iter().filter_map(|run| summary(directory, run).ok());
    let ended = seen.filter(|run| matches!(run.fate, Fate::Ended { .. } | Fate::Recovered { .. }));
    Ok(ended.flat_map(|run| run.frozen.into_iter().map(move |copy| (run.run.clone(), copy))).collect())
}

/// The report that a run ended with; nothing: it has not.
///
/// # Errors
/// When the log cannot be read.
pub fn report_of(directory: &Path, run: &RunId) -> io::Result<Option<Report>> {
    let (_, last) = run_log::ends(&log(directory, run))?;
    Ok(last.as_ref().and_then(report).cloned())
}

const fn report(event: &Event) -> Option<&Report> {
    match &event.body {
        Body::RunFinished { report } => Some(report),
        _ => None,
    }
}

/// Why a word names no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunWordError {
    /// No run's id begins so.
    #[error("`{word}` names no run")]
    Unknown {
        /// What was typed.
        word: String,
    },
    /// Several runs' ids begin so.
    #[error("`{word}` names {count} runs")]
    Ambiguous {
        /// What was typed.
        word: String,
        /// How many.
        count: usize,
    },
}

/// The run that a word names: `latest`, an id, or the beginning of one.
///
/// # Errors
/// When it names none, or several.
pub fn choose<'a>(runs: &'a [RunId], word: &str) -> Result<&'a RunId, RunWordError> {
    let shown = || crate::names::shown(word);
    if word == "latest" {
        return runs.first().ok_or_else(|| RunWordError::Unknown { word: shown() });
    }
    let named: Vec<&RunId> = runs.iter().filter(|run| run.as_str().starts_with(word)).collect();
    match named.as_slice() {
        [] => Err(RunWordError::Unknown { word: shown() }),
        [run] => Ok(run),
        several => several
            .iter()
            .find(|run| run.as_str() == word)
            .copied()
            .ok_or_else(|| RunWordError::Ambiguous { word: shown(), count: several.len() }),
    }
}

#[cfg(test)]
mod tests;
