//! A run told in lines: which events are worth one, and what it says. All of svc's own words in it are ASCII.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use svc_core::event::{Body, Event};
use svc_core::failure::Failure;
use svc_core::names::{RepositoryName, ServiceName, SnapshotId};
use svc_core::plan::{Step, Target};
use svc_core::report::{ServiceReport, SnapshotReport};
use svc_core::view::{ServiceView, Transfer, View};

use crate::figures;
use crate::steps;
use crate::text;
use crate::words;

/// A line about a transfer at most this often.
const PROGRESS_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Remembers of each service what its next line needs.
#[derive(Debug, Default)]
pub struct Story {
    services: HashMap<ServiceName, Chapter>,
}

#[derive(Debug, Default)]
struct Chapter {
    step: Option<Step>,
    stopped: Vec<Target>,
    started: Vec<Target>,
    /// What was stopped last was only held where it was.
    held: bool,
    told: Option<Timestamp>,
}

impl Story {
    /// The lines that an event is worth; the view has it in already.
    pub fn tell(&mut self, event: &Event, view: &View) -> Vec<String> {
        match &event.body {
            Body::Note { text, .. } => vec![format!("note: {}", text::clean(text))],
            Body::CancelRequested { by } => {
                vec![format!("cancelled by {}: what ran before runs again", text::clean(by))]
            }
            Body::Recovering { .. } => vec!["this run died; what ran before is brought back now".to_owned()],
            Body::RunStarted { .. } | Body::RunFinished { .. } => Vec::new(),
            body => match body.service() {
                Some(name) => {
                    let chapter = self.services.entry(name.clone()).or_default();
                    chapter.tell(event.at, body, view.services.get(name))
                }
                None => Vec::new(),
            },
        }
    }
}

impl Chapter {
    fn tell(&mut self, at: Timestamp, body: &Body, view: Option<&ServiceView>) -> Vec<String> {
        match body {
            Body::StepStarted { step, .. } => self.begin(at, step),
            Body::StepFinished { took_ms, failure, .. } => self.end(*took_ms, failure.as_ref(), view),
            Body::Stopped { target, .. } => {
                self.stopped.push(target.clone());
                Vec::new()
            }
            Body::Started { target, .. } => {
                self.started.push(target.clone());
                Vec::new()
            }
            Body::Exchanged { .. } => vec!["the restored data is in place".to_owned()],
            Body::PuttingBack { .. } => vec!["the old data comes back".to_owned()],
            Body::PutBack { .. } => vec!["the old data is back".to_owned()],
            Body::Mixed { stuck, .. } => {
                stuck.iter().map(|path| format!("`{}` could not be put back", path.display())).collect()
            }
            Body::Progress { .. } => self.progress(at, view.and_then(|view| view.transfer.as_ref())),
            Body::HookOutput { kind, label, lines, .. } => {
                let whose = format!("{} hook {}", kind.as_str(), text::clean(label));
                lines.iter().map(|line| format!("{whose}: {}", text::clean(line))).collect()
            }
            Body::SnapshotSaved { snapshot, .. } => vec![saved(snapshot)],
            Body::Forgotten { repository, snapshots, .. } => vec![forgot(repository, snapshots)],
            Body::ServiceFinished { report } => ended(report, view),
            Body::ServiceStarted { .. }
            | Body::PriorState { .. }
            | Body::Exchanging { .. }
            | Body::Recovering { .. }
            | Body::TreesKept { .. }
            | Body::ResticStarted { .. }
            | Body::HotSaved { .. }
            | Body::RunStarted { .. }
            | Body::Note { .. }
            | Body::CancelRequested { .. }
            | Body::RunFinished { .. } => Vec::new(),
        }
    }

    fn begin(&mut self, at: Timestamp, step: &Step) -> Vec<String> {
        self.step = Some(step.clone());
        self.stopped.clear();
        self.started.clear();
        self.told = Some(at);
        match step {
            Step::Backup(step) => vec![format!("backing up to {}", step.repository)],
            Step::Stage(step) => {
                vec![format!("staging snapshot {} from {}", step.snapshot.short(), step.repository)]
            }
            _ => Vec::new(),
        }
    }

    fn end(&mut self, took_ms: u64, failure: Option<&Failure>, view: Option<&ServiceView>) -> Vec<String> {
        let took = figures::millis(took_ms);
        let is_down = |target: &Target| view.is_some_and(|view| view.down.contains(target));
        let mut lines = Vec::new();
        if !self.stopped.is_empty() {
            self.held = matches!(self.step, Some(Step::Pause { .. }));
            let verb = if self.held { "paused" } else { "stopped" };
            lines.push(format!("{verb} {} in {took}", steps::targets(&self.stopped)));
        }
        if !self.started.is_empty() {
            let verb = match self.step {
                Some(Step::Restart { .. }) => "restarted",
                Some(Step::Resume { .. }) if self.held => "resumed",
                _ => "started",
            };
            lines.push(format!("{verb} {} in {took}", steps::targets(&self.started)));
        }
        match (failure, self.step.take()) {
            (Some(failure), _) => lines.push(failed(failure)),
            // What did not even start was not waited for.
            (None, Some(Step::AwaitHealth { targets, .. })) if !targets.iter().any(is_down) => {
                lines.push(format!("works after {took}"));
            }
            (None, Some(Step::Stage(step))) => {
                lines.push(format!("staged {} in {took}", figures::bytes(step.counts.bytes)));
            }
            (None, Some(Step::VerifyStage(_))) => lines.push(format!("verified in {took}")),
            (None, _) => {}
        }
        lines
    }

    fn progress(&mut self, at: Timestamp, transfer: Option<&Transfer>) -> Vec<String> {
        let due = self.told.is_none_or(|told| at.duration_since(told) >= PROGRESS_EVERY);
        match transfer {
            Some(transfer) if due => {
                self.told = Some(at);
                vec![how_far(transfer)]
            }
            _ => Vec::new(),
        }
    }
}

/// `43 %, 1.2 GiB of 2.8 GiB, 45.0 MiB/s, 35 s left`.
fn how_far(transfer: &Transfer) -> String {
    let done = figures::bytes(transfer.progress.done.bytes);
    let amount = match transfer.progress.total {
        Some(total) => format!("{done} of {}", figures::bytes(total.bytes)),
        None => done,
    };
    let parts = [
        transfer.ratio().map(figures::percent),
        Some(amount),
        transfer.bytes_per_second().map(figures::pace),
        transfer.seconds_left().map(figures::left),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn forgot(repository: &RepositoryName, snapshots: &[SnapshotId]) -> String {
    let ids: Vec<&str> = snapshots.iter().map(SnapshotId::short).collect();
    let count = figures::plural(ids.len(), "snapshot", "snapshots");
    format!("forgot {count} in {repository}: {}", ids.join(", "))
}

fn saved(snapshot: &SnapshotReport) -> String {
    let word = words::outcome(snapshot.code);
    let but = if word.text == "ok" { String::new() } else { format!(" ({})", word.text) };
    format!(
        "saved snapshot {} in {}{but}: {} files, {}, {} added, in {}",
        snapshot.id.short(),
        snapshot.repository,
        figures::count(snapshot.counts.files),
        figures::bytes(snapshot.counts.bytes),
        figures::bytes(snapshot.added),
        figures::millis(snapshot.took_ms)
    )
}

fn ended(report: &ServiceReport, view: Option<&ServiceView>) -> Vec<String> {
    let told = |failure: &&Failure| view.is_some_and(|view| view.failures.contains(failure));
    let mut lines: Vec<String> =
        report.failures.iter().filter(|failure| !told(failure)).map(failed).collect();
    let word = words::result(report);
    if let Some(reason) = &report.skipped {
        lines.push(format!("{}: {}", word.text, text::clean(reason)));
        return lines;
    }
    let down = report.downtime_ms.map(|down| format!(", down for {}", figures::millis(down)));
    lines.push(format!(
        "{} after {}{}",
        word.text,
        figures::millis(report.took_ms),
        down.unwrap_or_default()
    ));
    lines
}

fn failed(failure: &Failure) -> String {
    format!("failed: {}", text::clean(&failure.message))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(bodies: Vec<Body>) -> Vec<String> {
        let (mut story, mut view, mut lines) = (Story::default(), View::default(), Vec::new());
        for (seq, body) in (0..).zip(bodies) {
            let event = Event { seq, at: Timestamp::UNIX_EPOCH, run: "r1".parse().unwrap(), body };
            view.apply(&event);
            lines.extend(story.tell(&event, &view));
        }
        lines
    }

    #[test]
    fn what_is_still_down_is_not_said_to_work() {
        let service: ServiceName = "notes".parse().unwrap();
        let target = Target::Unit("notes.service".parse().unwrap());
        let stopped = Body::Stopped { service: service.clone(), target: target.clone() };
        let started = Body::Started { service: service.clone(), target: target.clone() };
        let step = Step::AwaitHealth { targets: vec![target], timeout: Duration::from_mins(2) };
        let waits = Body::StepStarted { service: service.clone(), index: 1, step };
        let waited = Body::StepFinished { service, index: 1, took_ms: 0, failure: None };
        let without = told(vec![stopped.clone(), waits.clone(), waited.clone()]);
        assert_eq!(without, [""; 0]);
        assert_eq!(told(vec![stopped, started, waits, waited]), ["works after 0.0 s"]);
    }
}
