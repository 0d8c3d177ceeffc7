//! What a service's run owes: everything it changed and has not put back.

use std::time::Instant;

use crate::plan::{ExchangePair, Target};

/// What was stopped, exchanged, and how long something was down.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Stopped, or about to be; in that order.
    pub(super) stopped: Vec<Target>,
    /// Trees that changed places and stay so unless something fails.
    pub(super) exchanged: Vec<ExchangePair>,
    /// Trees could not be put back: the service must not run on the mixture.
    pub(super) mixed: bool,
    /// What ran before, if that was looked at.
    pub(super) prior: Option<Vec<Target>>,
    /// Units that were off before and that this run started.
    pub(super) new: Vec<Target>,
    /// Containers whose own health check said no before anything was touched.
    pub(super) was_unhealthy: Vec<Target>,
    down_since: Option<Instant>,
    downtime_ms: Option<u64>,
}

impl Ledger {
    /// Notes targets that are about to be stopped.
    pub(super) fn stopping(&mut self, targets: &[Target]) {
        self.stopped.extend(targets.iter().cloned());
        self.down_since.get_or_insert_with(Instant::now);
    }

    /// Notes a target that runs again.
    pub(super) fn started(&mut self, target: &Target) {
        self.stopped.retain(|stopped| stopped != target);
        if self.stopped.is_empty()
            && let Some(since) = self.down_since.take()
        {
            let before = self.downtime_ms.unwrap_or(0);
            self.downtime_ms = Some(before.saturating_add(super::millis(since)));
        }
    }

    /// Notes that what this run itself had started is off again, as it was before.
    pub(super) fn new_are_off(&mut self) {
        let new = std::mem::take(&mut self.new);
        self.stopped.retain(|target| !new.contains(target));
    }

    /// How long something of the service was down, in milliseconds; what still is counts up to now.
    pub(super) fn downtime_ms(&self) -> Option<u64> {
        let open = self.down_since.map(super::millis);
        match (self.downtime_ms, open) {
            (None, None) => None,
            (closed, open) => Some(closed.unwrap_or(0).saturating_add(open.unwrap_or(0))),
        }
    }
}
