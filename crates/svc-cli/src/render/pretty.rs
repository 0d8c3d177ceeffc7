//! A run on a terminal: the plan, live bars while it lasts, the results.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::event::{Body, Event};
use svc_core::names::ServiceName;
use svc_core::renderer::Renderer;
use svc_core::report::ServiceReport;
use svc_core::view::View;
use svc_tui::live::{self, Line, Span};
use svc_tui::text;
use svc_tui::words::{self, Tone};

use super::paint::{self, Look};
use super::{plan, result};

/// More services than this, and only those at work have a bar.
const MOST_BARS: usize = 12;

/// Draws bars on stderr, and the tables before and after on `out` if there is one.
pub(crate) struct Pretty<W> {
    out: Option<W>,
    look: Look,
    bars: Bars,
    view: View,
    /// Something stands above the bars that stays.
    spoke: bool,
}

impl<W: Write> Pretty<W> {
    pub(crate) fn new(out: Option<W>, look: Look, bars: Bars) -> Self {
        Self { out, look, bars, view: View::default(), spoke: false }
    }

    fn draw(&mut self, now: Timestamp) {
        let lines = live::lines(&self.view, now, self.bars.width(), MOST_BARS);
        self.bars.show(&lines);
    }

    /// Where results would scroll out of sight among many services, what needs a person is said at once.
    fn announce(&mut self, event: &Event) -> io::Result<()> {
        let many = self.view.services.len() > MOST_BARS;
        let line = match &event.body {
            Body::Note { service, text } => note(service.as_ref(), text),
            Body::ServiceFinished { report } if many && report.code != Code::Ok => ended(report),
            _ => return Ok(()),
        };
        self.spoke = true;
        self.bars.say(&line)
    }
}

fn note(service: Option<&ServiceName>, said: &str) -> Line {
    let about = service.map(|name| format!("{name}: ")).unwrap_or_default();
    vec![Span::new("note: ", Tone::Busy), Span::new(about + &text::clean(said), Tone::Plain)]
}

fn ended(report: &ServiceReport) -> Line {
    let word = words::result(report);
    let message = report.failures.first().map(|failure| text::clean(&failure.message)).unwrap_or_default();
    vec![
        Span::new(format!("{} ", word.glyph), word.tone),
        Span::new(report.service.as_str(), Tone::Strong),
        Span::new(format!("  {}", word.text), word.tone),
        Span::new(format!("  {message}"), Tone::Plain),
    ]
}

impl<W: Write + Send> Renderer for Pretty<W> {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        self.view.apply(event);
        if let (Body::RunStarted { plan, .. }, Some(out)) = (&event.body, &mut self.out) {
            writeln!(out, "{}", plan::table(plan, self.look))?;
            out.flush()?;
        }
        self.announce(event)
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        if self.view.began.is_some() && self.view.report.is_none() {
            self.draw(now);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.bars.clear()?;
        if let (Some(report), Some(out)) = (&self.view.report, &mut self.out) {
            let table = result::table(report, self.view.plan.as_ref(), self.look);
            let before = if self.spoke { "\n" } else { "" };
            // The messages come next, on stderr.
            let after = if report.code == Code::Ok { "" } else { "\n" };
            write!(out, "{before}{table}{after}")?;
            out.flush()?;
        }
        Ok(())
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// The lines at the bottom of the terminal that are drawn over and over.
pub(crate) struct Bars {
    multi: MultiProgress,
    lines: Vec<ProgressBar>,
    colour: bool,
    width: Box<dyn Fn() -> usize + Send>,
}

impl Bars {
    /// Bars on a terminal, as wide as it is at each moment.
    pub(crate) fn new(
        target: ProgressDrawTarget,
        colour: bool,
        width: impl Fn() -> usize + Send + 'static,
    ) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        Self { multi, lines: Vec::new(), colour, width: Box::new(width) }
    }

    fn width(&self) -> usize {
        (self.width)()
    }

    fn painted(&self, line: &[Span]) -> String {
        let painted = paint::line(line);
        if self.colour { painted } else { anstream::adapter::strip_str(&painted).to_string() }
    }

    fn show(&mut self, lines: &[Line]) {
        while self.lines.len() > lines.len() {
            if let Some(bar) = self.lines.pop() {
                self.multi.remove(&bar);
            }
        }
        while self.lines.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}");
            let bar = ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            self.lines.push(self.multi.add(bar));
        }
        for (bar, line) in self.lines.iter().zip(lines) {
            bar.set_message(self.painted(line));
        }
    }

    /// A line that stays, above the bars.
    fn say(&self, line: &[Span]) -> io::Result<()> {
        self.multi.println(self.painted(line))
    }

    fn clear(&mut self) -> io::Result<()> {
        let cleared = self.multi.clear();
        // Bars draw themselves once more when they go.
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
        self.lines.clear();
        cleared
    }
}

impl Drop for Bars {
    /// A renderer that is dropped in the middle of a run leaves no half bars behind.
    fn drop(&mut self) {
        // The terminal may be gone, which is why it is dropped.
        let _ = self.clear();
    }
}
