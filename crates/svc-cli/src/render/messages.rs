//! What went wrong, for stderr: each failure once, then the next command to type.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::names::{RepositoryName, ServiceName};
use svc_core::report::{Report, ServiceReport};
use svc_tui::text;
use svc_tui::words::Tone;

use super::paint::paint;

/// The failures of a run and, as the last line, the next command; empty when nothing failed.
pub(crate) fn messages(report: &Report, goal: &Goal, colour: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (services, failure) in grouped(report) {
        lines.extend(failure_lines(&services, failure));
    }
    if report.code != Code::Ok {
        let next = hint(&next_command(report, goal));
        if lines.last() != Some(&next) {
            lines.push(next);
        }
    }
    let painted: String = lines.into_iter().map(|line| line + "\n").collect();
    if colour { painted } else { anstream::adapter::strip_str(&painted).to_string() }
}

/// One failure of no service: what, why, and what to do.
pub(crate) fn failure_text(failure: &Failure, colour: bool) -> String {
    let lines = failure_lines(&[], failure);
    let painted: String = lines.into_iter().map(|line| line + "\n").collect();
    if colour { painted } else { anstream::adapter::strip_str(&painted).to_string() }
}

/// The next command to type, as the last line of all.
pub(crate) fn next_line(command: &str, colour: bool) -> String {
    let painted = hint(command) + "\n";
    if colour { painted } else { anstream::adapter::strip_str(&painted).to_string() }
}

/// What hits twenty services is said once, with their names.
fn grouped(report: &Report) -> Vec<(Vec<&ServiceName>, &Failure)> {
    let mut groups: Vec<(Vec<&ServiceName>, &Failure)> = Vec::new();
    let all = report.services.iter().flat_map(|one| one.failures.iter().map(move |failure| (one, failure)));
    for (service, failure) in all {
        match groups.iter_mut().find(|(_, known)| *known == failure) {
            Some((services, _)) => services.push(&service.service),
            None => groups.push((vec![&service.service], failure)),
        }
    }
    groups
}

fn failure_lines(services: &[&ServiceName], failure: &Failure) -> Vec<String> {
    let names: Vec<String> = services.iter().map(|name| format!("`{name}`")).collect();
    let message = text::clean(&failure.message);
    let whose = if names.is_empty() { String::new() } else { format!("{}: ", names.join(", ")) };
    let mut lines = vec![labelled("error:", Tone::Bad, &format!("{whose}{message}"))];
    for cause in &failure.causes {
        // restic speaks in several lines; each is said as one.
        lines.extend(cause.lines().map(|line| labelled("caused by:", Tone::Warn, &text::clean(line))));
    }
    if let Some(text) = &failure.hint {
        let mut told = text.lines();
        lines.extend(told.next().map(hint));
        // An example of several lines, to be copied as it is.
        lines.extend(told.map(text::clean));
    }
    lines
}

fn labelled(label: &str, tone: Tone, text: &str) -> String {
    format!("{} {text}", paint(label, tone))
}

fn hint(text: &str) -> String {
    labelled("hint:", Tone::Busy, &text::clean(text))
}

/// What to type next: what the worst failure asks for if that is a command, else the same again for what failed.
fn next_command(report: &Report, goal: &Goal) -> String {
    let failed: Vec<&ServiceReport> = report.services.iter().filter(|one| one.code != Code::Ok).collect();
    let worst = Code::worst(failed.iter().map(|one| one.code));
    let failures = failed.iter().flat_map(|one| &one.failures).filter(|failure| failure.code == worst);
    let asked = failures.filter_map(|failure| failure.hint.as_deref()).find(|hint| is_command(hint));
    let names = |code: Option<Code>| -> Vec<&ServiceName> {
        failed.iter().filter(|one| code.is_none_or(|code| one.code == code)).map(|one| &one.service).collect()
    };
    match (asked, worst) {
        (Some(command), _) => command.to_owned(),
        (None, Code::NotResumed) => format!("svc start {}", joined(&names(Some(worst)))),
        (None, Code::Configuration) => "svc config check".to_owned(),
        (None, Code::Permission) => format!("sudo {}", again(goal, &names(None))),
        (None, _) => again(goal, &names(None)),
    }
}

/// Whether a hint can be typed as it is.
pub(super) fn is_command(hint: &str) -> bool {
    let mut words = hint.split_whitespace();
    match (words.next(), words.next()) {
        // `(umask` writes a secret file that is missing.
        (Some("svc" | "sudo" | "systemctl" | "journalctl" | "docker" | "chmod" | "(umask"), Some(_)) => true,
        // "mount the right disk" is advice.
        (Some("mount" | "umount"), Some(path)) => path.starts_with('/'),
        _ => false,
    }
}

/// The same once more, for these services; those that nothing is known of: for all.
fn again(goal: &Goal, services: &[&ServiceName]) -> String {
    let all: Vec<&ServiceName> = goal.services().iter().collect();
    let services = if services.is_empty() { all.as_slice() } else { services };
    let repositories: Vec<&str> = goal.repositories().iter().map(RepositoryName::as_str).collect();
    let repositories = repositories.join(",");
    match goal {
        Goal::Backup { .. } => format!("svc backup {repositories} {}", joined(services)),
        Goal::Restore { snapshot, start, .. } => {
            let one = services.first().map(|name| name.as_str()).unwrap_or_default();
            let snapshot = match snapshot {
                SnapshotChoice::Latest => String::new(),
                SnapshotChoice::Id(id) => format!(" {id}"),
                SnapshotChoice::At(moment) => format!(" {moment}"),
            };
            let start = if *start { " --start" } else { "" };
            format!("svc restore {repositories} {one}{snapshot}{start}")
        }
        Goal::Forget { .. } => format!("svc forget {repositories} {}", joined(services)),
        Goal::Start { .. } => format!("svc start {}", joined(services)),
        Goal::Stop { .. } => format!("svc stop {}", joined(services)),
        Goal::Restart { recreate, .. } => {
            format!("svc restart {}{}", joined(services), if *recreate { " --recreate" } else { "" })
        }
    }
}

fn joined(services: &[&ServiceName]) -> String {
    services.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
}
