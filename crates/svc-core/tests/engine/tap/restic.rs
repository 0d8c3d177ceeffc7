//! The tapped restic.

use std::path::PathBuf;

use async_trait::async_trait;
use svc_core::names::{RepositoryName, SnapshotId};
use svc_core::restic::{
    BackupRequest, BackupSummary, Counts, ForgetQuestion, Lock, Progress, Purpose, Restic, ResticError,
    ResticFailure, RestoreRequest, Snapshot, Stats, Subset, Weighed,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Mishap, Tapped};

fn restic_error(mishap: Mishap) -> ResticError {
    let (verb, repository, text) = ("verb", "tap".to_owned(), "tapped".to_owned());
    let kind = match mishap {
        Mishap::Unreachable => ResticFailure::Unreachable,
        Mishap::Late => return ResticError::Deadline { verb, repository, seconds: 60 },
        Mishap::LostAnswer => ResticFailure::Signal(9),
        _ => ResticFailure::Code(1),
    };
    ResticError::Failed { verb, repository, kind, text }
}

#[async_trait]
impl Restic for Tapped<dyn Restic> {
    async fn version(&self) -> Result<String, ResticError> {
        self.tap.through("restic version".into(), restic_error, self.inner.version()).await
    }

    async fn repository_id(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        let call = format!("restic cat {repository}");
        self.tap.through(call, restic_error, self.inner.repository_id(repository)).await
    }

    async fn init(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        let call = format!("restic init {repository}");
        self.tap.through(call, restic_error, self.inner.init(repository)).await
    }

    async fn snapshots(&self, repository: &RepositoryName) -> Result<Vec<Snapshot>, ResticError> {
        let call = format!("restic snapshots {repository}");
        self.tap.through(call, restic_error, self.inner.snapshots(repository)).await
    }

    async fn backup(
        &self,
        repository: &RepositoryName,
        request: &BackupRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<BackupSummary, ResticError> {
        let call = format!("restic backup {repository} {}", request.tags.first().unwrap());
        let work = self.inner.backup(repository, request, progress, cancel);
        self.tap.through(call, restic_error, work).await
    }

    async fn contents(
        &self,
        repository: &RepositoryName,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
    ) -> Result<Vec<Option<Counts>>, ResticError> {
        let call = format!("restic ls {repository}");
        self.tap.through(call, restic_error, self.inner.contents(repository, snapshot, paths)).await
    }

    async fn restore(
        &self,
        repository: &RepositoryName,
        request: &RestoreRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        let call = format!("restic restore {repository}");
        let work = self.inner.restore(repository, request, progress, cancel);
        self.tap.through(call, restic_error, work).await
    }

    async fn knock(&self, repository: &RepositoryName, purpose: Purpose) -> Result<String, ResticError> {
        let call = format!("restic cat {repository}");
        self.tap.through(call, restic_error, self.inner.knock(repository, purpose)).await
    }

    async fn forget_preview(
        &self,
        repository: &RepositoryName,
        question: &ForgetQuestion,
    ) -> Result<Vec<Weighed>, ResticError> {
        let call = format!("restic preview {repository}");
        self.tap.through(call, restic_error, self.inner.forget_preview(repository, question)).await
    }

    async fn forget(&self, repository: &RepositoryName, ids: &[SnapshotId]) -> Result<(), ResticError> {
        let call = format!("restic forget {repository}");
        self.tap.through(call, restic_error, self.inner.forget(repository, ids)).await
    }

    async fn check(
        &self,
        repository: &RepositoryName,
        subset: Option<Subset>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        let call = format!("restic check {repository}");
        self.tap.through(call, restic_error, self.inner.check(repository, subset, cancel)).await
    }

    async fn prune(
        &self,
        repository: &RepositoryName,
        cancel: &CancellationToken,
    ) -> Result<String, ResticError> {
        let call = format!("restic prune {repository}");
        self.tap.through(call, restic_error, self.inner.prune(repository, cancel)).await
    }

    async fn unlock(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        let call = format!("restic unlock {repository}");
        self.tap.through(call, restic_error, self.inner.unlock(repository)).await
    }

    async fn locks(&self, repository: &RepositoryName) -> Result<Vec<Lock>, ResticError> {
        let call = format!("restic locks {repository}");
        self.tap.through(call, restic_error, self.inner.locks(repository)).await
    }

    async fn stats(&self, repository: &RepositoryName) -> Result<Stats, ResticError> {
        let call = format!("restic stats {repository}");
        self.tap.through(call, restic_error, self.inner.stats(repository)).await
    }
}
