//! The steps that only a backup has, and the record of it.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::millis;
use super::quiet::Look;
use super::service::ServiceRun;
use super::sources::size_within;
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::figure;
use crate::freeze::Traces;
use crate::goal::Goal;
use crate::judge::judge;
use crate::manifest::Manifest;
use crate::names::RepositoryName;
use crate::plan::{BackupStep, Pass, PlannedStep, Step};
use crate::records::{Attempt, RepositoryRecord, ServiceRecord};
use crate::report::{SnapshotReport, UnsavedReport};
use crate::restic::{BackupRequest, BackupSummary, Progress, ResticError};

/// Why a snapshot that holds everything is less than good all the same.
struct Weak {
    /// The service did not hold still.
    torn: Option<String>,
    /// The repository is damaged.
    unproven: Option<Failure>,
}

/// How long is counted what a full repository had no room for: a service may be down.
const LONGEST_COUNT: Duration = Duration::from_secs(1);
/// A backup that sets no limit of its own is ended after this.
const LONGEST_BACKUP: Duration = Duration::from_hours(24);

impl ServiceRun<'_> {
    /// Writes down what the service is made of.
    pub(super) async fn write_manifest(&self, path: &Path) -> Result<(), Failure> {
        let Some(service) = self.engine.config.services.get(&self.plan.service) else { return Ok(()) };
        let manifest = Manifest::gather(service, &self.engine.config, &self.engine.outside).await?;
        manifest.save(path).map_err(|error| {
            Failure::new(Code::Failed, format!("the manifest `{}` cannot be written", path.display()))
                .because(error.to_string())
        })
    }

    /// Saves a snapshot, and another one if the service did not hold still meanwhile.
    pub(super) async fn backup(&mut self, step: &BackupStep) -> Result<(), Failure> {
        if step.pass == Pass::Cold && self.unsaved.iter().any(|(name, _)| *name == step.repository) {
            // Why has been said after the hot pass.
            return Ok(());
        }
        if step.pass == Pass::Hot {
            let began = Instant::now();
            let summary = self.save_or_say(step).await?;
            self.tell_hot(step, summary, millis(began));
            return Ok(());
        }
        let is_frozen = !step.binds.is_empty();
        let mut weak = self.save_and_judge(step, is_frozen).await?;
        // Beside a frozen copy the service runs again, as it should.
        if let Some(why) = weak.torn.as_ref().filter(|_| !is_frozen)
            && self.hold_still_again(why).await
        {
            weak = self.save_and_judge(step, is_frozen).await?;
        }
        let torn = weak.torn.map(|why| self.torn_failure(&step.repository, &why));
        torn.or(weak.unproven).map_or(Ok(()), Err)
    }

    async fn save_or_say(&mut self, step: &BackupStep) -> Result<BackupSummary, Failure> {
        let figures = watch::Sender::new(Progress::default());
        // Until restic says otherwise: also when nothing is left to hear it.
        self.unsaved.push((step.repository.clone(), Code::Internal));
        let saved = self.save_in_time(step, &figures).await;
        let (repository, _) = self.unsaved.pop().unwrap_or((step.repository.clone(), Code::Internal));
        let failure = match saved {
            Ok(summary) => return Ok(summary),
            Err(error) => self.restic_failure(&error),
        };
        self.unsaved.push((repository, failure.code));
        let seen = *figures.borrow();
        let missing = if failure.code == Code::NoSpace { missing(step, seen).await } else { None };
        Err(missing.into_iter().fold(failure, with_missing))
    }

    /// Saves a snapshot and judges it; says why it is less than good although restic saved all of it.
    async fn save_and_judge(&mut self, step: &BackupStep, is_frozen: bool) -> Result<Weak, Failure> {
        let before = if is_frozen { Ok(Look::default()) } else { self.look_before().await };
        if is_frozen {
            let behind = self.look_behind().await;
            behind.inspect_err(|failure| self.unsaved.push((step.repository.clone(), failure.code)))?;
        }
        let began = Instant::now();
        let summary = self.save_or_say(step).await?;
        let took_ms = millis(began);
        let torn = if is_frozen { self.torn.clone() } else { self.why_torn(&before).await };
        let verdict = judge(step, &summary).or_else(|| self.emptied(step, &summary));
        let unproven = self.unproven(step, &summary);
        let weak = Weak { torn, unproven };
        let at_best = if weak.torn.is_some() || weak.unproven.is_some() { Code::Partial } else { Code::Ok };
        let snapshot = SnapshotReport {
            repository: step.repository.clone(),
            id: summary.snapshot,
            code: verdict.as_ref().map_or(at_best, |failure| failure.code),
            counts: summary.counts,
            added: summary.added,
            took_ms: took_ms.saturating_add(self.hot_took(&step.repository)),
        };
        self.report.snapshots.push(snapshot.clone());
        self.tell(Body::SnapshotSaved { service: self.service(), snapshot });
        verdict.map_or(Ok(weak), Err)
    }

    /// In a damaged repository restic takes for saved what it finds there, also where that is lost.
    fn unproven(&self, step: &BackupStep, summary: &BackupSummary) -> Option<Failure> {
        let (records, repository) = (self.engine.scope.records_dir(), &step.repository);
        let damage = RepositoryRecord::load(&records, repository).damage(repository)?;
        let message = format!(
            "snapshot {} is unproven: what it has in common with older ones may be lost",
            summary.snapshot.short()
        );
        let failure = Failure::new(Code::Partial, message).because(damage.message);
        let failure = damage.causes.into_iter().fold(failure, Failure::because);
        Some(failure.hint(format!("svc repo check {repository}   # then repair it")))
    }

    /// Saves; when the time is over restic is ended in good order, not dropped.
    async fn save_in_time(
        &self,
        step: &BackupStep,
        figures: &watch::Sender<Progress>,
    ) -> Result<BackupSummary, ResticError> {
        let limit = step.timeout.unwrap_or(LONGEST_BACKUP);
        let token = self.engine.cancel.token().child_token();
        let work = self.save(step, figures, &token);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => result,
            // restic has had its signal, and is left to itself.
            () = self.engine.cancel.hurried() => Err(ResticError::Cancelled { verb: "backup" }),
            () = tokio::time::sleep(limit) => {
                token.cancel();
                work.await.map_err(|error| match error {
                    ResticError::Cancelled { verb } => {
                        let (repository, seconds) = (step.repository.to_string(), limit.as_secs());
                        ResticError::Deadline { verb, repository, seconds }
                    }
                    other => other,
                })
            }
        }
    }

    async fn save(
        &self,
        step: &BackupStep,
        figures: &watch::Sender<Progress>,
        token: &CancellationToken,
    ) -> Result<BackupSummary, ResticError> {
        let parent = self.parent(step);
        let request = BackupRequest {
            sources: step.sources.clone(),
            tags: step.tags.clone(),
            exclude: step.exclude.clone(),
            host: step.host.clone(),
            binds: step.binds.clone(),
            // What looks as before is read then, like all that is new. Where there is no good snapshot, restic compares with
            // another one: nobody knows what that holds.
            ignore_inode: step.ignore_inode && parent.is_some() && self.traces == Traces::Plain,
            parent,
            no_scan: step.pass == Pass::Cold,
            is_waited_for: !self.ledger.stopped.is_empty(),
        };
        let work = self.engine.outside.restic.backup(&step.repository, &request, figures, token);
        self.with_progress(&step.repository, figures.subscribe(), work).await
    }

    /// Does restic's work and tells how far it is.
    pub(super) async fn with_progress<T>(
        &self,
        repository: &RepositoryName,
        mut seen: watch::Receiver<Progress>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => break result,
                Ok(()) = seen.changed() => {
                    let progress = *seen.borrow_and_update();
                    let (service, repository) = (self.service(), repository.clone());
                    self.engine.recorder.tell(Body::Progress { service, repository, progress });
                }
            }
        }
    }

    /// restic's error as a failure; a cancelled one carries the code of who cancelled.
    pub(super) fn restic_failure(&self, error: &ResticError) -> Failure {
        let failure = Failure::from(error);
        match (error, self.engine.cancel.code()) {
            (ResticError::Cancelled { .. }, Some(code)) => Failure { code, ..failure },
            _ => failure,
        }
    }

    /// Keeps what later runs and `svc list` need to know.
    pub(super) fn keep_record(&self) -> Result<(), Failure> {
        self.change_record(|record| match self.goal {
            Goal::Backup { repositories, .. } if self.plan.skipped.is_none() => {
                let own = repositories.iter().filter(|repository| self.is_configured_for(repository));
                let new: Vec<_> = own.filter(|repository| !self.is_recorded(record, repository)).collect();
                for repository in new {
                    for attempt in self.attempts(repository) {
                        record.add(repository, attempt, self.beside);
                    }
                    self.note_held(record, repository);
                }
            }
            Goal::Restore { .. } => self.note_replaced(record),
            Goal::Forget { .. } => record.let_go(&self.report.forgotten),
            _ => {}
        })
    }

    /// What is forgotten at the end of a run is no doubt any more.
    pub(super) fn keep_forgotten(&self) -> Result<(), Failure> {
        self.change_record(|record| record.let_go(&self.report.forgotten))
    }

    fn change_record(&self, change: impl FnOnce(&mut ServiceRecord)) -> Result<(), Failure> {
        let mut record = ServiceRecord::load(&self.engine.scope.records_dir(), &self.plan.service);
        let before = record.clone();
        change(&mut record);
        if record == before {
            return Ok(());
        }
        let records = self.engine.scope.records_dir();
        record.save(&records, &self.plan.service, (self.engine.now)()).map_err(|error| {
            Failure::new(Code::Failed, format!("the record of `{}` cannot be written", self.plan.service))
                .because(error.to_string())
        })?;
        before.lost.unreadable.and(record.lost.failure()).map_or(Ok(()), |lost| self.tell_lost(lost))
    }

    /// Says where the record is kept that could not be read.
    fn tell_lost(&self, lost: Failure) -> Result<(), Failure> {
        if matches!(self.goal, Goal::Backup { .. }) {
            return Err(Failure { code: Code::Partial, ..lost });
        }
        self.note(lost.message);
        Ok(())
    }

    /// Whether this run, before it died, or a later one is in the record already. The id of a run begins with its time.
    fn is_recorded(&self, record: &ServiceRecord, repository: &RepositoryName) -> bool {
        let last = record.backups.get(repository).and_then(|backups| backups.last_attempt.as_ref());
        self.resumed && last.is_some_and(|last| last.run >= self.engine.run)
    }

    /// Nobody knows under a configuration that cannot be read: it was so when the run began.
    fn is_configured_for(&self, repository: &RepositoryName) -> bool {
        self.engine.config.services.get(&self.plan.service).is_none_or(|service| service.uses(repository))
    }

    /// One for each snapshot there: a torn one came before another. What became of that other may not be known.
    fn attempts(&self, repository: &RepositoryName) -> Vec<Attempt> {
        let saved = self.report.snapshots.iter().filter(|snapshot| snapshot.repository == *repository);
        let mut attempts: Vec<Attempt> = saved.map(|saved| self.attempt(repository, Some(saved))).collect();
        let is_good = attempts.last().is_some_and(|last| last.code == Code::Ok);
        let is_unsaved = self.resumed || self.unsaved.iter().any(|(name, _)| name == repository);
        if attempts.is_empty() || (!is_good && is_unsaved) {
            attempts.push(self.attempt(repository, None));
        }
        attempts
    }

    fn attempt(&self, repository: &RepositoryName, saved: Option<&SnapshotReport>) -> Attempt {
        let without = || self.code_without_snapshot(repository);
        Attempt {
            run: self.engine.run.clone(),
            at: (self.engine.now)(),
            code: saved.map_or_else(without, |snapshot| snapshot.code),
            snapshot: saved.map(|snapshot| snapshot.id.clone()),
            counts: saved.map(|snapshot| snapshot.counts),
            added: saved.map(|snapshot| snapshot.added),
            took_ms: saved.map_or(self.report.took_ms, |snapshot| snapshot.took_ms),
            downtime_ms: self.report.downtime_ms,
        }
    }

    /// The repositories that were to get a snapshot and got none, each with its own reason.
    pub(super) fn without_snapshot(&self) -> Vec<UnsavedReport> {
        let Goal::Backup { repositories, .. } = self.goal else { return Vec::new() };
        if self.plan.skipped.is_some() {
            return Vec::new();
        }
        let is_saved = |name: &&RepositoryName| {
            self.report.snapshots.iter().any(|snapshot| snapshot.repository == **name)
        };
        let wished = repositories.iter().filter(|name| self.is_configured_for(name));
        let without = wished.filter(|name| !is_saved(name));
        let report = |name: &RepositoryName| UnsavedReport {
            repository: name.clone(),
            code: self.code_without_snapshot(name),
        };
        without.map(report).collect()
    }

    /// Why there is no snapshot: restic's own failure, or what stood in the way from the first, or what came between.
    fn code_without_snapshot(&self, repository: &RepositoryName) -> Code {
        let own = self.unsaved.iter().find(|(name, _)| name == repository).map(|(_, code)| *code);
        let is_planned = |planned: &PlannedStep| matches!(&planned.step, Step::Backup(step) if step.repository == *repository);
        let code = match own {
            Some(code) => code,
            // The rest of the plan of a run that died does not say it any more.
            None if self.resumed || self.plan.steps.iter().any(is_planned) => self.report.code,
            None => Code::worst(self.plan.refused.iter().map(|failure| failure.code)),
        };
        if code == Code::Ok { Code::Internal } else { code }
    }
}

/// How much room a full repository lacks at most: what was still to be read, for nobody knows how much of it is new. Where
/// restic failed before it had counted, all of it.
async fn missing(step: &BackupStep, seen: Progress) -> Option<u64> {
    match seen.total {
        Some(total) => Some(total.bytes.saturating_sub(seen.done.bytes)),
        None => size_within(step.sources.clone(), LONGEST_COUNT).await,
    }
}

fn with_missing(failure: Failure, bytes: u64) -> Failure {
    failure.because(format!("up to {} are missing: so much was still to be saved", figure::bytes(bytes)))
}
