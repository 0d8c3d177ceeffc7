//! Where a test wants a run to stand still, so that it can be killed exactly there. Debug builds only.

use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Stops this process at one of the places that a run passes, right before or right after a side effect; when it is told to
/// go on, at the next one again.
#[derive(Debug, Default)]
pub struct Faults {
    /// The number of the first place, from 1; 0: none.
    stop_at: usize,
    passed: AtomicUsize,
}

impl FromStr for Faults {
    type Err = std::num::ParseIntError;

    /// Reads the number of the place.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { stop_at: text.parse()?, passed: AtomicUsize::new(0) })
    }
}

impl Faults {
    /// Passes a place.
    pub(crate) fn pass(&self) {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if cfg!(debug_assertions) && self.stop_at > 0 && passed >= self.stop_at {
            // Whoever waits for this kills it, or lets it go on.
            let _ = kill_process(getpid(), Signal::STOP);
        }
    }
}
