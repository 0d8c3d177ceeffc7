//! What was done for a repository, in words.

use jiff::Timestamp;
use svc_core::care::{CheckReport, PruneReport, StatsReport, UnlockReport};
use svc_tui::figures;
use svc_tui::{text, words};

/// A check that found nothing.
pub(crate) fn checked(report: &CheckReport) -> String {
    let read = match report.subset {
        None => "no data was read".to_owned(),
        Some(subset) if subset.of == 1 => "every byte was read".to_owned(),
        Some(subset) => format!("part {} of {} was read", subset.part, subset.of),
    };
    let took = figures::millis(report.took_ms);
    let proven = match report.proven_until {
        Some(until) => format!("; all that was there on {} has been read back", until.strftime("%F")),
        None => String::new(),
    };
    format!("repository `{}` is sound: {read} in {took}{proven}\n", report.repository)
}

/// What was removed, as restic says it.
pub(crate) fn pruned(report: &PruneReport) -> String {
    let is_figure = |line: &&str| line.starts_with("total prune:") || line.starts_with("remaining:");
    let figures: Vec<String> = report.said.lines().filter(is_figure).map(squeezed).collect();
    let figures = if figures.is_empty() { "done".to_owned() } else { figures.join(", ") };
    format!("repository `{}` is pruned: {figures}\n", report.repository)
}

fn squeezed(line: &str) -> String {
    text::clean(&line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What became of the locks.
pub(crate) fn unlocked(report: &UnlockReport, is_trial: bool) -> String {
    let name = &report.repository;
    match report.removed {
        0 => format!("repository `{name}` is not locked\n"),
        removed => {
            let locks = figures::plural(removed, "stale lock", "stale locks");
            let what = if is_trial { "would be removed from" } else { "removed from" };
            format!("{locks} {what} repository `{name}`\n")
        }
    }
}

/// How much lies there, and how it stands.
pub(crate) fn stats(report: &StatsReport, now: Timestamp) -> String {
    let stats = &report.stats;
    let snapshots = usize::try_from(stats.snapshots).unwrap_or(usize::MAX);
    let mut lines = vec![format!(
        "repository `{}`: {} in {}, {} before compression",
        report.repository,
        figures::plural(snapshots, "snapshot", "snapshots"),
        figures::bytes(stats.stored_bytes),
        figures::bytes(stats.uncompressed_bytes)
    )];
    let record = &report.record;
    lines.extend(record.damaged.iter().map(|damage| {
        let part = damage.subset.filter(|subset| subset.of > 1);
        let part = part.map(|subset| format!(" in part {} of {}", subset.part, subset.of));
        format!("damaged{}, found {}", part.unwrap_or_default(), figures::moment(damage.at))
    }));
    lines.extend(record.lost.failure().map(|failure| failure.message));
    match &record.last_check {
        _ if !record.damaged.is_empty() => {}
        Some(check) => {
            lines.push(format!(
                "last check {}: {}",
                figures::moment(check.at),
                words::outcome(check.code).text
            ));
        }
        None => lines.push("never checked".to_owned()),
    }
    lines.extend(
        record
            .proven_until(now)
            .map(|until| format!("everything until {} was read back", figures::moment(until))),
    );
    lines.extend(record.last_prune.map(|at| format!("last pruned {}", figures::moment(at))));
    lines.join("\n") + "\n"
}
