//! The two clocks that timers count by.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// The time of day.
    pub(super) real: Timestamp,
    /// Since boot.
    pub(super) monotonic: Duration,
}

impl Clocks {
    /// What they show now.
    pub(super) fn now() -> Self {
        let seen = clock_gettime(ClockId::Monotonic);
        let (seconds, nanos) =
            (u64::try_from(seen.tv_sec).unwrap_or(0), u32::try_from(seen.tv_nsec).unwrap_or(0));
        Self { real: Timestamp::now(), monotonic: Duration::new(seconds, nanos) }
    }

    /// The time of day when so much time since boot has passed.
    pub(super) fn at(self, since_boot: Duration) -> Option<Timestamp> {
        if since_boot >= self.monotonic {
            self.real.checked_add(since_boot.checked_sub(self.monotonic)?).ok()
        } else {
            self.real.checked_sub(self.monotonic.checked_sub(since_boot)?).ok()
        }
    }
}
