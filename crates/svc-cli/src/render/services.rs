//! The services at a glance: the whole list, and what of it needs a person.

use jiff::Timestamp;
use svc_core::overview::{Overview, RepositoryOverview, ServiceOverview, State};
use svc_core::status::StateWord;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::{self, Tone};

use super::paint::{Look, fill, paint};
use super::table::{Column, Table};

/// One row for each service: state, since when, and the age of its last good backup in each repository.
pub(crate) fn service_table(overview: &Overview, look: Look) -> String {
    let services: Vec<&ServiceOverview> = overview.services.iter().collect();
    look.finish(rows(&services, overview.at, look))
}

/// What needs a person, and the next command to type.
pub(crate) fn home(overview: &Overview, look: Look) -> String {
    let odd: Vec<&ServiceOverview> =
        overview.services.iter().filter(|service| needs_a_person(service)).collect();
    let (total, off) = (overview.services.len(), odd.len());
    let services = figures::plural(total, "service", "services");
    let headline = match off {
        0 => format!("{services}, all as they should be"),
        _ => format!("{services}, {off} to look at"),
    };
    let next = match odd.first() {
        None => "svc tui".to_owned(),
        Some(service) => next_command(service),
    };
    let rows = if odd.is_empty() { String::new() } else { format!("\n{}", rows(&odd, overview.at, look)) };
    let next = format!("{} {next}", paint("next:", Tone::Busy));
    look.finish(format!("{}\n{rows}\n{next}\n", paint(&headline, Tone::Strong)))
}

fn rows(services: &[&ServiceOverview], now: Timestamp, look: Look) -> String {
    let mut table = Table::new([
        Column::words("service"),
        Column::words("state"),
        Column::words("health").spare(4),
        Column::figures("since").spare(2),
        Column::words("last good backup"),
        Column::words("next").spare(3),
        Column::sentences("").spare(1),
    ]);
    let riddles = riddles(services.iter().map(|service| &service.state));
    for service in services {
        let word = words::state(&service.state.word);
        let glyph = if look.glyphs { format!("{} ", word.glyph) } else { String::new() };
        let state = format!("{glyph}{}", service.state.text);
        let since = service.state.since.map(|since| figures::span(since, now)).unwrap_or_default();
        table.row([
            Span::new(service.name.as_str(), Tone::Strong),
            Span::new(state, word.tone),
            service.state.health.map(words::health).map_or(blank(), |word| Span::new(word.text, word.tone)),
            Span::new(since, Tone::Quiet),
            backups(&service.backups, now),
            service
                .next_run
                .as_ref()
                .map_or(blank(), |run| Span::new(figures::due(run.at, now), Tone::Quiet)),
            Span::new(text::clean(own_detail(&service.state, &riddles)), Tone::Quiet),
        ]);
    }
    table.text(look.width) + &told_once(&riddles, look)
}

/// Why several services are unknown: said once below the table, not in every row of it.
pub(super) fn riddles<'a>(states: impl Iterator<Item = &'a State>) -> Vec<&'a str> {
    let whys = states.filter_map(|state| match &state.word {
        StateWord::Unknown { why } => Some(why.as_str()),
        _ => None,
    });
    let (mut once, mut several) = (Vec::new(), Vec::new());
    for why in whys {
        if !once.contains(&why) {
            once.push(why);
        } else if !several.contains(&why) {
            several.push(why);
        }
    }
    several
}

pub(super) fn own_detail<'a>(state: &'a State, riddles: &[&str]) -> &'a str {
    state.detail.as_deref().filter(|detail| !riddles.contains(detail)).unwrap_or_default()
}

pub(super) fn told_once(riddles: &[&str], look: Look) -> String {
    let line = |why: &&str| {
        let words = format!("unknown: {}", text::clean(why));
        let words: Vec<Span> = words.split(' ').map(|word| Span::new(word, Tone::Quiet)).collect();
        format!("\n{}\n", fill(&words, look.width))
    };
    riddles.iter().map(line).collect()
}

pub(super) fn blank() -> Span {
    Span::new("", Tone::Plain)
}

/// `local 3 h, remote never`: in the tone of the worst of them.
fn backups(backups: &[RepositoryOverview], now: Timestamp) -> Span {
    let one = |backup: &RepositoryOverview| {
        let age =
            backup.last_good.as_ref().map_or_else(|| "never".to_owned(), |good| figures::span(good.at, now));
        let mark = if failed_since(backup) { " (failed since)" } else { "" };
        format!("{} {age}{mark}", backup.repository)
    };
    if backups.is_empty() {
        return Span::new("not backed up", Tone::Quiet);
    }
    let text = backups.iter().map(one).collect::<Vec<_>>().join(", ");
    let tone = if backups.iter().any(|backup| backup.overdue) { Tone::Warn } else { Tone::Good };
    Span::new(text, tone)
}

/// Whether the last attempt came after the last good one, and to nothing.
fn failed_since(backup: &RepositoryOverview) -> bool {
    let last = backup.last_attempt.as_ref();
    last.is_some_and(|attempt| backup.last_good.as_ref().is_none_or(|good| good.run != attempt.run))
}

fn needs_a_person(service: &ServiceOverview) -> bool {
    let tone = words::state(&service.state.word).tone;
    matches!(tone, Tone::Bad | Tone::Warn) || service.backups.iter().any(|backup| backup.overdue)
}

fn next_command(service: &ServiceOverview) -> String {
    let overdue = service.backups.iter().find(|backup| backup.overdue);
    match (words::state(&service.state.word).tone, overdue) {
        (Tone::Bad | Tone::Warn, _) => format!("svc restart {}", service.name),
        (_, Some(backup)) => format!("svc backup {} {}", backup.repository, service.name),
        (_, None) => "svc list".to_owned(),
    }
}
