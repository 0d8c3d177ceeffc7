//! The steps that only a restore has: stage, verify, exchange, and the way back.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::service::ServiceRun;
use crate::code::Code;
use crate::durable;
use crate::event::Body;
use crate::exchange;
use crate::failure::Failure;
use crate::plan::{ExchangePair, STAGE_PREFIX, StageStep, Step, Target, When};
use crate::records::{ReplacedTrees, ServiceRecord};
use crate::restic::{Counts, Progress, ResticError, RestoreRequest};

impl ServiceRun<'_> {
    /// Writes the snapshot's data into a new directory that only root can look into.
    pub(super) async fn stage(&mut self, step: &StageStep) -> Result<(), Failure> {
        let parent = step.stage.parent().unwrap_or(Path::new("/"));
        let make = || {
            durable::make_directory(parent, 0o700)?;
            std::fs::DirBuilder::new().mode(0o700).create(&step.stage)
        };
        make().map_err(|error| {
            // What lies there is not this run's to remove.
            self.ledger.staged.retain(|stage| *stage != step.stage);
            let code =
                if error.kind() == std::io::ErrorKind::StorageFull { Code::NoSpace } else { Code::Failed };
            Failure::new(code, format!("the stage `{}` cannot be made", step.stage.display()))
                .because(error.to_string())
        })?;
        let request = RestoreRequest {
            snapshot: step.snapshot.clone(),
            include: step.include.clone(),
            target: step.stage.clone(),
        };
        let (figures, seen) = watch::channel(Progress::default());
        let token = self.engine.cancel.token();
        let work = self.engine.outside.restic.restore(&step.repository, &request, &figures, token);
        let work = self.with_progress(&step.repository, seen, work);
        let staged = tokio::select! {
            staged = work => staged,
            // restic has had its signal, and is left to itself.
            () = self.engine.cancel.hurried() => Err(ResticError::Cancelled { verb: "restore" }),
        };
        staged.map_err(|error| self.restic_failure(&error))
    }

    /// Counts what is staged, for restic's own summary cannot be believed, and makes it durable.
    pub(super) async fn verify_stage(&self, step: &StageStep) -> Result<(), Failure> {
        let (stage, include) = (step.stage.clone(), step.include.clone());
        let counted = spawn_blocking(move || {
            let counts = include.iter().map(|path| count(&below(&stage, path))).sum_counts()?;
            durable::sync_file_system(&stage)?;
            Ok::<Counts, std::io::Error>(counts)
        });
        let unreadable = |error: String| {
            let message = format!("the stage `{}` cannot be read", step.stage.display());
            Failure::new(Code::Damaged, message).because(error)
        };
        let found = counted.await.map_err(|error| unreadable(error.to_string()))?;
        let found = found.map_err(|error| unreadable(error.to_string()))?;
        if found == step.counts {
            return Ok(());
        }
        let message = format!(
            "the stage holds {} files with {} bytes, the snapshot {} with {}",
            found.files, found.bytes, step.counts.files, step.counts.bytes
        );
        Err(Failure::new(Code::Damaged, message))
    }

    /// Puts the staged trees in place: all, or none. From its announcement on there is only forward, also for whoever
    /// finds that this run died.
    pub(super) async fn exchange(&mut self, pairs: &[ExchangePair]) -> Result<(), Failure> {
        if self.ledger.exchanging.is_empty() {
            let looked = exchange::look(pairs);
            let trees = looked.map_err(|error| Failure::from_error(Code::Failed, &error))?;
            self.announce(Body::Exchanging { service: self.service(), trees }).await?;
        }
        let (trees, faults) = (self.ledger.exchanging.clone(), Arc::clone(&self.engine.faults));
        match spawn_blocking(move || exchange::exchange(&trees, &|| faults.pass())).await {
            Ok(Ok(())) => self.announce_done(Body::Exchanged { service: self.service() }).await,
            Ok(Err(error)) => {
                self.tell_put_back(error.stuck.clone()).await;
                let code = if self.ledger.mixed { Code::NotResumed } else { Code::Failed };
                let failure = Failure::from_error(code, &error);
                Err(error.stuck.iter().map(|path| stuck(path)).fold(failure, Failure::because))
            }
            Err(error) => {
                let all = self.ledger.exchanging.iter().map(|tree| tree.pair.live.clone()).collect();
                self.tell_put_back(all).await;
                Err(Failure::from_error(Code::NotResumed, &error))
            }
        }
    }

    /// Brings trees that changed places in part to one side; all that needs no service to be stopped or started.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        let settled = if !self.ledger.exchanging.is_empty() {
            self.exchange(&[]).await
        } else if self.aborted && !self.ledger.exchanged.is_empty() {
            self.put_back().await
        } else {
            Ok(())
        };
        // Which side they came to does not matter here.
        if self.ledger.is_unsettled() { settled } else { Ok(()) }
    }

    /// Tells that the old trees are back, or which are not.
    async fn tell_put_back(&mut self, stuck: Vec<PathBuf>) {
        let service = self.service();
        let body = if stuck.is_empty() { Body::PutBack { service } } else { Body::Mixed { service, stuck } };
        // That it cannot be written down is no reason for another failure.
        let _ = self.announce_done(body).await;
    }

    /// Announces what became of trees. They lie as they lie, also when that cannot be written down.
    async fn announce_done(&mut self, body: Body) -> Result<(), Failure> {
        let announced = self.announce(body.clone()).await;
        if announced.is_err() {
            self.ledger.apply(&body, self.engine.moment());
        }
        announced
    }

    /// If trees were exchanged: stops the service, puts the old ones back, starts it. Whatever fails of this, what ran
    /// before runs afterwards, unless its data is a mixture.
    pub(super) async fn revert(
        &mut self,
        stop: &[Vec<Target>],
        start: &[Vec<Target>],
    ) -> Result<(), Failure> {
        if self.ledger.exchanged.is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        for wave in stop {
            if result.is_ok() {
                // Without its old data it is not as it was, even when it runs.
                result = self.stop(wave).await.map_err(|f| Failure { code: Code::NotResumed, ..f });
            }
        }
        if result.is_ok() {
            result = self.put_back().await;
        }
        for wave in start {
            result = result.and(self.resume(wave).await);
        }
        result
    }

    async fn put_back(&mut self) -> Result<(), Failure> {
        // What pays back is done even when it cannot be written down.
        let _ = self.announce_done(Body::PuttingBack { service: self.service() }).await;
        let trees = self.ledger.exchanged.clone();
        let work = trees.clone();
        let left = spawn_blocking(move || exchange::put_back(&work)).await;
        let left = left.unwrap_or_else(|_| trees.iter().map(|tree| tree.pair.live.clone()).collect());
        self.tell_put_back(left.clone()).await;
        left.first().map_or(Ok(()), |path| Err(Failure::new(Code::NotResumed, stuck(path))))
    }

    /// Removes a stage; only what svc itself named so, and after a failure only what this run made and what holds
    /// nothing that was live.
    pub(super) async fn drop_stage(&self, stage: &Path, when: When) -> Result<(), Failure> {
        let ledger = &self.ledger;
        let is_needed = ledger.holds_old_trees() || !ledger.staged.iter().any(|made| made == stage);
        if ledger.is_unsettled() || (when == When::OnFailure && is_needed) {
            return Ok(());
        }
        let name = stage.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(STAGE_PREFIX) {
            let message = format!("`{}` is no stage and is not removed", stage.display());
            return Err(Failure::new(Code::Refused, message));
        }
        let path = stage.to_path_buf();
        match spawn_blocking(move || std::fs::remove_dir_all(path)).await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                // What was asked for is done; only something is left over.
                let message = format!("the stage `{}` cannot be removed", stage.display());
                Err(Failure::new(Code::Partial, message).because(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Says in the report what was restored, and where the replaced trees are.
    pub(super) fn report_trees(&mut self) {
        if !self.ledger.holds_old_trees() {
            return;
        }
        if !self.ledger.is_unsettled() {
            self.report.restored = self.plan.steps.iter().find_map(|planned| match &planned.step {
                Step::Stage(step) => Some(step.snapshot.clone()),
                _ => None,
            });
        }
        let stages = self.stages();
        self.report.kept.clone_from(&stages);
        self.tell(Body::TreesKept { service: self.service(), stages });
    }

    /// Notes where the replaced trees are, so that they can come back.
    pub(super) fn note_replaced(&self, record: &mut ServiceRecord) {
        if self.ledger.exchanged.is_empty() {
            return;
        }
        let mut stages = self.stages();
        // Stages of earlier restores that could not be removed are not forgotten: the next one tries again.
        let earlier = record.replaced.iter().flat_map(|replaced| &replaced.stages);
        let left: Vec<PathBuf> =
            earlier.filter(|stage| stage.is_dir() && !stages.contains(stage)).cloned().collect();
        stages.extend(left);
        record.replaced = Some(ReplacedTrees {
            run: self.engine.run.clone(),
            at: (self.engine.now)(),
            stages,
            trees: self.ledger.exchanged.clone(),
        });
    }

    /// The stages of this run that are there: after a restore they hold what was replaced.
    fn stages(&self) -> Vec<PathBuf> {
        self.ledger.staged.iter().filter(|stage| stage.is_dir()).cloned().collect()
    }
}

fn stuck(live: &Path) -> String {
    format!("`{}` could not be put back", live.display())
}

fn below(stage: &Path, path: &Path) -> PathBuf {
    stage.join(path.strip_prefix("/").unwrap_or(path))
}

/// Regular files and their bytes at and below a path; one that is not there is an error.
fn count(path: &Path) -> std::io::Result<Counts> {
    let mut counts = Counts::default();
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry?;
        if entry.file_type().is_file() {
            counts.files += 1;
            counts.bytes += entry.metadata()?.len();
        }
    }
    Ok(counts)
}

trait SumCounts: Iterator<Item = std::io::Result<Counts>> + Sized {
    fn sum_counts(self) -> std::io::Result<Counts> {
        let add = |sum: Counts, next: Counts| Counts {
            files: sum.files + next.files,
            bytes: sum.bytes + next.bytes,
        };
        self.into_iter().try_fold(Counts::default(), |sum, next| next.map(|next| add(sum, next)))
    }
}

impl<I: Iterator<Item = std::io::Result<Counts>>> SumCounts for I {}
