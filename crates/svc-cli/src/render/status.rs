//! How things stand: all services in a table, one of them in full, and what to do next.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::overview::State;
use svc_core::records::Attempt;
use svc_core::standing::{BackupStanding, ServiceStanding, Standing};
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::{self, Tone};

use super::messages::{failure_text, is_command, next_line};
use super::paint::{Look, fill, paint};
use super::runs::{clock, mark, what_is_left};
use super::services::{blank, mending, own_detail, riddles, told_once};
use super::table::{Column, Table};

/// One row for each service and repository.
pub(crate) fn status_table(standing: &Standing, look: Look) -> String {
    let mut table = Table::new([
        Column::words("service"),
        Column::words("state").spare(3),
        Column::words("repository").spare(2),
        Column::words("backup"),
        Column::words("last good").spare(1),
        Column::figures("size").spare(5),
        Column::figures("took").spare(7),
        Column::figures("downtime").spare(6),
        Column::sentences("").spare(4),
    ]);
    let riddles = riddles(standing.services.iter().filter_map(|service| service.state.as_ref()));
    for service in &standing.services {
        let rows: Vec<Option<&BackupStanding>> = match service.backups.as_slice() {
            [] => vec![None],
            backups => backups.iter().map(Some).collect(),
        };
        for (place, backup) in rows.into_iter().enumerate() {
            let mut row = row(service, backup, place == 0, standing.at, look);
            row.push(note(service, backup, place == 0, standing.at, &riddles));
            table.row(row);
        }
    }
    look.finish(table.text(look.width) + &left(standing, look) + &told_once(&riddles, look))
}

fn row(
    service: &ServiceStanding,
    backup: Option<&BackupStanding>,
    is_first: bool,
    now: Timestamp,
    look: Look,
) -> Vec<Span> {
    let once = |span: Span| if is_first { span } else { blank() };
    let good = backup.and_then(|backup| backup.known.last_good.as_ref());
    let figure = |text: Option<String>| text.map_or(blank(), |text| Span::new(text, Tone::Plain));
    vec![
        once(Span::new(service.name.as_str(), Tone::Strong)),
        once(service.state.as_ref().map_or(blank(), |state| state_of(state, look))),
        backup.map_or(blank(), |backup| Span::new(backup.known.repository.as_str(), Tone::Plain)),
        match backup {
            Some(backup) => mark(words::backup(&backup.known), look),
            None => Span::new("none", Tone::Quiet),
        },
        match (good, backup) {
            (Some(good), _) => Span::new(figures::age(good.at, now), Tone::Plain),
            (None, Some(_)) => Span::new("never", Tone::Warn),
            (None, None) => blank(),
        },
        figure(good.and_then(|good| good.counts).map(|counts| figures::bytes(counts.bytes))),
        figure(good.map(|good| figures::millis(good.took_ms))),
        figure(good.and_then(|good| good.downtime_ms).map(figures::millis)),
    ]
}

fn state_of(state: &State, look: Look) -> Span {
    let word = words::state(&state.word);
    let glyph = if look.glyphs { format!("{} ", word.glyph) } else { String::new() };
    Span::new(format!("{glyph}{}", state.text), word.tone)
}

/// What runs left undone, below the table: it is long, and it is what matters most.
fn left(standing: &Standing, look: Look) -> String {
    let all = standing.services.iter().flat_map(|service| &service.left);
    let lines = all.map(|cut| {
        let said = format!("{}: run {} {}", cut.service, cut.run, what_is_left(cut));
        let words: Vec<Span> = said.split(' ').map(|word| Span::new(word, Tone::Bad)).collect();
        format!("\n{}\n", fill(&words, look.width))
    });
    lines.collect::<Vec<_>>().concat()
}

/// Which part is odd, and what failed.
fn note(
    service: &ServiceStanding,
    backup: Option<&BackupStanding>,
    is_first: bool,
    now: Timestamp,
    riddles: &[&str],
) -> Span {
    let mut said: Vec<String> = Vec::new();
    if is_first {
        let detail = service.state.as_ref().map(|state| own_detail(state, riddles)).unwrap_or_default();
        said.extend(Some(text::clean(detail)).filter(|detail| !detail.is_empty()));
    }
    said.extend(backup.and_then(|backup| failed(backup, now)));
    Span::new(said.join("\n"), Tone::Quiet)
}

/// `failed 3 h ago: the repository cannot be reached`.
fn failed(backup: &BackupStanding, now: Timestamp) -> Option<String> {
    let last = backup.known.last_attempt.as_ref().filter(|last| last.code != Code::Ok)?;
    let why = backup.failure.as_ref().map(|failure| format!(": {}", text::clean(&failure.message)));
    let word = words::outcome(last.code).text;
    Some(format!("{word} {}{}", figures::age(last.at, now), why.unwrap_or_default()))
}

/// All that is known of one service.
pub(crate) fn status_of(service: &ServiceStanding, now: Timestamp, look: Look) -> String {
    let mut table = Table::new([Column::words(""), Column::sentences("")]);
    let mut add = |label: &str, said: Span| table.row([Span::new(label, Tone::Quiet), said]);
    if let Some(state) = &service.state {
        let tone = words::state(&state.word).tone;
        add("state", Span::new(state_in_full(state, now), tone));
    }
    for cut in &service.left {
        add("left", Span::new(format!("run {} {}", cut.run, what_is_left(cut)), Tone::Bad));
    }
    if service.backups.is_empty() {
        add("backup", Span::new("it is not backed up", Tone::Quiet));
    }
    for backup in &service.backups {
        let word = words::backup(&backup.known);
        let good = match &backup.known.last_good {
            Some(good) => format!("{}; last good {}", word.text, held(good, now)),
            None => format!("{}; never a good one", word.text),
        };
        add(backup.known.repository.as_str(), Span::new(good, word.tone));
        if let (Some(failed), Some(last)) = (failed(backup, now), &backup.known.last_attempt) {
            add("", Span::new(format!("{failed} (svc runs {})", last.run), Tone::Bad));
        }
    }
    if let Some(next) = &service.next_run {
        add("next", Span::new(format!("{}, by {}", figures::due(next.at, now), next.timer), Tone::Plain));
    }
    look.finish(format!("{}\n{}", paint(service.name.as_str(), Tone::Strong), table.text(look.width)))
}

fn state_in_full(state: &State, now: Timestamp) -> String {
    let health = state.health.map(|health| format!(", {}", words::health(health).text)).unwrap_or_default();
    let since = state.since.map(|since| format!(", for {}", figures::span(since, now))).unwrap_or_default();
    let detail = state.detail.as_deref().map(|detail| format!(" ({})", text::clean(detail)));
    format!("{}{health}{since}{}", state.text, detail.unwrap_or_default())
}

/// What a good backup holds and what it took.
fn held(good: &Attempt, now: Timestamp) -> String {
    let parts = [
        Some(format!("{} ({})", figures::age(good.at, now), clock(good.at))),
        good.snapshot.as_ref().map(|id| format!("snapshot {}", id.short())),
        good.counts.map(|counts| format!("{} files", figures::count(counts.files))),
        good.counts.map(|counts| figures::bytes(counts.bytes)),
        good.added.map(|added| format!("{} new", figures::bytes(added))),
        Some(format!("took {}", figures::millis(good.took_ms))),
        good.downtime_ms.map(|down| format!("down for {}", figures::millis(down))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// For stderr: what could not be looked at, and the next command to type.
pub(crate) fn status_messages(standing: &Standing, colour: bool) -> String {
    let notes: String = standing.notes.iter().map(|failure| failure_text(failure, colour)).collect();
    let worst = standing.services.iter().find(|service| service.code() == standing.code);
    // What could not be looked at says itself what to type.
    match worst.filter(|_| standing.code != Code::Ok && standing.notes.is_empty()) {
        Some(service) => notes + &next_line(&next_command(service), colour),
        None => notes,
    }
}

fn next_command(service: &ServiceStanding) -> String {
    let name = &service.name;
    let mending = service.state.as_ref().and_then(|state| mending(state, name.as_str()));
    let bad = service.backups.iter().find(|backup| backup.is_bad());
    let asked = bad.and_then(|backup| backup.failure.as_ref()).and_then(|failure| failure.hint.as_deref());
    match (service.code(), mending, bad) {
        (Code::NotResumed, ..) => format!("svc start {name}"),
        (_, Some(command), _) => command,
        (_, None, Some(backup)) => asked
            .filter(|hint| is_command(hint))
            .map_or_else(|| format!("svc backup {} {name}", backup.known.repository), str::to_owned),
        (_, None, None) => format!("svc status {name}"),
    }
}
