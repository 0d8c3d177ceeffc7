//! restic's policy, worked out as restic does it: what a plan shows before restic itself is asked.

use jiff::civil::DateTime;

use crate::config::Policy;

/// What tells one slot of a period from the next.
type Slot = fn(DateTime, usize) -> i64;

/// Why each of these snapshots is kept, in restic's words; nothing: it is not. Newest first, each at the wall clock of the
/// place where it was made.
pub(crate) fn reasons(policy: &Policy, newest_first: &[DateTime]) -> Vec<Vec<String>> {
    let slots: [Slot; 6] = [nth, hour, day, week, month, year];
    let periods = policy.counts().into_iter().zip(slots);
    let mut periods: Vec<Period> = periods
        .map(|((word, count), slot)| Period { word, left: count.unwrap_or(0), slot, last: None })
        .collect();
    let oldest = newest_first.len().saturating_sub(1);
    let weigh = |(place, at): (usize, &DateTime)| {
        periods.iter_mut().filter_map(|period| period.keeps(*at, place, place == oldest)).collect()
    };
    newest_first.iter().enumerate().map(weigh).collect()
}

struct Period {
    word: &'static str,
    left: u32,
    slot: Slot,
    last: Option<i64>,
}

impl Period {
    fn keeps(&mut self, at: DateTime, place: usize, is_oldest: bool) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let slot = Some((self.slot)(at, place));
        let is_new = slot != self.last;
        // While there are slots left restic keeps the oldest too: so history begins as early as it can.
        if !is_new && !is_oldest {
            return None;
        }
        self.last = slot;
        self.left -= 1;
        let oldest = if is_new { "" } else { "oldest " };
        Some(format!("{oldest}{} snapshot", self.word))
    }
}

fn nth(_: DateTime, place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

fn hour(at: DateTime, place: usize) -> i64 {
    day(at, place) * 100 + i64::from(at.hour())
}

fn day(at: DateTime, place: usize) -> i64 {
    month(at, place) * 100 + i64::from(at.day())
}

fn week(at: DateTime, _: usize) -> i64 {
    let week = at.date().iso_week_date();
    i64::from(week.year()) * 100 + i64::from(week.week())
}

fn month(at: DateTime, place: usize) -> i64 {
    year(at, place) * 100 + i64::from(at.month())
}

fn year(at: DateTime, _: usize) -> i64 {
    i64::from(at.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(policy: &Policy, times: &[&str]) -> Vec<usize> {
        let times: Vec<DateTime> = times.iter().map(|time| time.parse().unwrap()).collect();
        let reasons = reasons(policy, &times);
        reasons.iter().enumerate().filter(|(_, why)| !why.is_empty()).map(|(place, _)| place).collect()
    }

    #[test]
    fn the_newest_of_each_day_is_kept_and_the_oldest_while_there_is_room() {
        let policy = Policy { daily: Some(3), ..Policy::default() };
        let days = ["2026-11-20T10:00", "2026-11-20T09:00", "2026-11-19T09:00", "2026-11-19T08:00"];
        assert_eq!(kept(&policy, &days), [0, 2, 3]);
        let policy = Policy { daily: Some(2), ..Policy::default() };
        assert_eq!(kept(&policy, &days), [0, 2]);
    }

    #[test]
    fn weeks_are_those_of_the_calendar_also_over_new_year() {
        let policy = Policy { weekly: Some(2), ..Policy::default() };
        // 2027-01-01 is a Friday: of the week that began in 2026.
        let days = ["2027-01-04T01:00", "2027-01-01T01:00", "2026-12-28T01:00", "2026-12-27T01:00"];
        assert_eq!(kept(&policy, &days), [0, 1]);
    }

    #[test]
    fn nothing_set_keeps_nothing_and_nothing_there_is_nothing() {
        assert_eq!(kept(&Policy::default(), &["2026-11-20T10:00"]), Vec::<usize>::new());
        assert_eq!(kept(&Policy { last: Some(1), ..Policy::default() }, &[]), Vec::<usize>::new());
    }
}
