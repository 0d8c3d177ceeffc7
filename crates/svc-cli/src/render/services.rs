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

/// How many services are in which state, what needs a person, and the next command to type.
pub(crate) fn home(overview: &Overview, look: Look) -> String {
    let odd: Vec<&ServiceOverview> =
        overview.services.iter().filter(|service| needs_a_person(service)).collect();
    let at_work = || overview.services.iter().find_map(|service| attach(&service.state));
    let next = worst(&odd).map(next_command).or_else(at_work).unwrap_or_else(|| "svc tui".to_owned());
    let rows = if odd.is_empty() { String::new() } else { format!("\n{}", rows(&odd, overview.at, look)) };
    let next = format!("{} {next}", paint("next:", Tone::Busy));
    look.finish(format!("{}\n{rows}\n{next}\n", headline(&overview.services, odd.len(), look)))
}

/// `7 services, 2 to look at: 4 running, 2 stopped, 1 failed`.
fn headline(services: &[ServiceOverview], off: usize, look: Look) -> String {
    let mut states: Vec<(&'static str, usize)> = Vec::new();
    for state in services.iter().map(|service| words::state(&service.state.word).text) {
        match states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => states.push((state, 1)),
        }
    }
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let total = figures::plural(services.len(), "service", "services");
    let off = if off == 0 { "nothing to look at".to_owned() } else { format!("{off} to look at") };
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let said = format!("{total}, {off}{states}");
    let words: Vec<Span> = said.split(' ').map(|word| Span::new(word, Tone::Strong)).collect();
    fill(&words, look.width)
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
        let mark = if failed(backup) { " (failed since)" } else { "" };
        format!("{} {age}{mark}", backup.repository)
    };
    if backups.is_empty() {
        return Span::new("not backed up", Tone::Quiet);
    }
    let text = backups.iter().map(one).collect::<Vec<_>>().join(", ");
    let tones = backups.iter().map(|backup| words::backup(backup).tone);
    let tone = tones.max_by_key(|tone| match tone {
        Tone::Bad => 2,
        Tone::Warn => 1,
        _ => 0,
    });
    Span::new(text, tone.unwrap_or(Tone::Good))
}

/// A backup that failed after the last good one, by the same word as everywhere.
fn failed(backup: &RepositoryOverview) -> bool {
    words::backup(backup).tone == Tone::Bad
}

fn needs_a_person(service: &ServiceOverview) -> bool {
    let is_odd = |tone| matches!(tone, Tone::Bad | Tone::Warn);
    (service.state.at_work.is_none() && is_odd(words::state(&service.state.word).tone))
        || service.backups.iter().any(|backup| is_odd(words::backup(backup).tone))
}

/// The one to begin with: what is broken comes before what is odd, states before backups.
fn worst<'a>(odd: &[&'a ServiceOverview]) -> Option<&'a ServiceOverview> {
    let rank = |service: &&&ServiceOverview| match words::state(&service.state.word).tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        _ if service.backups.iter().any(failed) => 2,
        _ => 3,
    };
    odd.iter().min_by_key(rank).copied()
}

fn next_command(service: &ServiceOverview) -> String {
    let name = &service.name;
    mending(&service.state, name.as_str()).unwrap_or_else(|| {
        let bad = |backup: &&RepositoryOverview| words::backup(backup).tone != Tone::Good;
        match (service.backups.iter().find(|backup| failed(backup)), service.backups.iter().find(bad)) {
            // Why it failed comes before another try.
            (Some(_), _) => format!("svc status {name}"),
            (None, Some(backup)) => format!("svc backup {} {name}", backup.repository),
            (None, None) => "svc list".to_owned(),
        }
    })
}

/// How to see what the run does that is at work on a service.
fn attach(state: &State) -> Option<String> {
    state.at_work.as_ref().map(|at_work| format!("svc attach {}", at_work.run))
}

/// What brings a service back to where it should be; nothing: it is there, or on its way, or off.
pub(super) fn mending(state: &State, service: &str) -> Option<String> {
    if state.at_work.is_some() {
        return attach(state);
    }
    match state.word {
        StateWord::Partial { .. } | StateWord::Failed => Some(format!("svc start {service}")),
        StateWord::Unhealthy | StateWord::Paused => Some(format!("svc restart {service}")),
        // Its unit knows nothing of the containers: they go first.
        StateWord::ByHand => Some(format!("svc stop {service} && svc start {service}")),
        // Restarting what nobody can see helps nobody.
        StateWord::Unknown { .. } => Some("svc doctor".to_owned()),
        StateWord::Running
        | StateWord::Starting
        | StateWord::Stopped
        | StateWord::Masked
        | StateWord::DataOnly => None,
    }
}
