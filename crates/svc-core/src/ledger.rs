//! What a service's run owes: everything it changed and has not put back. A fold of its events, so that a run that died
//! left on disk exactly what the live one knew.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;

use crate::code::Code;
use crate::event::Body;
use crate::exchange::Tree;
use crate::failure::Failure;
use crate::freeze::FrozenCopy;
use crate::names::{RepositoryName, SnapshotId};
use crate::plan::{HookKind, Pass, Step, Target};
use crate::prior::Prior;

/// When something happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// By the clock that cannot be set: how long something takes.
    pub(crate) instant: Instant,
    /// By the clock that Docker dates by, too.
    pub(crate) at: Timestamp,
}

/// What was stopped, exchanged, and how long something was down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ledger {
    /// Stopped, or about to be; in that order.
    pub(crate) stopped: Vec<Target>,
    /// Of these, what is only held where it is.
    held: Vec<Target>,
    /// What was asked to stop or to hold still, when, and has not answered: the order may still be under way.
    unanswered: Vec<(Target, Timestamp)>,
    /// Places of `pre` hooks that began, and of `post` hooks that ended.
    pre: Vec<usize>,
    post: Vec<usize>,
    /// The hook that runs; of a run that died, the one that may still do so.
    pub(crate) hook: Option<(HookKind, usize)>,
    /// A `pre` hook failed.
    pub(crate) pre_failed: bool,
    /// Stages that this run made.
    pub(crate) staged: Vec<PathBuf>,
    /// Trees that are to change places, whatever happens: some may have done so.
    pub(crate) exchanging: Vec<Tree>,
    /// Trees that changed places and stay so unless something fails.
    pub(crate) exchanged: Vec<Tree>,
    /// Trees that changed places are to go back, whatever happens: some may have done so.
    going_back: bool,
    /// Trees could not be put back: the service must not run on the mixture.
    pub(crate) mixed: bool,
    /// Copies that this run made, or was about to.
    pub(crate) frozen: Vec<FrozenCopy>,
    /// Repositories that this run began to save hot snapshots in, and which it knows of.
    pub(crate) hot: Vec<(RepositoryName, Option<SnapshotId>)>,
    /// What the step under way pays back.
    paying: Option<Debt>,
    /// What ran before, if that was looked at.
    pub(crate) prior: Option<Prior>,
    /// Targets that were off before and that this run started.
    new: Vec<Target>,
    /// All that this run stopped, started or restarted.
    touched: Vec<Target>,
    down_since: Option<Instant>,
    downtime_ms: Option<u64>,
}

/// What one step pays back as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Debt {
    Frozen,
    Hot,
}

impl Ledger {
    /// Takes in one more event of the service.
    pub(crate) fn apply(&mut self, body: &Body, at: Moment) {
        match body {
            Body::PriorState { prior, .. } => self.prior = Some(prior.clone()),
            Body::StepStarted { step, .. } => self.begin(step, at),
            Body::Stopped { target, .. } => self.answered(target),
            Body::Started { target, .. } => self.started(target, at.instant),
            Body::Exchanging { trees, .. } => self.exchanging.clone_from(trees),
            Body::StepFinished { failure, .. } => self.end(failure.as_ref()),
            Body::HotSaved { repository, snapshot, .. } => {
                self.hot.retain(|(name, id)| name != repository || id.is_some());
                self.hot.push((repository.clone(), Some(snapshot.clone())));
            }
            Body::Exchanged { .. } => self.exchanged = std::mem::take(&mut self.exchanging),
            Body::PuttingBack { .. } => self.going_back = true,
            Body::PutBack { .. } => {
                self.going_back = false;
                self.mixed = false;
                self.exchanging.clear();
                self.exchanged.clear();
                self.new_are_off();
            }
            Body::Mixed { stuck, .. } => {
                self.mixed = true;
                self.exchanged.append(&mut self.exchanging);
                self.exchanged.retain(|tree| stuck.contains(&tree.pair.live));
            }
            _ => {}
        }
    }

    fn begin(&mut self, step: &Step, moment: Moment) {
        let at = moment.instant;
        // A step that was paying back when the run died has not ended, nor has a hook; whoever goes on has ended it.
        (self.paying, self.hook) = (None, None);
        match step {
            Step::Stop { targets } => {
                self.ask(targets, moment.at);
                self.stopping(targets, at);
            }
            Step::Hook(hook) => {
                self.hook = Some((hook.kind, hook.index));
                if hook.kind == HookKind::Pre {
                    self.pre.push(hook.index);
                }
            }
            Step::Pause { targets } => {
                self.held.extend(targets.iter().cloned());
                self.ask(targets, moment.at);
                self.stopping(targets, at);
            }
            Step::Start { targets } => {
                self.new.extend(targets.iter().cloned());
                self.touched.extend(targets.iter().cloned());
            }
            Step::Restart { targets } => {
                self.ask(targets, moment.at);
                self.touched.extend(targets.iter().cloned());
            }
            Step::Stage(step) => self.staged.push(step.stage.clone()),
            Step::Freeze(step) => self.frozen.extend(step.copies.iter().cloned()),
            Step::DropFreeze { .. } => self.paying = Some(Debt::Frozen),
            Step::Backup(step) if step.pass == Pass::Hot => self.hot.push((step.repository.clone(), None)),
            Step::ForgetHot { .. } => self.paying = Some(Debt::Hot),
            Step::Revert { stop, .. } if !self.exchanged.is_empty() => {
                self.ask(&stop.concat(), moment.at);
                self.stopping(&stop.concat(), at);
            }
            _ => {}
        }
    }

    fn end(&mut self, failure: Option<&Failure>) {
        let failed = failure.is_some();
        // What clears up could not run, or was cut off: whoever recovers the run does it.
        let is_put_off = failure.is_some_and(|failure| failure.code == Code::NotResumed);
        match self.paying.take().filter(|_| !failed) {
            Some(Debt::Frozen) => self.frozen.clear(),
            Some(Debt::Hot) => self.hot.clear(),
            None => {}
        }
        match self.hook.take() {
            Some((HookKind::Pre, _)) => self.pre_failed |= failed,
            Some((HookKind::Post, index)) if !is_put_off => self.post.push(index),
            Some((HookKind::Post | HookKind::OnFailure, _)) | None => {}
        }
    }

    /// Notes targets that may be down, for who restarted them died over it.
    pub(crate) fn lost(&mut self, targets: &[Target], at: Instant) {
        self.stopping(targets, at);
    }

    fn stopping(&mut self, targets: &[Target], at: Instant) {
        let stopped: Vec<Target> = targets
            .iter()
            .filter(|target| self.may_stop(target) && !self.stopped.contains(target))
            .cloned()
            .collect();
        if !stopped.is_empty() {
            self.touched.extend(stopped.iter().cloned());
            self.stopped.extend(stopped);
            self.down_since.get_or_insert(at);
        }
    }

    fn ask(&mut self, targets: &[Target], at: Timestamp) {
        self.unanswered.extend(targets.iter().map(|target| (target.clone(), at)));
    }

    fn answered(&mut self, target: &Target) {
        self.unanswered.retain(|(asked, _)| asked != target);
    }

    fn started(&mut self, target: &Target, at: Instant) {
        self.stopped.retain(|stopped| stopped != target);
        self.answered(target);
        if !self.stopped.iter().any(|stopped| self.owes(stopped))
            && let Some(since) = self.down_since.take()
        {
            let before = self.downtime_ms.unwrap_or(0);
            self.downtime_ms = Some(before.saturating_add(millis(since, at)));
        }
    }

    /// What this run itself had started is off again, as it was before.
    fn new_are_off(&mut self) {
        let new = std::mem::take(&mut self.new);
        self.stopped.retain(|target| !new.contains(target));
    }

    /// Whether a target may be stopped: it ran when the prior state was noted, or this run started it.
    pub(crate) fn may_stop(&self, target: &Target) -> bool {
        self.prior.as_ref().is_none_or(|prior| prior.ran(target)) || self.new.contains(target)
    }

    /// Whether a target has to be started again.
    pub(crate) fn owes(&self, target: &Target) -> bool {
        let leaving = self.prior.as_ref().is_some_and(|prior| prior.leaving.contains(target));
        self.stopped.contains(target) && !leaving
    }

    /// When a target was asked to stop or to hold still, if nobody knows whether it has done so already.
    pub(crate) fn unanswered_since(&self, target: &Target) -> Option<Timestamp> {
        self.unanswered.iter().rfind(|(asked, _)| asked == target).map(|(_, at)| *at)
    }

    /// Whether a target has to prove that it works: this run changed it, it is not off, and it worked before.
    /// What is still off failed to start, which has been said.
    pub(crate) fn awaits(&self, target: &Target) -> bool {
        let restless = self.prior.as_ref().is_some_and(|prior| prior.restless.contains(target));
        self.touched.contains(target) && !self.stopped.contains(target) && !restless
    }

    /// Whether a target's own health check said no before anything was touched.
    pub(crate) fn was_unwell(&self, target: &Target) -> bool {
        self.prior.as_ref().is_some_and(|prior| prior.unwell.contains(target))
    }

    /// Whether a target was paused or frozen before.
    pub(crate) fn was_paused(&self, target: &Target) -> bool {
        self.prior.as_ref().is_some_and(|prior| prior.paused.contains(target))
    }

    /// Whether the `post` hook of this place has to run, of so many `pre` hooks.
    pub(crate) fn owes_post(&self, index: usize, pre: usize) -> bool {
        let began =
            if index < pre { self.pre.contains(&index) } else { self.pre.len() >= pre && !self.pre_failed };
        began && !self.post.contains(&index)
    }

    /// Whether this run holds a target where it is, or was about to.
    pub(crate) fn holds(&self, target: &Target) -> bool {
        self.held.contains(target)
    }

    /// Whether some trees may be old and some new: until they are all on one side nothing of the service may be started,
    /// and no stage removed.
    pub(crate) const fn is_unsettled(&self) -> bool {
        self.mixed || self.going_back || !self.exchanging.is_empty()
    }

    /// Whether the stages hold data that was live before this run.
    pub(crate) const fn holds_old_trees(&self) -> bool {
        self.mixed || !self.exchanged.is_empty() || !self.exchanging.is_empty()
    }

    /// How long something of the service was down, in milliseconds; what still is counts up to now.
    pub(crate) fn downtime_ms(&self) -> Option<u64> {
        let open = self.down_since.map(|since| millis(since, Instant::now()));
        match (self.downtime_ms, open) {
            (None, None) => None,
            (closed, open) => Some(closed.unwrap_or(0).saturating_add(open.unwrap_or(0))),
        }
    }
}

fn millis(since: Instant, until: Instant) -> u64 {
    u64::try_from(until.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}
