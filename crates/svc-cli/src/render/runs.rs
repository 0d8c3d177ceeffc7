//! The runs of the past and of now: all in a table, one in the lines it told.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use svc_core::event::Event;
use svc_core::freeze::FrozenCopy;
use svc_core::history::{CutOff, Fate, RunSummary};
use svc_core::names::ServiceName;
use svc_core::renderer::Renderer;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::words::{self, Tone, Word};

use super::paint::{Look, paint};
use super::plain::Plain;
use super::services::blank;
use super::table::{Column, Table};

/// More services than these are counted, not named.
const NAMED: usize = 3;

/// One row for each run.
pub(crate) fn run_table(runs: &[RunSummary], now: Timestamp, look: Look) -> String {
    if runs.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("run"),
        Column::words("began").spare(5),
        Column::words("age").spare(2),
        Column::words("verb"),
        Column::words("result"),
        Column::figures("took").spare(1),
        Column::figures("downtime").spare(4),
        Column::sentences("services").spare(3),
    ]);
    for run in runs {
        let millis =
            |time: Option<u64>| time.map_or(blank(), |ms| Span::new(figures::millis(ms), Tone::Plain));
        table.row([
            Span::new(run.run.as_str(), Tone::Strong),
            Span::new(run.began.map(clock).unwrap_or_default(), Tone::Quiet),
            Span::new(run.began.map(|began| figures::age(began, now)).unwrap_or_default(), Tone::Quiet),
            Span::new(run.verb.as_deref().unwrap_or("?"), Tone::Plain),
            mark(words::fate(run.fate), look),
            millis(run.took_ms),
            millis(run.downtime_ms),
            Span::new(named(&run.services), Tone::Plain),
        ]);
    }
    let frozen: Vec<String> = runs.iter().flat_map(frozen).collect();
    let gap = if frozen.is_empty() { "" } else { "\n" };
    look.finish(format!("{}{gap}{}", table.text(look.width), frozen.concat()))
}

/// A line for each frozen copy that a run holds, or left.
fn frozen(run: &RunSummary) -> Vec<String> {
    let how = if run.fate == Fate::Running { "holds" } else { "left" };
    let line = |copy: &FrozenCopy| {
        let (copy, means) = (copy.to.display(), copy.how.words());
        format!("{} {how} the {means} {copy}\n", run.run)
    };
    run.frozen.iter().map(line).collect()
}

/// A run as it told itself, and what it left when it crashed.
pub(crate) fn past_run(run: &RunSummary, events: &[Event], left: &[CutOff], look: Look) -> String {
    let mut lines = Vec::new();
    let mut plain = Plain::new(&mut lines, look.width);
    // Nothing fails in memory.
    let _ = events.iter().try_for_each(|event| plain.render(event)).and_then(|()| plain.finish());
    let began = run.began.map(|began| format!(", began {}", clock(began))).unwrap_or_default();
    let fate = words::fate(run.fate);
    let head = format!("{}{began}: {}", paint(run.run.as_str(), Tone::Strong), paint(fate.text, fate.tone));
    let left: Vec<String> =
        left.iter().map(|cut| format!("\n{}: {}\n", cut.service, what_is_left(cut))).collect();
    let lines = String::from_utf8_lossy(&lines);
    let frozen = frozen(run).concat();
    let gap = if frozen.is_empty() { "" } else { "\n" };
    look.finish(format!("{head}\n\n{}\n{}{gap}{frozen}", lines.trim_end(), left.concat()))
}

/// `crashed while staging; down: a.service`.
pub(super) fn what_is_left(cut: &CutOff) -> String {
    let how = if cut.crashed { "crashed" } else { "could not bring it back" };
    let phase = cut.phase.as_ref().map(|phase| format!(" while {phase}")).unwrap_or_default();
    let exchanging = if cut.exchanging { "; old and new data were changing places" } else { "" };
    let down: Vec<String> = cut.down.iter().map(ToString::to_string).collect();
    let down = if down.is_empty() { String::new() } else { format!("; down: {}", down.join(", ")) };
    format!("{how}{phase}{exchanging}{down}")
}

pub(super) fn mark(word: Word, look: Look) -> Span {
    let glyph = if look.glyphs { format!("{} ", word.glyph) } else { String::new() };
    Span::new(format!("{glyph}{}", word.text), word.tone)
}

pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%F %H:%M").to_string()
}

fn named(services: &[ServiceName]) -> String {
    let names: Vec<&str> = services.iter().take(NAMED).map(ServiceName::as_str).collect();
    match services.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
