//! The first line: how many services there are, and what of them needs a person.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use svc_core::overview::Overview;

use super::is_stale;
use crate::dashboard::model::Model;
use crate::figures;
use crate::text;
use crate::theme::span;
use crate::words::{self, Tone, Word};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let stale = model.overview.as_ref().filter(|_| is_stale(model));
    let stale = stale.map(|overview| format!("! as of {} ", figures::age(overview.at, model.now)));
    let room = usize::from(area.width).saturating_sub(stale.as_deref().map_or(0, text::width) + 1);
    let mut line = vec![span(" svc", Tone::Strong)];
    match &model.overview {
        None => line.push(span("   looking …", Tone::Quiet)),
        Some(overview) => line.extend(fitting(counts(overview), room.saturating_sub(4))),
    }
    frame.render_widget(Paragraph::new(Line::from(line)), area);
    if let Some(stale) = stale {
        frame.render_widget(Paragraph::new(span(stale, Tone::Warn)).alignment(Alignment::Right), area);
    }
}

const GAP: usize = 2;

/// The counts that there is room for, in their order.
fn fitting(counts: Vec<(String, Tone)>, room: usize) -> Vec<Span<'static>> {
    let mut left = room;
    let mut kept = Vec::new();
    for (said, tone) in counts {
        let columns = text::width(&said) + GAP;
        if columns <= left {
            left -= columns;
            kept.push(span(format!("{:GAP$}{said}", ""), tone));
        }
    }
    kept
}

/// `12 services  ✗ 1 failed  ! 2 backups overdue  ● 9 running  ○ 1 stopped`: what needs a person before the rest.
fn counts(overview: &Overview) -> Vec<(String, Tone)> {
    let states = tally(overview.services.iter().map(|service| words::state(&service.state.word)));
    let backups = tally(overview.services.iter().flat_map(|service| &service.backups).map(words::backup));
    let mut counts: Vec<(u8, String, Tone)> = Vec::new();
    for (word, count) in states {
        counts.push((rank(word.tone), format!("{} {count} {}", word.glyph, word.text), word.tone));
    }
    for (word, count) in backups.into_iter().filter(|(word, _)| word.tone != Tone::Good) {
        let what = figures::plural(count, "backup", "backups");
        counts.push((rank(word.tone), format!("{} {what} {}", word.glyph, word.text), word.tone));
    }
    counts.sort_by_key(|(rank, _, _)| *rank);
    let services = figures::plural(overview.services.len(), "service", "services");
    let first = std::iter::once((services, Tone::Plain));
    first.chain(counts.into_iter().map(|(_, said, tone)| (said, tone))).collect()
}

fn tally(words: impl Iterator<Item = Word>) -> Vec<(Word, usize)> {
    let mut tally: Vec<(Word, usize)> = Vec::new();
    for word in words {
        match tally.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => tally.push((word, 1)),
        }
    }
    tally
}

const fn rank(tone: Tone) -> u8 {
    match tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        Tone::Busy => 2,
        Tone::Good => 3,
        Tone::Strong | Tone::Plain => 4,
        Tone::Quiet => 5,
    }
}
