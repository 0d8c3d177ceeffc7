//! The steps that only a restore has: stage, verify, exchange, and the way back.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::service::ServiceRun;
use crate::code::Code;
use crate::durable;
use crate::event::Body;
use crate::exchange;
use crate::failure::Failure;
use crate::plan::{ExchangePair, STAGE_PREFIX, StageStep, Step, Target};
use crate::records::{ReplacedTrees, ServiceRecord};
use crate::restic::{Counts, Progress, RestoreRequest};

impl ServiceRun<'_> {
    /// Writes the snapshot's data into a new directory that only root can look into.
    pub(super) async fn stage(&mut self, step: &StageStep) -> Result<(), Failure> {
        std::fs::DirBuilder::new().mode(0o700).create(&step.stage).map_err(|error| {
            let code =
                if error.kind() == std::io::ErrorKind::StorageFull { Code::NoSpace } else { Code::Failed };
            Failure::new(code, format!("the stage `{}` cannot be made", step.stage.display()))
                .because(error.to_string())
        })?;
        self.report.restored = Some(step.snapshot.clone());
        let request = RestoreRequest {
            snapshot: step.snapshot.clone(),
            include: step.include.clone(),
            target: step.stage.clone(),
        };
        let (figures, seen) = watch::channel(Progress::default());
        let token = self.engine.cancel.token();
        let work = self.engine.outside.restic.restore(&step.repository, &request, &figures, token);
        let staged = self.with_progress(&step.repository, seen, work).await;
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

    /// Puts the staged trees in place: all, or none.
    pub(super) async fn exchange(&mut self, pairs: &[ExchangePair]) -> Result<(), Failure> {
        let work = pairs.to_vec();
        let done = spawn_blocking(move || exchange::exchange(&work)).await;
        match done {
            Ok(Ok(())) => {
                self.ledger.exchanged = pairs.to_vec();
                let body = Body::Exchanged { service: self.service(), pairs: pairs.to_vec() };
                self.engine
                    .recorder
                    .announce(body)
                    .await
                    .map_err(|error| Failure::from_error(Code::NoSpace, &error))
            }
            Ok(Err(error)) => {
                self.ledger.mixed = !error.stuck.is_empty();
                let code = if self.ledger.mixed { Code::NotResumed } else { Code::Failed };
                let failure = Failure::from_error(code, &error);
                let stuck =
                    error.stuck.iter().map(|path| format!("`{}` could not be put back", path.display()));
                Err(stuck.fold(failure, Failure::because))
            }
            Err(error) => {
                self.ledger.mixed = true;
                Err(Failure::from_error(Code::NotResumed, &error))
            }
        }
    }

    /// If trees were exchanged: stops the service, puts the old ones back, starts it.
    pub(super) async fn revert(
        &mut self,
        pairs: &[ExchangePair],
        stop: &[Vec<Target>],
        start: &[Vec<Target>],
    ) -> Result<(), Failure> {
        if self.ledger.exchanged.is_empty() {
            return Ok(());
        }
        for wave in stop {
            self.stop(wave).await?;
        }
        self.ledger.new_are_off();
        let work = pairs.to_vec();
        let stuck = spawn_blocking(move || exchange::put_back(&work)).await;
        let stuck = stuck.unwrap_or_else(|_| pairs.iter().map(|pair| pair.live.clone()).collect());
        if let Some(path) = stuck.first() {
            self.ledger.mixed = true;
            let message = format!("`{}` could not be put back", path.display());
            return Err(Failure::new(Code::NotResumed, message));
        }
        self.ledger.exchanged.clear();
        let body = Body::Exchanged { service: self.service(), pairs: pairs.to_vec() };
        // The old trees are back: that it cannot be written down must not keep the service off.
        let _ = self.engine.recorder.announce(body).await;
        for wave in start {
            self.resume(wave).await?;
        }
        Ok(())
    }

    /// Removes a stage; only what svc itself named so.
    pub(super) async fn drop_stage(stage: &Path) -> Result<(), Failure> {
        let name = stage.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(STAGE_PREFIX) {
            let message = format!("`{}` is no stage and is not removed", stage.display());
            return Err(Failure::new(Code::Refused, message));
        }
        let path = stage.to_path_buf();
        match spawn_blocking(move || std::fs::remove_dir_all(path)).await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("the stage `{}` cannot be removed", stage.display());
                Err(Failure::new(Code::Failed, message).because(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Notes where the replaced trees are, so that they can come back.
    pub(super) fn note_replaced(&self, record: &mut ServiceRecord) {
        if self.ledger.exchanged.is_empty() {
            return;
        }
        record.replaced = Some(ReplacedTrees {
            run: self.engine.run.clone(),
            at: (self.engine.now)(),
            stages: self.stages(),
            pairs: self.ledger.exchanged.clone(),
        });
    }

    /// The stages of this plan that are there: after a restore they hold what was replaced.
    pub(super) fn stages(&self) -> Vec<PathBuf> {
        let stage = |planned: &crate::plan::PlannedStep| match &planned.step {
            Step::Stage(step) if step.stage.is_dir() => Some(step.stage.clone()),
            _ => None,
        };
        self.plan.steps.iter().filter_map(stage).collect()
    }
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
