//! How far a container's log has been read, so that it can be asked for again without a gap and without doubles.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::docker::{OutputStream, Written};

/// The engine dates the two outputs side by side, so an entry may stand after one that is a little younger. What is
/// younger than this is asked for again and compared.
const MARGIN: Duration = Duration::from_millis(100);

type Key = (Timestamp, OutputStream);

/// A place in a log.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// Nothing older is wanted.
    floor: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// The entries taken within the margin before the newest.
    recent: VecDeque<Key>,
    /// Those of them that the next answer has once more.
    doubles: HashMap<Key, usize>,
}

impl Position {
    /// The place at this moment: nothing older is wanted.
    pub(super) fn at(moment: Timestamp) -> Self {
        Self { floor: Some(moment), ..Self::default() }
    }

    /// From when on to ask; nothing: from the beginning. What was taken already will be known again.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        self.doubles.clear();
        for key in &self.recent {
            *self.doubles.entry(*key).or_default() += 1;
        }
        let from = self.newest.map(|newest| newest.saturating_sub(MARGIN).unwrap_or(newest));
        from.max(self.floor)
    }

    /// Whether this entry is new.
    pub(super) fn take(&mut self, entry: &Written) -> bool {
        let key = (entry.at, entry.stream);
        if let Some(left) = self.doubles.get_mut(&key).filter(|left| **left > 0) {
            *left -= 1;
            return false;
        }
        // The first entry bounds what the margin may reach: what is older was not asked for.
        let floor = *self.floor.get_or_insert(entry.at);
        if entry.at < floor {
            return false;
        }
        let newest = self.newest.map_or(entry.at, |newest| newest.max(entry.at));
        self.newest = Some(newest);
        self.recent.push_back(key);
        while self.recent.front().is_some_and(|(at, _)| newest.duration_since(*at).unsigned_abs() > MARGIN) {
            self.recent.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(millis: i64, stream: OutputStream) -> Written {
        let at = Timestamp::from_millisecond(1_795_171_544_000 + millis).unwrap();
        Written { at, stream, bytes: Vec::new(), ends: true }
    }

    /// What the engine answers: everything of the log from a moment on, in the log's order.
    fn answer(log: &[Written], since: Option<Timestamp>) -> Vec<usize> {
        (0..log.len()).filter(|&at| since.is_none_or(|since| log[at].at >= since)).collect()
    }

    #[test]
    fn the_first_entry_bounds_what_is_asked_again() {
        let mut position = Position::default();
        assert_eq!(position.resume(), None);
        assert!(position.take(&entry(1000, OutputStream::Stdout)));
        assert_eq!(position.resume(), Some(entry(1000, OutputStream::Stdout).at));
        let mut from_now = Position::at(entry(0, OutputStream::Stdout).at);
        assert!(!from_now.take(&entry(-1, OutputStream::Stdout)));
        assert_eq!(from_now.resume(), Some(entry(0, OutputStream::Stdout).at));
    }

    proptest! {
        /// Cut anywhere and asked again, a log of two outputs comes whole, once.
        #[test]
        fn nothing_is_lost_or_doubled(
            steps in prop::collection::vec((0_i64..40, 0_i64..50, any::<bool>()), 1..60),
            cuts in prop::collection::vec(0_usize..60, 0..6),
        ) {
            let mut clock = 0;
            let log: Vec<Written> = steps.into_iter().enumerate().map(|(number, (pause, early, stderr))| {
                clock += pause;
                let stream = if stderr { OutputStream::Stderr } else { OutputStream::Stdout };
                // Only what comes first has no other before it.
                entry(if number == 0 { -50 } else { clock - early }, stream)
            }).collect();
            let (mut position, mut taken) = (Position::default(), Vec::new());
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let since = position.resume();
                // The engine has written so much by then.
                let written = &log[..log.len().min(cut.max(taken.len()))];
                taken.extend(answer(written, since).into_iter().filter(|&at| position.take(&log[at])));
            }
            prop_assert_eq!(taken, (0..log.len()).collect::<Vec<_>>());
        }
    }
}
