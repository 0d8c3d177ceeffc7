//! What many kills come to.

use serde::Serialize;

use super::{Death, Outcome};

/// Figures of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many runs died.
    pub kills: usize,
    /// After how many of them something was not as it must be.
    pub violations: usize,
    /// After how many something had to be started again, those that died with the machine not counted.
    pub starts: usize,
    /// From the kill to the order to start it: half of them took no longer. Milliseconds.
    pub median_start_ms: Option<u64>,
    /// The longest of these.
    pub worst_start_ms: Option<u64>,
}

impl Summary {
    /// Sums up. A machine that has to boot first says nothing about how fast a recovery begins.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let killed = outcomes.iter().filter(|outcome| outcome.kill.death != Death::Power);
        let mut times: Vec<u64> = killed.filter_map(|outcome| outcome.start_ms).collect();
        times.sort_unstable();
        Self {
            kills: outcomes.len(),
            violations: outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).count(),
            starts: times.len(),
            median_start_ms: times.get(times.len() / 2).copied(),
            worst_start_ms: times.last().copied(),
        }
    }
}
