//! Letting go what a service's policy does not keep: restic is asked once more, then told exactly which.

use std::time::Duration;

use jiff::SignedDuration;

use super::service::ServiceRun;
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::holder::{self, Patience};
use crate::names::{RepositoryName, SnapshotId};
use crate::plan::{ForgetStep, held};
use crate::records::{RepositoryRecord, ServiceRecord};
use crate::restic::{ForgetQuestion, ResticError, is_locked};
use crate::retention::{Judged, Protected, SKEW, decide};

/// The service is up by now: waiting for others to let the repository go costs nobody anything.
const PATIENCE: Duration = Duration::from_mins(2);

impl ServiceRun<'_> {
    /// Forgets, if nothing speaks against it.
    pub(super) async fn forget(&mut self, step: &ForgetStep) -> Result<(), Failure> {
        self.name_those_left(step);
        if let Some(reason) = self.unfit(step) {
            let text = format!("nothing is forgotten in `{}`: {reason}", step.repository);
            self.note(text);
            return Ok(());
        }
        self.look_at_the_clock(step)?;
        if let Some(held) = &step.held {
            return Err(self.is_held(held.clone()));
        }
        let known = self.fit(&step.repository)?;
        if step.forget.is_empty() {
            return Ok(());
        }
        let ids = self.still_to_go(step, &known).await?;
        self.remove(step, ids).await
    }

    /// What is known of the repository, if nothing in it or in the service's record forbids to remove anything.
    fn fit(&self, repository: &RepositoryName) -> Result<RepositoryRecord, Failure> {
        let records = self.engine.scope.records_dir();
        let known = RepositoryRecord::load(&records, repository);
        let own = || ServiceRecord::load(&records, &self.plan.service).lost.failure();
        match known.hold(repository).or_else(own) {
            Some(failure) => Err(self.is_held(failure)),
            None => Ok(known),
        }
    }

    async fn remove(&mut self, step: &ForgetStep, ids: Vec<SnapshotId>) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let result = self.remove_when_free(&step.repository, &ids).await;
        if let Some(busy) = result.as_ref().err().filter(|failure| failure.code == Code::Busy) {
            self.note(format!("nothing is forgotten in `{}` this time: {}", step.repository, busy.message));
            return Ok(());
        }
        let is_alone = matches!(self.goal, Goal::Forget { .. });
        let stays = if is_alone { "old snapshots stay" } else { "the new snapshot is good, old ones stay" };
        result.map_err(|failure| Failure { message: format!("{}; {stays}", failure.message), ..failure })?;
        self.report.forgotten.extend(ids.iter().cloned());
        let (service, repository) = (self.service(), step.repository.clone());
        self.tell(Body::Forgotten { service, repository, snapshots: ids });
        Ok(())
    }

    /// Has snapshots removed; waits for others who hold the repository, a while only.
    pub(super) async fn remove_when_free(
        &self,
        repository: &RepositoryName,
        ids: &[SnapshotId],
    ) -> Result<(), Failure> {
        let engine = self.engine;
        let mut patience = Patience::new(PATIENCE);
        loop {
            // A check may have found something since it was looked at.
            self.fit(repository)?;
            match engine.outside.restic.forget(repository, ids).await {
                Err(error) if is_locked(&error) => {}
                result => return result.map_err(|error| self.restic_failure(&error)),
            }
            let now = (engine.now)();
            holder::settle(&engine.scope, &engine.outside, repository, now, &mut patience).await?;
        }
    }

    /// What restic's policy removes, nothing forbids, and the plan has shown.
    async fn still_to_go(
        &self,
        step: &ForgetStep,
        known: &RepositoryRecord,
    ) -> Result<Vec<SnapshotId>, Failure> {
        let (tags, host, policy) = (step.tags.clone(), step.owner.host.clone(), step.policy.clone());
        let question = ForgetQuestion { tags, host, policy };
        let preview = self.engine.outside.restic.forget_preview(&step.repository, &question).await;
        let weighed = preview.map_err(|error: ResticError| self.restic_failure(&error))?;
        let protected = self.protected(step, known);
        let decided = decide(&step.owner, &weighed, &step.policy, &protected, (self.engine.now)());
        let decision = decided.map_err(|hold| self.is_held(held(&hold)))?;
        let is_shown = |id: &SnapshotId| step.forget.iter().any(|shown| shown.id == *id);
        let (shown, unshown): (Vec<_>, Vec<_>) =
            decision.forget.into_iter().map(|one| one.id).partition(|id| is_shown(id));
        if !unshown.is_empty() {
            let ids: Vec<&str> = unshown.iter().map(SnapshotId::short).collect();
            self.note(format!(
                "{} could go, too: not in the plan, so left for the next time",
                ids.join(", ")
            ));
        }
        Ok(shown)
    }

    fn protected(&self, step: &ForgetStep, known: &RepositoryRecord) -> Protected {
        let record = ServiceRecord::load(&self.engine.scope.records_dir(), &self.plan.service);
        let record = record.backups.get(&step.repository);
        let new = self.report.snapshots.iter().rfind(|new| new.repository == step.repository);
        let old =
            || record.and_then(|record| record.last_good.as_ref()).and_then(|good| good.snapshot.clone());
        Protected {
            last_good: new.map(|new| new.id.clone()).or_else(old),
            proven_until: known.proven_until((self.engine.now)()),
            doubts: record.map(|record| record.doubts.clone()).unwrap_or_default(),
            next: None,
        }
    }

    /// Why a backup that came before keeps everything: it is the good new snapshot that lets old ones go.
    fn unfit(&self, step: &ForgetStep) -> Option<String> {
        if !matches!(self.goal, Goal::Backup { .. }) {
            return None;
        }
        let saved = self.report.snapshots.iter().rfind(|new| new.repository == step.repository);
        match saved.map(|saved| saved.code) {
            Some(Code::Ok) => None,
            Some(_) => Some("the new snapshot is less than good".to_owned()),
            None => Some("there is no new snapshot".to_owned()),
        }
    }

    /// A clock that was set, or that says less than it did at the last backup, tells nothing about ages.
    fn look_at_the_clock(&self, step: &ForgetStep) -> Result<(), Failure> {
        let now = (self.engine.now)();
        let lasts = SignedDuration::try_from(self.lasts()).unwrap_or(SignedDuration::MAX);
        let jumped = (now.duration_since(self.began_at) - lasts).abs() > SKEW;
        let is_early = self.later.iter().flatten().any(|later| *later == step.repository);
        if !jumped && !is_early {
            return Ok(());
        }
        let message = "the clock jumped: nothing is forgotten until it can be trusted";
        Err(self.is_held(Failure::new(Code::Refused, message).hint("timedatectl")))
    }

    /// Where the last backup was later than it is now; asked before this run's own is on record.
    pub(super) fn later_backups(&self) -> Vec<RepositoryName> {
        let record = ServiceRecord::load(&self.engine.scope.records_dir(), &self.plan.service);
        let last = record.backups.into_iter().filter_map(|(name, one)| Some((name, one.last_attempt?.at)));
        last.filter(|(_, at)| at.duration_since(self.began_at) > SKEW).map(|(name, _)| name).collect()
    }

    /// A backup is there all the same: less than all went well.
    fn is_held(&self, failure: Failure) -> Failure {
        match self.goal {
            Goal::Backup { .. } => Failure { code: Code::Partial, ..failure },
            _ => failure,
        }
    }

    fn name_those_left(&self, step: &ForgetStep) {
        let mut reasons: Vec<&String> = step.left.iter().flat_map(|left| &left.reasons).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            let has = |left: &&Judged| left.reasons.contains(reason);
            let ids: Vec<&str> = step.left.iter().filter(has).map(|left| left.id.short()).collect();
            self.note(format!(
                "old snapshots in `{}` are left: {} ({reason})",
                step.repository,
                ids.join(", ")
            ));
        }
    }

    pub(super) fn note(&self, text: String) {
        self.engine.recorder.tell(Body::Note { service: Some(self.service()), text });
    }
}
