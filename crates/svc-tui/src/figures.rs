//! Figures as people read them: bytes, durations, ages, pace. Said once, for every screen and table.

use jiff::{SignedDuration, Timestamp};
pub use svc_core::figure::{bytes, moment};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A number with its thousands apart: `12,345`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and what it counts: `1 file`, `12 files`.
#[must_use]
pub fn plural(number: usize, one: &str, several: &str) -> String {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    format!("{} {}", count(number), if number == 1 { one } else { several })
}

/// Milliseconds as a span: `3.4 s`, `2 min 5 s`, `3 h 12 min`.
#[must_use]
pub fn millis(millis: u64) -> String {
    // From 9.95 s on one digit behind the point would round to 10.0.
    if millis < 9_950 {
        let tenths = (millis + 50) / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    seconds((millis + 500) / 1000)
}

/// Whole seconds as a span in at most two units.
#[must_use]
pub fn seconds(seconds: u64) -> String {
    let two = |big: u64, unit: &str, small: u64, smaller: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {smaller}") }
    };
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        _ => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// From one moment to a later one; nothing less than 0.
#[must_use]
pub fn between(from: Timestamp, to: Timestamp) -> String {
    millis(u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0))
}

/// From one moment to a later one in one unit: `4 s`, `3 h`, `12 d`.
#[must_use]
pub fn span(from: Timestamp, to: Timestamp) -> String {
    one_unit(to.duration_since(from).unsigned_abs().as_secs())
}

fn one_unit(seconds: u64) -> String {
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// How long ago: `3 h ago`, `just now`; a moment to come: `in 3 h`.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let past = now.duration_since(at);
    let seconds = past.unsigned_abs().as_secs();
    match seconds {
        0..10 => "just now".to_owned(),
        _ if past < SignedDuration::ZERO => format!("in {}", one_unit(seconds)),
        _ => format!("{} ago", one_unit(seconds)),
    }
}

/// When something comes: `in 3 h`; `now` for what should have come already.
#[must_use]
pub fn due(at: Timestamp, now: Timestamp) -> String {
    if at > now { format!("in {}", span(now, at)) } else { "now".to_owned() }
}

/// A part of 1 as whole percent; 100 only when nothing is missing.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0…100 before")]
pub fn percent(ratio: f64) -> String {
    format!("{} %", (ratio.clamp(0.0, 1.0) * 100.0).floor() as u8)
}

/// Bytes a second in at most ten columns: `45.0 MiB/s`, `143 MiB/s`.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and fits")]
pub fn pace(bytes_per_second: f64) -> String {
    let text = bytes(bytes_per_second as u64);
    match text.split_once('.') {
        Some((whole, rest)) if whole.len() >= 3 => {
            format!("{whole} {}/s", rest.split_once(' ').map_or("", |(_, unit)| unit))
        }
        _ => format!("{text}/s"),
    }
}

/// What is left to wait, in one unit, for it is a guess: `35 s left`, `3 min left`.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and fits")]
pub fn left(seconds_left: f64) -> String {
    format!("{} left", one_unit(seconds_left.ceil() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_digit_behind_the_point_and_binary_units() {
        let read = [0, 1, 1023, 1024, 1_288_490_189, 5_000_000_000_000].map(bytes);
        assert_eq!(read, ["0 B", "1 B", "1023 B", "1.0 KiB", "1.2 GiB", "4.5 TiB"]);
    }

    #[test]
    fn spans_have_two_units_at_most_and_never_round_to_sixty() {
        let read = [0, 40, 60, 9_949, 9_950, 59_499, 59_500, 125_000, 3_600_000, 11_520_000, 90_000_000];
        assert_eq!(
            read.map(millis),
            [
                "0.0 s",
                "0.0 s",
                "0.1 s",
                "9.9 s",
                "10 s",
                "59 s",
                "1 min",
                "2 min 5 s",
                "1 h",
                "3 h 12 min",
                "1 d 1 h"
            ]
        );
    }

    #[test]
    fn ages_have_one_unit_and_the_future_is_named() {
        let now: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let ago = |seconds: i64| age(now - SignedDuration::from_secs(seconds), now);
        assert_eq!([3, 59, 600, 3 * 3600].map(ago), ["just now", "59 s ago", "10 min ago", "3 h ago"]);
        assert_eq!([47 * 3600, 48 * 3600, -7200].map(ago), ["47 h ago", "2 d ago", "in 2 h"]);
    }

    #[test]
    fn what_comes_is_said_in_one_unit_and_what_is_late_comes_now() {
        let now: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let read = |seconds: i64| due(now + SignedDuration::from_secs(seconds), now);
        assert_eq!([5, 7200, 0, -300].map(read), ["in 5 s", "in 2 h", "now", "now"]);
    }

    #[test]
    fn numbers_have_their_thousands_apart_and_count_things() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "file", "files"), "1 file");
        assert_eq!(plural(20_000, "file", "files"), "20,000 files");
    }

    #[test]
    fn a_hundred_percent_means_that_nothing_is_missing() {
        assert_eq!([0.0, 0.431, 0.999, 1.0, 7.0].map(percent), ["0 %", "43 %", "99 %", "100 %", "100 %"]);
    }

    #[test]
    fn pace_and_what_is_left_are_short() {
        assert_eq!([47_185_920.0, 149_946_368.0, 900.0].map(pace), ["45.0 MiB/s", "143 MiB/s", "900 B/s"]);
        assert_eq!([34.2, 200.0, 8000.0].map(left), ["35 s left", "3 min left", "2 h left"]);
    }
}
