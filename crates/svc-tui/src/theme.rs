//! Tones as the terminal's own sixteen colours, so that every colour scheme fits. `NO_COLOR` is heeded by crossterm.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::live;
use crate::words::Tone;

pub(crate) const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Busy => Style::new().fg(Color::Cyan),
        Tone::Warn => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        Tone::Plain => Style::new(),
    }
}

/// A piece of text in a tone.
pub(crate) fn span(text: impl Into<String>, tone: Tone) -> Span<'static> {
    Span::styled(text.into(), style(tone))
}

/// A line that every front end shares.
pub(crate) fn line(line: live::Line) -> Line<'static> {
    line.into_iter().map(|piece| span(piece.text, piece.tone)).collect()
}
