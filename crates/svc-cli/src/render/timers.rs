//! The timers: when each was due last, when it is due next, and how what it starts ended.

use jiff::Timestamp;
use svc_core::timers::TimerOverview;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::{self, Tone};

use super::paint::Look;
use super::runs::mark;
use super::services::blank;
use super::table::{Column, Table};

/// One row for each timer.
pub(crate) fn timer_table(timers: &[TimerOverview], now: Timestamp, look: Look) -> String {
    if timers.is_empty() {
        return "no timers: nothing is backed up by itself\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("timer"),
        Column::words("state").spare(2),
        Column::words("last").spare(1),
        Column::words("result"),
        Column::words("next"),
        Column::words("starts").spare(4),
        Column::sentences("").spare(3),
    ]);
    for timer in timers {
        table.row([
            Span::new(text::clean(&timer.name), Tone::Strong),
            mark(words::timer(timer.state), look),
            Span::new(timer.last.map_or("never".to_owned(), |last| figures::age(last, now)), Tone::Plain),
            timer.result.as_deref().map_or(blank(), |result| mark_of(result, look)),
            Span::new(timer.next.map(|next| figures::due(next, now)).unwrap_or_default(), Tone::Plain),
            Span::new(timer.unit.as_ref().map(ToString::to_string).unwrap_or_default(), Tone::Quiet),
            Span::new(text::clean(timer.description.as_deref().unwrap_or_default()), Tone::Quiet),
        ]);
    }
    look.finish(table.text(look.width))
}

/// systemd's own word, for `journalctl` and the manual use it too.
fn mark_of(result: &str, look: Look) -> Span {
    let (glyph, tone) = if result == "success" { ("✓ ", Tone::Good) } else { ("✗ ", Tone::Bad) };
    Span::new(format!("{}{}", if look.glyphs { glyph } else { "" }, text::clean(result)), tone)
}
