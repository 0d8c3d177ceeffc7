//! Words for moments, as people type them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{RoundMode, Span, Timestamp, Unit, Zoned, ZonedRound};

/// A word that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` names no moment")]
pub struct MomentWordError {
    /// What was typed, control characters escaped.
    pub word: String,
}

/// Which end of a day a date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// The moment after which something is wanted: an age (`2h`, `2 days ago`), a date (its begin), a time of day (the
/// last one), a date with a time, or seconds since 1970 (`@1795171544`).
///
/// # Errors
/// When the word is none of these.
pub fn since(word: &str, now: &Zoned) -> Result<Timestamp, MomentWordError> {
    let word = word.trim();
    let found = moment(word, now, Edge::Begin)
        .or_else(|| age(word, now))
        .or_else(|| time_of_day(word, now))
        .or_else(|| seconds(word));
    found.ok_or_else(|| MomentWordError { word: word.escape_debug().to_string() })
}

/// The moment up to which something is wanted: an age that ends with `ago`, a date (its end), or a date with a time.
/// In whole seconds unless somebody typed finer ones: it is shown, and typed again.
pub(crate) fn until(word: &str, now: &Zoned) -> Option<Timestamp> {
    let now = now.round(ZonedRound::new().smallest(Unit::Second).mode(RoundMode::Trunc)).ok()?;
    moment(word, &now, Edge::End)
}

fn moment(word: &str, now: &Zoned, edge: Edge) -> Option<Timestamp> {
    match word {
        "today" => return day(now, edge),
        "yesterday" => return day(&now.yesterday().ok()?, edge),
        _ => {}
    }
    if word.ends_with(" ago") {
        let span: Span = word.parse().ok()?;
        return now.checked_add(span).ok().map(|then| then.timestamp());
    }
    if let Ok(instant) = word.parse::<Timestamp>() {
        return Some(instant);
    }
    let zone = now.time_zone().clone();
    if word.contains([':', 'T']) {
        let civil: DateTime = word.parse().ok()?;
        return Some(civil.to_zoned(zone).ok()?.timestamp());
    }
    let date: Date = word.parse().ok()?;
    day(&date.to_zoned(zone).ok()?, edge)
}

fn day(day: &Zoned, edge: Edge) -> Option<Timestamp> {
    let found = match edge {
        Edge::Begin => day.start_of_day(),
        Edge::End => day.end_of_day().and_then(|end| end.with().subsec_nanosecond(0).build()),
    };
    found.ok().map(|moment| moment.timestamp())
}

/// `2h` and, as `journalctl` has it, `-2h`.
fn age(word: &str, now: &Zoned) -> Option<Timestamp> {
    let word = word.strip_prefix('-').unwrap_or(word);
    let span: Span = word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.parse().ok())??;
    now.checked_sub(span.abs()).ok().map(|then| then.timestamp())
}

/// `23:30` asked for at one in the morning is last night's.
fn time_of_day(word: &str, now: &Zoned) -> Option<Timestamp> {
    // `12` alone could be anything.
    let time: Time = word.contains(':').then(|| word.parse().ok())??;
    let at = |day: &Zoned| day.with().time(time).build().ok();
    let today = at(now)?;
    let last = if today <= *now { today } else { at(&now.yesterday().ok()?)? };
    Some(last.timestamp())
}

fn seconds(word: &str) -> Option<Timestamp> {
    Timestamp::from_second(word.strip_prefix('@')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-20T09:00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn since_takes_ages_dates_times_and_seconds() {
        for (word, moment) in [
            ("2h", "2026-11-20T07:00:00Z"),
            ("-2h", "2026-11-20T07:00:00Z"),
            ("1h30m", "2026-11-20T07:30:00Z"),
            ("90 min", "2026-11-20T07:30:00Z"),
            ("2 days ago", "2026-11-18T09:00:00Z"),
            ("2 days", "2026-11-18T09:00:00Z"),
            ("1w", "2026-11-13T09:00:00Z"),
            ("today", "2026-11-20T00:00:00Z"),
            ("yesterday", "2026-11-19T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01 08:30", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:30:00Z", "2026-11-01T08:30:00Z"),
            ("08:30", "2026-11-20T08:30:00Z"),
            ("23:30", "2026-11-19T23:30:00Z"),
            ("@1795000000", "2026-11-18T11:06:40Z"),
        ] {
            assert_eq!(since(word, &now()), Ok(moment.parse().unwrap()), "{word}");
        }
    }

    #[test]
    fn other_words_name_no_moment() {
        for word in ["", "soon", "12", "2026-13-01", "25:00", "5 parsecs", "@", "--2h", "2h\u{1b}[2J"] {
            let error = since(word, &now()).unwrap_err();
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn until_means_the_end_of_a_day_and_no_bare_age() {
        assert_eq!(until("today", &now()), Some("2026-11-20T23:59:59Z".parse().unwrap()));
        let finer: Zoned = "2026-11-20T09:00:00.123456789[UTC]".parse().unwrap();
        assert_eq!(until("1 hour ago", &finer), Some("2026-11-20T08:00:00Z".parse().unwrap()));
        assert_eq!(until("12d", &now()), None);
    }
}
