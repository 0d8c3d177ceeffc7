//! Tones as colours. Everything is painted; where colour is not wanted it is taken off at the edge.

use anstyle::{AnsiColor, Style};
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::Tone;

/// How text is to look: where it goes decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) width: usize,
    /// With colour.
    pub(crate) colour: bool,
    /// With glyphs before words; without, all of svc's own text is ASCII.
    pub(crate) glyphs: bool,
}

impl Look {
    /// The text as this look wants it.
    pub(crate) fn finish(self, painted: String) -> String {
        if self.colour { painted } else { anstream::adapter::strip_str(&painted).to_string() }
    }
}

pub(crate) fn paint(text: &str, tone: Tone) -> String {
    let style = style(tone);
    format!("{style}{text}{style:#}")
}

/// Text in one of the colours that tell things apart and mean nothing else.
pub(crate) fn paint_number(text: &str, number: usize) -> String {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::BrightCyan,
        AnsiColor::BrightMagenta,
    ];
    let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or(AnsiColor::Cyan);
    let style = colour.on_default();
    format!("{style}{text}{style:#}")
}

/// A line of toned pieces.
pub(crate) fn line(spans: &[Span]) -> String {
    spans.iter().map(|span| paint(&span.text, span.tone)).collect()
}

/// Pieces one after the other with a blank between, on as many lines as the width asks for.
pub(crate) fn fill(pieces: &[Span], width: usize) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for piece in pieces {
        let columns = text::width(&piece.text);
        if used > 0 && used + 1 + columns > width {
            text.push('\n');
            used = 0;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(&paint(&piece.text, piece.tone));
        used += columns;
    }
    text
}

const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Busy => AnsiColor::Cyan.on_default(),
        Tone::Warn => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Quiet => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
        Tone::Plain => Style::new(),
    }
}
