//! A run under way as lines of toned text: one for each service, one for the whole. Pure; every front end paints them.

mod row;

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::view::{ServiceView, View};

use crate::figures;
use crate::text;
use crate::words::Tone;
use row::Columns;

/// A piece of a line in one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text, free of control characters.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl Span {
    /// A piece of text in a tone.
    #[must_use]
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

/// One line.
pub type Line = Vec<Span>;

/// The lines of at most `limit` services, those at work first to be shown, then one for the whole run.
#[must_use]
pub fn lines(view: &View, now: Timestamp, width: usize, limit: usize) -> Vec<Line> {
    let shown = shown(view, limit);
    let several = view.plan.as_ref().is_some_and(|plan| plan.goal.repositories().len() > 1);
    let columns = Columns::of(&shown, width, several);
    let mut lines: Vec<Line> =
        shown.iter().map(|(name, service)| row::line(name, service, now, &columns)).collect();
    lines.push(summary(view, now, width));
    lines
}

/// Every service if they fit; else those at work, then those that wait, so that the screen stays calm.
fn shown(view: &View, limit: usize) -> Vec<(&str, &ServiceView)> {
    let all = || view.services.iter().map(|(name, service)| (name.as_str(), service));
    if view.services.len() <= limit {
        return all().collect();
    }
    let works = |service: &ServiceView| service.began.is_some() && service.report.is_none();
    let waits = |service: &ServiceView| service.began.is_none() && service.report.is_none();
    let at_work = all().filter(|(_, service)| works(service));
    at_work.chain(all().filter(|(_, service)| waits(service))).take(limit).collect()
}

/// How far the whole run is: `2 of 8 done · 1 failed · 2 min 5 s`.
#[must_use]
pub fn summary(view: &View, now: Timestamp, width: usize) -> Line {
    let done = view.finished().count();
    let failed = view.finished().filter(|report| report.code != Code::Ok).count();
    let mut parts = vec![Span::new(format!("  {done} of {} done", view.services.len()), Tone::Quiet)];
    let mut add = |text: String, tone| {
        parts.push(Span::new(" · ", Tone::Quiet));
        parts.push(Span::new(text, tone));
    };
    if failed > 0 {
        add(format!("{failed} failed"), Tone::Bad);
    }
    if let Some(began) = view.began {
        add(elapsed(began, now), Tone::Quiet);
    }
    if view.cancelled_by.is_some() && view.report.is_none() {
        add("cancelling: what ran before runs again".to_owned(), Tone::Warn);
    }
    cut(parts, width)
}

/// Whole seconds only: tenths that flicker ten times a second are noise.
pub(crate) fn elapsed(since: Timestamp, now: Timestamp) -> String {
    figures::seconds(u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0))
}

/// The line in at most this many columns.
pub(crate) fn cut(line: Line, width: usize) -> Line {
    let mut left = width;
    let mut kept = Vec::new();
    for span in line {
        let wanted = text::width(&span.text);
        if wanted > left {
            kept.push(Span::new(text::fit(&span.text, left), span.tone));
            break;
        }
        left -= wanted;
        kept.push(span);
    }
    kept
}
