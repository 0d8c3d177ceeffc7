//! The steps that keep the stop of a backup short: frozen copies, and a hot pass before the cold one.

use std::path::PathBuf;

use jiff::Timestamp;

use super::service::ServiceRun;
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::freeze::{Bind, FreezeError, FrozenCopy, How, Traces, Wanted};
use crate::names::{RepositoryName, SnapshotId};
use crate::plan::{BackupStep, FreezeStep, HotLeft, Pass, Step, is_hot};
use crate::records::ServiceRecord;
use crate::restic::BackupSummary;
use crate::retention::SKEW;

impl<'a> ServiceRun<'a> {
    /// Whether the rest of the plan makes no sense once this step failed.
    pub(super) fn ends_the_rest(&self, step: &Step) -> bool {
        match step {
            // What is frozen holds still, whatever becomes of the service.
            Step::Resume { .. } | Step::AwaitHealth { .. } => self.ledger.frozen.is_empty(),
            // No reason to stop it when no repository took the hot pass.
            Step::Backup(step) if step.pass == Pass::Hot => self.is_in_vain(&step.repository),
            step => step.ends_the_rest(),
        }
    }

    /// Whether the hot pass to this repository was the last one, and none of them came to anything.
    fn is_in_vain(&self, repository: &RepositoryName) -> bool {
        let mut hot = self.plan.steps.iter().filter_map(|planned| match &planned.step {
            Step::Backup(step) if step.pass == Pass::Hot => Some(&step.repository),
            _ => None,
        });
        hot.next_back() == Some(repository) && !self.ledger.hot.iter().any(|(_, id)| id.is_some())
    }

    /// Writes to disk what would else be written while the service is down.
    pub(super) async fn sync_sources(&self, paths: &[PathBuf]) -> Result<(), Failure> {
        let synced = self.engine.outside.freezer.sync(paths).await;
        synced.map_err(|error| Failure::from(&error))
    }

    /// Takes all copies, and once more if the service did not hold still.
    pub(super) async fn freeze(&mut self, step: &FreezeStep) -> Result<(), Failure> {
        self.take_copies(step).await?;
        self.glance().await;
        let Some(why) = self.torn.clone() else { return Ok(()) };
        if self.hold_still_again(&why).await {
            let dropped = self.drop_freeze(&step.copies).await;
            // What is left of a copy must not be taken for one.
            dropped.map_err(|failure| Failure { code: Code::Failed, ..failure })?;
            self.take_copies(step).await?;
            self.glance().await;
        }
        Ok(())
    }

    /// Takes all copies; what was mounted below a source since the plan was made would be missing in them.
    async fn take_copies(&mut self, step: &FreezeStep) -> Result<(), Failure> {
        let freezer = &self.engine.outside.freezer;
        let parts: Vec<PathBuf> = step.binds.iter().map(|bind| bind.to.clone()).collect();
        let since = self.parents_hold_until();
        for bind in &step.binds {
            let is_new = |mount: &PathBuf| !step.binds.iter().any(|bind| bind.to == *mount);
            if let Some(mount) = freezer.mounts_below(&bind.to).await.into_iter().find(is_new) {
                let message = format!("`{}` was mounted after the plan was made", mount.display());
                return Err(Failure::new(Code::Refused, message).hint("run it again"));
            }
        }
        for copy in &step.copies {
            let frozen =
                freezer.freeze(&Wanted { copy, parts: &parts, since }, self.engine.cancel.token()).await;
            let traces = frozen.map_err(|error| self.freeze_failure(&error))?;
            if self.traces == Traces::Plain {
                self.traces = traces;
            }
        }
        Ok(())
    }

    /// Looks, when the service runs again, that the copies hold all that is to be saved.
    pub(super) async fn nothing_is_left_out(&self) -> Result<(), Failure> {
        for step in self.freezes() {
            let parts: Vec<PathBuf> = step.binds.iter().map(|bind| bind.to.clone()).collect();
            for copy in &step.copies {
                let wanted = Wanted { copy, parts: &parts, since: None };
                let left_out = self.engine.outside.freezer.left_out(&wanted).await;
                if let Some(path) = left_out.map_err(|error| self.freeze_failure(&error))? {
                    return Err(self.freeze_failure(&FreezeError::Unplanned { path }));
                }
            }
        }
        Ok(())
    }

    /// Beside reflink copies restic compares only what these keep: of what lies in snapshots, or is read where it is, more
    /// could be, and a change there must not hide, either.
    pub(super) async fn look_for_hidden_changes(&mut self) {
        for step in self.freezes() {
            let is_reflinked = |bind: &&Bind| {
                let is_of = |copy: &FrozenCopy| copy.how == How::Reflink && bind.from.starts_with(&copy.to);
                step.copies.iter().any(is_of)
            };
            let (reflinked, others): (Vec<&Bind>, Vec<&Bind>) = step.binds.iter().partition(is_reflinked);
            if reflinked.is_empty() {
                continue;
            }
            let others: Vec<Bind> = others.into_iter().cloned().chain(self.read_in_place(step)).collect();
            if self.traces == Traces::Plain && !others.is_empty() {
                let (since, token) = (self.parents_hold_until(), self.engine.cancel.token());
                self.traces = self.engine.outside.freezer.traces(&others, since, token).await;
            }
            if let Traces::Hidden(why) = &self.traces {
                self.note(format!("all of it is read anew: {why}"));
            }
        }
    }

    /// The sources that no copy stands for: dumps, and the manifest.
    fn read_in_place(&self, frozen: &FreezeStep) -> Vec<Bind> {
        let is_covered = |path: &PathBuf| frozen.binds.iter().any(|bind| path.starts_with(&bind.to));
        let mut paths: Vec<&PathBuf> = self.backups().flat_map(|step| &step.sources).collect();
        paths.sort();
        paths.dedup();
        let as_it_is = |path: &PathBuf| Bind { from: path.clone(), to: path.clone() };
        paths.into_iter().filter(|path| !is_covered(path)).map(as_it_is).collect()
    }

    fn backups(&self) -> impl Iterator<Item = &'a BackupStep> + use<'a> {
        self.plan.steps.iter().filter_map(|planned| match &planned.step {
            Step::Backup(step) => Some(step),
            _ => None,
        })
    }

    fn freezes(&self) -> impl Iterator<Item = &'a FreezeStep> + use<'a> {
        self.plan.steps.iter().filter_map(|planned| match &planned.step {
            Step::Freeze(step) => Some(step),
            _ => None,
        })
    }

    /// The moment up to which the snapshots that restic will compare with hold each change: when their runs began. One that
    /// is still to come was told by a clock that was wrong.
    fn parents_hold_until(&self) -> Option<Timestamp> {
        let record = ServiceRecord::load(&self.engine.scope.records_dir(), &self.plan.service);
        let latest = (self.engine.now)().checked_add(SKEW).unwrap_or(Timestamp::MAX);
        let began = |(repository, parent): (&RepositoryName, &SnapshotId)| {
            let of = record.backups.get(repository)?;
            let mut attempts = of.last_good.iter().chain(&of.last_attempt);
            let attempt = attempts.find(|attempt| attempt.snapshot.as_ref() == Some(parent))?;
            attempt.run.began().filter(|began| *began <= latest)
        };
        let parents = self.backups().filter_map(|step| Some((&step.repository, step.parent.as_ref()?)));
        parents.map(began).reduce(|one, other| Some(one?.min(other?)))?
    }

    fn freeze_failure(&self, error: &FreezeError) -> Failure {
        let failure = Failure::from(error);
        match (error, self.engine.cancel.code()) {
            (FreezeError::Cancelled, Some(code)) => Failure { code, ..failure },
            _ => failure.hint("set `backup.freeze` of the service to `never` if this goes on"),
        }
    }

    /// Removes the copies that this run made. Something left over makes no snapshot worse.
    pub(super) async fn drop_freeze(&self, copies: &[FrozenCopy]) -> Result<(), Failure> {
        let mut result = Ok(());
        for copy in copies.iter().filter(|copy| self.ledger.frozen.contains(copy)) {
            let removed = self.engine.outside.freezer.remove(copy).await;
            result = result.and(removed.map_err(|error| {
                let message = format!("the frozen copy `{}` is left over", copy.to.display());
                Failure::new(Code::Partial, message).because(error.to_string())
            }));
        }
        result
    }

    /// What restic compares with: in the cold pass the hot snapshot.
    pub(super) fn parent(&self, step: &BackupStep) -> Option<SnapshotId> {
        let hot = self.ledger.hot.iter().rev().find(|(name, id)| *name == step.repository && id.is_some());
        match (step.pass, hot) {
            (Pass::Cold, Some((_, Some(hot)))) => Some(hot.clone()),
            _ => step.parent.clone(),
        }
    }

    /// Notes a hot snapshot: that some of it could not be read or changed meanwhile is what the cold pass is for.
    pub(super) fn tell_hot(&mut self, step: &BackupStep, summary: BackupSummary, took_ms: u64) {
        self.hot_took.insert(step.repository.clone(), took_ms);
        let (service, repository, snapshot) = (self.service(), step.repository.clone(), summary.snapshot);
        self.tell(Body::HotSaved { service, repository, snapshot, took_ms });
    }

    /// How long the hot pass took; both together are what the next plan goes by.
    pub(super) fn hot_took(&self, repository: &RepositoryName) -> u64 {
        self.hot_took.get(repository).copied().unwrap_or(0)
    }

    /// Forgets this run's hot snapshots and those that earlier runs left. One more makes no other snapshot worse.
    pub(super) async fn forget_hot(&self, left: &[HotLeft]) -> Result<(), Failure> {
        let mut result = Ok(());
        for left in left {
            let forgotten = self.forget_hot_in(left).await;
            result = result.and(forgotten.map_err(|failure| {
                let message =
                    format!("hot snapshots of `{}` are left in `{}`", self.plan.service, left.repository);
                let told = Failure::new(Code::Partial, message).because(failure.message);
                failure.causes.into_iter().fold(told, Failure::because).hint("the next backup forgets them")
            }));
        }
        result
    }

    async fn forget_hot_in(&self, left: &HotLeft) -> Result<(), Failure> {
        let (restic, repository) = (&self.engine.outside.restic, &left.repository);
        let own = self.ledger.hot.iter().filter(|(name, _)| name == repository);
        let mut ids: Vec<SnapshotId> = left.snapshots.clone();
        ids.extend(own.clone().filter_map(|(_, id)| id.clone()));
        // One that was saved and not told of: only the repository knows its id.
        if own.clone().any(|(_, id)| id.is_none()) {
            let all = restic.snapshots(repository).await.map_err(|error| Failure::from(&error))?;
            let (service, host) = (&self.plan.service, &self.engine.config.host);
            let found = all.into_iter().filter(|snapshot| is_hot(snapshot, service, host));
            ids.extend(found.map(|snapshot| snapshot.id));
        }
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        self.remove_when_free(repository, &ids).await
    }
}
