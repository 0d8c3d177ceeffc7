//! The keys and the marks, over everything else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Padding, Paragraph};
use svc_core::status::StateWord;

use crate::dashboard::keys::KEYS;
use crate::text;
use crate::theme::{span, style};
use crate::words::{self, Tone};

const KEY: usize = 8;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    let lines = lines();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = area.centered(Constraint::Max(58), Constraint::Max(height));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(style(Tone::Quiet))
        .title(span(" keys ", Tone::Strong))
        .padding(Padding::horizontal(2));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn lines() -> Vec<Line<'static>> {
    let key = |written: &str, help: &str| {
        Line::from(vec![span(text::pad(written, KEY), Tone::Strong), span(help, Tone::Plain)])
    };
    let mut lines: Vec<Line<'static>> = KEYS.iter().map(|one| key(one.written, one.help)).collect();
    lines.push(Line::default());
    lines.extend(marks());
    lines
}

/// Every state with its glyph, a few to a line.
fn marks() -> Vec<Line<'static>> {
    let states = [
        StateWord::Running,
        StateWord::Partial { running: 0, total: 0 },
        StateWord::Starting,
        StateWord::Unhealthy,
        StateWord::Paused,
        StateWord::Stopped,
        StateWord::Failed,
        StateWord::Masked,
        StateWord::ByHand,
        StateWord::DataOnly,
        StateWord::Unknown { why: String::new() },
    ];
    let piece = |state: &StateWord| {
        let word = words::state(state);
        span(text::pad(&format!("{} {}", word.glyph, word.text), 13), word.tone)
    };
    states.chunks(4).map(|some| some.iter().map(piece).collect()).collect()
}
