//! Lines of logs: the source in a column and a colour of its own, then the text.

use std::sync::Arc;

use jiff::tz::TimeZone;
use svc_core::failure::Failure;
use svc_core::logs::{LogLine, Source, Told};
use svc_tui::text;
use svc_tui::words::Tone;

use super::failure_text;
use super::paint::{Look, paint, paint_number};

/// A longer name is not cut, but does not push the others' text aside.
const LONGEST_NAME: usize = 24;

/// Shows lines as text or as JSON.
pub(crate) struct LogText {
    column: usize,
    look: Look,
    colour_on_stderr: bool,
    timestamps: bool,
    zone: TimeZone,
}

impl LogText {
    /// For these sources; others may come.
    pub(crate) fn new(sources: &[Arc<Source>], look: Look, colour_on_stderr: bool, timestamps: bool) -> Self {
        let mut text = Self { column: 0, look, colour_on_stderr, timestamps, zone: TimeZone::system() };
        for source in sources {
            text.make_room(source);
        }
        text
    }

    /// A portion as text for stdout, and its notes for stderr.
    pub(crate) fn lines(&mut self, portion: &[Told]) -> (String, String) {
        let (mut out, mut notes) = (String::new(), String::new());
        for told in portion {
            match told {
                Told::Line(line) => self.line(line, &mut out),
                Told::Note(failure) => notes.push_str(&self.note(failure)),
            }
        }
        (out, notes)
    }

    /// The same with one JSON object for each line. Its text is as it was written.
    pub(crate) fn json(&self, portion: &[Told]) -> serde_json::Result<(String, String)> {
        let (mut out, mut notes) = (String::new(), String::new());
        for told in portion {
            match told {
                Told::Line(line) => {
                    out.push_str(&serde_json::to_string(line)?);
                    out.push('\n');
                }
                Told::Note(failure) => notes.push_str(&self.note(failure)),
            }
        }
        Ok((out, notes))
    }

    fn line(&mut self, line: &LogLine, out: &mut String) {
        self.make_room(&line.source);
        let head = self.head(line);
        let mut lines = line.message.lines();
        // A message without text is a line all the same.
        for part in std::iter::once(lines.next().unwrap_or_default()).chain(lines) {
            let part = harmless(part);
            let part = match tone(line.priority) {
                Some(tone) if self.look.colour => paint(&part, tone),
                _ => part,
            };
            out.push_str(&head);
            out.push_str(&part);
            out.push('\n');
        }
    }

    fn head(&self, line: &LogLine) -> String {
        let time = if self.timestamps {
            let at = line.at.to_zoned(self.zone.clone());
            format!("{} ", paint(&at.strftime("%F %T%.3f").to_string(), Tone::Quiet))
        } else {
            String::new()
        };
        let name = text::clean(&line.source.label);
        let missing = self.column.saturating_sub(text::width(&name));
        let name = format!("{name}{} |", " ".repeat(missing));
        self.look.finish(format!("{time}{} ", paint_number(&name, line.source.number)))
    }

    fn note(&self, failure: &Failure) -> String {
        failure_text(failure, self.colour_on_stderr).replacen("error:", "warning:", 1)
    }

    fn make_room(&mut self, source: &Source) {
        self.column = self.column.max(text::width(&source.label).min(LONGEST_NAME));
    }
}

/// Colours for what the journal calls an error or a warning.
const fn tone(priority: Option<u8>) -> Option<Tone> {
    match priority {
        Some(0..=3) => Some(Tone::Bad),
        Some(4) => Some(Tone::Warn),
        _ => None,
    }
}

/// The text without colours of its own, and with nothing that could steer the terminal or hide something.
fn harmless(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        push_harmless(before, &mut kept);
        rest = colour(after).unwrap_or_else(|| {
            kept.push_str("\\u{1b}");
            after
        });
    }
    push_harmless(rest, &mut kept);
    kept
}

fn push_harmless(text: &str, kept: &mut String) {
    if text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        kept.push_str(text);
        return;
    }
    for (number, part) in text.split('\t').enumerate() {
        if number > 0 {
            kept.push('\t');
        }
        kept.push_str(&text::visible(part));
    }
}

/// What comes after a colour, if this is one: `[1;31m`.
fn colour(text: &str) -> Option<&str> {
    let text = text.strip_prefix('[')?;
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':')))?;
    text.get(end..)?.strip_prefix('m')
}

#[cfg(test)]
mod tests;
