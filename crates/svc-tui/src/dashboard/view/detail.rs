//! All that is known of the selected service: on a pane of its own, or in a few lines.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use svc_core::code::Code;
use svc_core::overview::{RepositoryOverview, ServiceOverview};
use svc_core::records::Attempt;

use crate::dashboard::model::Model;
use crate::figures;
use crate::text;
use crate::theme::span;
use crate::words::{self, Tone};

/// The column that labels stand in.
const LABEL: usize = 10;

/// Something said, in its tone.
type Said = (String, Tone);

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(service) = model.current() else { return };
    let width = usize::from(area.width);
    let mut lines = vec![Line::from(span(service.name.as_str(), Tone::Strong))];
    if let Some(description) = &service.description {
        lines.extend(
            text::wrap(&text::clean(description), width)
                .into_iter()
                .map(|line| Line::from(span(line, Tone::Quiet))),
        );
    }
    for (label, said) in entries(service, model) {
        // A line of its own before each new subject.
        if !label.is_empty() && !matches!(label.as_str(), "health" | "since") {
            lines.push(Line::default());
        }
        lines.extend(labelled(&label, &said, width));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// One line for the service, one for its state, one for each repository.
pub(super) fn brief(model: &Model, width: usize) -> Vec<Line<'static>> {
    let Some(service) = model.current() else { return Vec::new() };
    let description = text::clean(service.description.as_deref().unwrap_or_default());
    let mut lines = vec![Line::from(vec![
        span(service.name.as_str(), Tone::Strong),
        span(format!("   {description}"), Tone::Quiet),
    ])];
    lines.push(in_one_line("state", state(service, model).into_iter().map(|(_, said)| said), width));
    for backup in &service.backups {
        let said = said_of(backup, model);
        lines.push(in_one_line(backup.repository.as_str(), said.into_iter(), width));
    }
    lines
}

/// Labels and what is said under them; without a label it goes on with the one before.
fn entries(service: &ServiceOverview, model: &Model) -> Vec<(String, Said)> {
    let mut entries = state(service, model);
    if service.backups.is_empty() {
        entries.push(("backup".to_owned(), ("is not backed up".to_owned(), Tone::Quiet)));
    }
    for backup in &service.backups {
        for (place, said) in said_of(backup, model).into_iter().enumerate() {
            let label = if place == 0 { backup.repository.to_string() } else { String::new() };
            entries.push((label, said));
        }
    }
    if let Some(next) = &service.next_run {
        let due = figures::due(next.at, model.now);
        entries.push(("next".to_owned(), (format!("{due}, {}", clock(next.at, model)), Tone::Plain)));
        entries.push((String::new(), (format!("by {}", next.timer), Tone::Quiet)));
    }
    entries
}

fn state(service: &ServiceOverview, model: &Model) -> Vec<(String, Said)> {
    let word = words::state(&service.state.word);
    let state = format!("{} {}", word.glyph, text::clean(&service.state.text));
    let mut entries = vec![("state".to_owned(), (state, word.tone))];
    if let Some(detail) = &service.state.detail {
        entries.push((String::new(), (text::clean(detail), Tone::Plain)));
    }
    if let Some(health) = service.state.health.map(words::health) {
        entries.push(("health".to_owned(), (format!("{} {}", health.glyph, health.text), health.tone)));
    }
    if let Some(since) = service.state.since {
        let age = format!("{}, {}", figures::age(since, model.now), clock(since, model));
        entries.push(("since".to_owned(), (age, Tone::Quiet)));
    }
    entries
}

fn said_of(backup: &RepositoryOverview, model: &Model) -> Vec<Said> {
    let mut said = Vec::new();
    if let Some(failed) = backup.last_attempt.as_ref().filter(|last| last.code != Code::Ok) {
        let word = words::outcome(failed.code);
        said.push((
            format!("{} {}, {}", word.glyph, word.text, figures::age(failed.at, model.now)),
            word.tone,
        ));
    }
    match &backup.last_good {
        None if said.is_empty() => said.push(("! never backed up".to_owned(), Tone::Warn)),
        None => said.push(("no good one yet".to_owned(), Tone::Warn)),
        Some(good) => {
            let age = figures::age(good.at, model.now);
            said.push(if backup.overdue {
                (format!("! {age}, overdue"), Tone::Warn)
            } else {
                (format!("✓ {age}"), Tone::Good)
            });
            said.extend(held(good, model).into_iter().map(|text| (text, Tone::Plain)));
        }
    }
    said
}

/// What a good backup holds and what it took.
fn held(good: &Attempt, model: &Model) -> Vec<String> {
    let id = good.snapshot.as_ref().map(|id| format!("{}, ", id.short())).unwrap_or_default();
    let mut said = vec![format!("{id}{}", clock(good.at, model))];
    if let Some(counts) = good.counts {
        let files = if counts.files == 1 { "file" } else { "files" };
        said.push(format!("{} {files}, {}", figures::count(counts.files), figures::bytes(counts.bytes)));
    }
    let added = good.added.map(|added| format!("{} new, ", figures::bytes(added))).unwrap_or_default();
    said.push(format!("{added}took {}", figures::millis(good.took_ms)));
    said.extend(good.downtime_ms.map(|down| format!("down for {}", figures::millis(down))));
    said
}

fn labelled(label: &str, (said, tone): &Said, width: usize) -> Vec<Line<'static>> {
    let lines = text::wrap(said, width.saturating_sub(LABEL).max(8)).into_iter().enumerate();
    let label = |place| if place == 0 { label } else { "" };
    lines
        .map(|(place, said)| {
            Line::from(vec![span(text::pad(label(place), LABEL), Tone::Quiet), span(said, *tone)])
        })
        .collect()
}

/// As much as there is room for, piece by piece; only the first is cut.
fn in_one_line(label: &str, said: impl Iterator<Item = Said>, width: usize) -> Line<'static> {
    let mut line: Vec<Span<'static>> = vec![span(text::pad(label, LABEL), Tone::Quiet)];
    let mut room = width.saturating_sub(LABEL);
    for (place, (said, tone)) in said.enumerate() {
        let said = if place == 0 { text::fit(&said, room) } else { format!("   {said}") };
        if text::width(&said) > room {
            break;
        }
        room -= text::width(&said);
        line.push(span(said, tone));
    }
    Line::from(line)
}

fn clock(at: Timestamp, model: &Model) -> String {
    at.to_zoned(model.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
