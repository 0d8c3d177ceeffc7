//! A service's snapshots, newest first.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use svc_core::restic::Snapshot;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::words::Tone;

use super::paint::Look;
use super::table::{Column, Table};

/// One row for each snapshot.
pub(crate) fn snapshot_table(snapshots: &[&Snapshot], now: Timestamp, look: Look) -> String {
    let mut table = Table::new([
        Column::words("snapshot"),
        Column::words("made"),
        Column::words("age"),
        Column::figures("files").spare(2),
        Column::figures("size"),
        Column::words("host").spare(3),
        Column::words("tags").spare(4),
    ]);
    let zone = TimeZone::system();
    for snapshot in snapshots {
        let counts = snapshot.counts;
        table.row([
            Span::new(snapshot.id.short(), Tone::Strong),
            Span::new(snapshot.time.to_zoned(zone.clone()).strftime("%F %H:%M").to_string(), Tone::Plain),
            Span::new(figures::age(snapshot.time, now), Tone::Quiet),
            Span::new(counts.map(|c| figures::count(c.files)).unwrap_or_default(), Tone::Plain),
            Span::new(counts.map(|c| figures::bytes(c.bytes)).unwrap_or_default(), Tone::Plain),
            Span::new(snapshot.host.as_str(), Tone::Quiet),
            Span::new(snapshot.tags.join(" "), Tone::Quiet),
        ]);
    }
    look.finish(table.text(look.width))
}
