//! What a service's run owes: everything it changed and has not put back.

use std::path::PathBuf;
use std::time::Instant;

use super::prior::Prior;
use crate::plan::{ExchangePair, Target};

/// What was stopped, exchanged, and how long something was down.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Stopped, or about to be; in that order.
    pub(super) stopped: Vec<Target>,
    /// Stages that this run made.
    pub(super) staged: Vec<PathBuf>,
    /// Trees that changed places and stay so unless something fails.
    pub(super) exchanged: Vec<ExchangePair>,
    /// Trees could not be put back: the service must not run on the mixture.
    pub(super) mixed: bool,
    /// What ran before, if that was looked at.
    pub(super) prior: Option<Prior>,
    /// Targets that were off before and that this run started.
    pub(super) new: Vec<Target>,
    /// All that this run stopped, started or restarted.
    touched: Vec<Target>,
    down_since: Option<Instant>,
    downtime_ms: Option<u64>,
}

impl Ledger {
    /// Notes targets that are about to be stopped.
    pub(super) fn stopping(&mut self, targets: &[Target]) {
        if targets.is_empty() {
            return;
        }
        self.stopped.extend(targets.iter().cloned());
        self.touching(targets);
        self.down_since.get_or_insert_with(Instant::now);
    }

    /// Notes targets that are about to be started or restarted.
    pub(super) fn touching(&mut self, targets: &[Target]) {
        self.touched.extend(targets.iter().cloned());
    }

    /// Notes a target that runs again.
    pub(super) fn started(&mut self, target: &Target) {
        self.stopped.retain(|stopped| stopped != target);
        if !self.stopped.iter().any(|stopped| self.owes(stopped))
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

    /// Whether a target may be stopped: it ran when the prior state was noted, or this run started it.
    pub(super) fn may_stop(&self, target: &Target) -> bool {
        self.prior.as_ref().is_none_or(|prior| prior.running.contains(target)) || self.new.contains(target)
    }

    /// Whether a target has to be started again.
    pub(super) fn owes(&self, target: &Target) -> bool {
        let leaving = self.prior.as_ref().is_some_and(|prior| prior.leaving.contains(target));
        self.stopped.contains(target) && !leaving
    }

    /// Whether a target has to prove that it works: this run changed it, it is not off, and it worked before.
    /// What is still off failed to start, which has been said.
    pub(super) fn awaits(&self, target: &Target) -> bool {
        let restless = self.prior.as_ref().is_some_and(|prior| prior.restless.contains(target));
        self.touched.contains(target) && !self.stopped.contains(target) && !restless
    }

    /// Whether a target's own health check said no before anything was touched.
    pub(super) fn was_unwell(&self, target: &Target) -> bool {
        self.prior.as_ref().is_some_and(|prior| prior.unwell.contains(target))
    }

    /// Whether a container was paused before.
    pub(super) fn was_paused(&self, target: &Target) -> bool {
        self.prior.as_ref().is_some_and(|prior| prior.paused.contains(target))
    }

    /// Whether the stages hold data that was live before this run.
    pub(super) fn holds_old_trees(&self) -> bool {
        self.mixed || !self.exchanged.is_empty()
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
