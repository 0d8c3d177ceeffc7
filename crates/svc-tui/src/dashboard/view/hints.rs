//! The last line: the keys that matter now, or the filter that is being typed.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::WIDE;
use crate::dashboard::keys::KEYS;
use crate::dashboard::model::{Mode, Model};
use crate::text;
use crate::theme::span;
use crate::words::Tone;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let place = place(model);
    let room = usize::from(area.width).saturating_sub(text::width(&place) + 1);
    let line = if model.mode == Mode::Filter { typing(model) } else { hints(model, room) };
    frame.render_widget(Paragraph::new(line), area);
    frame.render_widget(Paragraph::new(span(place, Tone::Quiet)).alignment(Alignment::Right), area);
}

/// `3 of 12 `; with a filter it says so.
fn place(model: &Model) -> String {
    let shown = model.shown();
    if shown.is_empty() {
        return String::new();
    }
    let filter = if model.filter.is_empty() || model.mode == Mode::Filter {
        String::new()
    } else {
        format!("/{}   ", text::fit(&text::clean(&model.filter), 16))
    };
    format!("{filter}{} of {} ", model.cursor(&shown) + 1, shown.len())
}

fn typing(model: &Model) -> Line<'static> {
    Line::from(vec![
        span(" /", Tone::Busy),
        span(text::clean(&model.filter), Tone::Strong),
        span("▏", Tone::Busy),
        span("   enter keep   esc clear", Tone::Quiet),
    ])
}

/// As many hints as there is room for; `q` and `?` are the last to go.
fn hints(model: &Model, room: usize) -> Line<'static> {
    let mut hints: Vec<(&str, &str)> = match (model.mode, model.filter.is_empty()) {
        (Mode::Open, _) => vec![("esc", "back")],
        (_, false) => vec![("esc", "no filter")],
        (_, true) => Vec::new(),
    };
    if model.size.0 < WIDE && model.mode == Mode::Browse {
        hints.push(("enter", "detail"));
    }
    hints.extend(KEYS.iter().filter_map(|key| key.hint.map(|hint| (key.written, hint))));
    let width = |(key, hint): &(&str, &str)| text::width(key) + text::width(hint) + 4;
    while hints.iter().map(width).sum::<usize>() > room && !hints.is_empty() {
        hints.remove(0);
    }
    let piece = |(key, hint): (&str, &str)| -> [Span<'static>; 2] {
        [span(format!(" {key}"), Tone::Strong), span(format!(" {hint}  "), Tone::Quiet)]
    };
    hints.into_iter().flat_map(piece).collect()
}
