//! A restic in memory, as forgetful and as misleading as the real one, with faults on demand.

mod care;
mod fault;
mod repository;
mod tree;

pub use fault::Fault;
pub use repository::FakeRepository;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    BackupRequest, BackupSummary, Counts, ForgetQuestion, Lock, Progress, Purpose, Restic, ResticError,
    ResticFailure, RestoreRequest, Snapshot, Stats, Subset, Verb, Weighed,
};
use crate::names::{RepositoryName, SnapshotId};
use fault::{Faults, failed};
use tree::Tree;

/// One call, as the fake saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `version`.
    Version,
    /// `repository_id` of this repository.
    RepositoryId(RepositoryName),
    /// `init` of this repository.
    Init(RepositoryName),
    /// `snapshots` of this repository.
    Snapshots(RepositoryName),
    /// `backup` into this repository.
    Backup(RepositoryName, BackupRequest),
    /// `contents` of a snapshot in this repository.
    Contents(RepositoryName, SnapshotId, Vec<PathBuf>),
    /// `restore` from this repository.
    Restore(RepositoryName, RestoreRequest),
    /// `forget_preview` in this repository.
    Preview(RepositoryName, ForgetQuestion),
    /// `forget` of these.
    Forget(RepositoryName, Vec<SnapshotId>),
    /// Any other verb.
    Other(Verb, RepositoryName),
}

impl Call {
    /// The verb of restic it stands for.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Version => Verb::Version,
            Self::RepositoryId(_) => Verb::Cat,
            Self::Init(_) => Verb::Init,
            Self::Snapshots(_) => Verb::Snapshots,
            Self::Backup(..) => Verb::Backup,
            Self::Contents(..) => Verb::Ls,
            Self::Restore(..) => Verb::Restore,
            Self::Preview(..) | Self::Forget(..) => Verb::Forget,
            Self::Other(verb, _) => *verb,
        }
    }

    fn repository(&self) -> &str {
        match self {
            Self::Version => "",
            Self::RepositoryId(name)
            | Self::Init(name)
            | Self::Snapshots(name)
            | Self::Backup(name, _)
            | Self::Contents(name, ..)
            | Self::Restore(name, _)
            | Self::Preview(name, _)
            | Self::Forget(name, _)
            | Self::Other(_, name) => name.as_str(),
        }
    }
}

/// A restic in memory. Sources that were not declared with [`FakeRestic::source`] are read from the real file system.
#[derive(Debug)]
pub struct FakeRestic {
    state: Mutex<State>,
    /// How many calls there were: a test waits on it for a call to begin.
    begun: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    repositories: BTreeMap<RepositoryName, FakeRepository>,
    sources: Tree,
    faults: Faults,
    calls: Vec<Call>,
    now: Timestamp,
}

impl Default for FakeRestic {
    fn default() -> Self {
        let state = State {
            repositories: BTreeMap::new(),
            sources: Tree::default(),
            faults: Faults::default(),
            calls: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
        };
        Self { state: Mutex::new(state), begun: watch::Sender::new(0) }
    }
}

impl FakeRestic {
    /// A restic that knows no repository.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a repository.
    #[must_use]
    pub fn repository(self, name: &RepositoryName, repository: FakeRepository) -> Self {
        self.state().repositories.insert(name.clone(), repository);
        self
    }

    /// The same with files that a backup of their directory finds, without any being on the real file system.
    #[must_use]
    pub fn source(self, directory: impl Into<PathBuf>, files: Vec<(PathBuf, Vec<u8>)>) -> Self {
        self.set_source(directory, files);
        self
    }

    /// Replaces the files that a backup of this directory finds.
    pub fn set_source(&self, directory: impl Into<PathBuf>, files: Vec<(PathBuf, Vec<u8>)>) {
        let directory = directory.into();
        let mut state = self.state();
        state.sources.remove_below(&directory);
        state.sources.add(&directory, files);
    }

    /// Makes the n-th call (from 1) of a verb on a repository from now on go wrong.
    pub fn fault(&self, verb: Verb, repository: &RepositoryName, nth: usize, fault: Fault) {
        self.state().faults.add(verb, repository.as_str(), nth, fault);
    }

    /// Makes the n-th `version` from now on go wrong: `Missing`, `TooOld`.
    pub fn version_fault(&self, nth: usize, fault: Fault) {
        self.state().faults.add(Verb::Version, "", nth, fault);
    }

    /// Sets the time of the next snapshot.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// Changes a repository: its password, its id, its snapshots. Nothing when it is unknown.
    pub fn change(&self, name: &RepositoryName, change: impl FnOnce(&mut FakeRepository)) {
        if let Some(repository) = self.state().repositories.get_mut(name) {
            change(repository);
        }
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many calls of a verb there were, on whatever repository.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.state().calls.iter().filter(|call| call.verb() == verb).count()
    }

    /// The snapshots of a repository, without a call being counted.
    #[must_use]
    pub fn saved(&self, name: &RepositoryName) -> Vec<Snapshot> {
        self.state().repositories.get(name).map(FakeRepository::list).unwrap_or_default()
    }

    /// Waits until this many calls of a verb have begun.
    pub async fn begun(&self, verb: Verb, calls: usize) {
        let mut begun = self.begun.subscribe();
        while self.count(verb) < calls && begun.changed().await.is_ok() {}
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call; its fault, if one is due, which has waited or hung by then.
    async fn call(&self, call: Call, cancel: &CancellationToken) -> Result<Option<Fault>, ResticError> {
        let verb = call.verb();
        let repository = call.repository().to_owned();
        let fault = {
            let mut state = self.state();
            let fault = state.faults.due(verb, &repository);
            state.calls.push(call);
            fault
        };
        self.begun.send_modify(|calls| *calls += 1);
        match fault {
            Some(fault) => fault.strike(verb, &repository, cancel).await,
            None => Ok(None),
        }
    }

    /// Does something with a repository that is there and takes the password.
    fn open<T>(
        &self,
        name: &RepositoryName,
        verb: Verb,
        work: impl FnOnce(&mut FakeRepository) -> Result<T, ResticError>,
    ) -> Result<T, ResticError> {
        let mut state = self.state();
        let repository = state
            .repositories
            .get_mut(name)
            .ok_or_else(|| failed(verb, name.as_str(), ResticFailure::NoRepository))?;
        repository.check(verb, name)?;
        work(repository)
    }

    fn save(&self, name: &RepositoryName, request: &BackupRequest) -> Result<BackupSummary, ResticError> {
        let (tree, now) = {
            let mut state = self.state();
            let now = state.now;
            state.now = now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now);
            (state.sources.select(&request.sources), now)
        };
        let tree = tree.with_real(&request.sources, &request.binds);
        if request.sources.iter().all(|source| tree.counts(source).is_none()) {
            // restic fails only when nothing at all is there: one missing source among several is fine with 0.18.
            return Err(failed(Verb::Backup, name.as_str(), ResticFailure::Code(1)));
        }
        self.open(name, Verb::Backup, |repository| Ok(repository.save(request, tree, now)))
    }
}

#[async_trait]
impl Restic for FakeRestic {
    async fn version(&self) -> Result<String, ResticError> {
        self.call(Call::Version, &CancellationToken::new()).await?;
        Ok("0.18.0".to_owned())
    }

    async fn repository_id(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.call(Call::RepositoryId(repository.clone()), &CancellationToken::new()).await?;
        self.open(repository, Verb::Cat, |open| Ok(open.id.clone().unwrap_or_default()))
    }

    async fn init(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.call(Call::Init(repository.clone()), &CancellationToken::new()).await?;
        let mut state = self.state();
        let count = state.repositories.len();
        let fresh = state.repositories.entry(repository.clone()).or_insert_with(FakeRepository::absent);
        if fresh.id.is_some() {
            return Err(failed(Verb::Init, repository.as_str(), ResticFailure::Code(1)));
        }
        let id = format!("{:064x}", 0xace0 + count);
        fresh.id = Some(id.clone());
        Ok(id)
    }

    async fn snapshots(&self, repository: &RepositoryName) -> Result<Vec<Snapshot>, ResticError> {
        self.call(Call::Snapshots(repository.clone()), &CancellationToken::new()).await?;
        self.open(repository, Verb::Snapshots, |open| Ok(open.list()))
    }

    async fn backup(
        &self,
        repository: &RepositoryName,
        request: &BackupRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<BackupSummary, ResticError> {
        let _at_work = self.at_work(repository);
        let fault = self.call(Call::Backup(repository.clone(), request.clone()), cancel).await?;
        if let Some(Fault::NoSnapshotId) = fault {
            let reason = "no snapshot id".to_owned();
            let (verb, repository) = (Verb::Backup.as_str(), repository.to_string());
            return Err(ResticError::Output { verb, repository, reason });
        }
        let summary = self.save(repository, request)?;
        progress.send_replace(Progress { done: summary.counts, total: Some(summary.counts) });
        match fault {
            Some(Fault::SavesThenFails(kind)) => Err(failed(Verb::Backup, repository.as_str(), kind)),
            Some(Fault::Unreadable(unreadable)) => Ok(BackupSummary { unreadable, partial: true, ..summary }),
            _ => Ok(summary),
        }
    }

    async fn contents(
        &self,
        repository: &RepositoryName,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
    ) -> Result<Vec<Option<Counts>>, ResticError> {
        let call = Call::Contents(repository.clone(), snapshot.clone(), paths.to_vec());
        self.call(call, &CancellationToken::new()).await?;
        self.open(repository, Verb::Ls, |open| {
            let tree = open
                .tree(snapshot)
                .ok_or_else(|| failed(Verb::Ls, repository.as_str(), ResticFailure::Code(1)))?;
            Ok(paths.iter().map(|path| tree.counts(path)).collect())
        })
    }

    async fn restore(
        &self,
        repository: &RepositoryName,
        request: &RestoreRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        let fault = self.call(Call::Restore(repository.clone(), request.clone()), cancel).await?;
        let tree = self.open(repository, Verb::Restore, |open| {
            let tree = open.tree(&request.snapshot);
            tree.cloned().ok_or_else(|| failed(Verb::Restore, repository.as_str(), ResticFailure::Code(1)))
        })?;
        // An include that the snapshot does not hold restores nothing, without a word: as restic does it.
        let chosen = tree.select(&request.include);
        let limit = if let Some(Fault::RestoresOnly(files)) = fault { files } else { usize::MAX };
        let done = chosen.write(&request.target, limit).map_err(|error| {
            let (verb, repository) = (Verb::Restore.as_str(), repository.to_string());
            let kind = ResticFailure::Code(1);
            ResticError::Failed { verb, repository, kind, text: error.to_string() }
        })?;
        progress.send_replace(Progress { done, total: Some(done) });
        Ok(())
    }

    async fn knock(&self, repository: &RepositoryName, _: Purpose) -> Result<String, ResticError> {
        let call = Call::RepositoryId(repository.clone());
        self.alone(call, false, |open| Ok(open.id.clone().unwrap_or_default())).await
    }

    async fn forget_preview(
        &self,
        repository: &RepositoryName,
        question: &ForgetQuestion,
    ) -> Result<Vec<Weighed>, ResticError> {
        self.call(Call::Preview(repository.clone(), question.clone()), &CancellationToken::new()).await?;
        self.open(repository, Verb::Forget, |open| Ok(open.weigh(question)))
    }

    async fn forget(&self, repository: &RepositoryName, ids: &[SnapshotId]) -> Result<(), ResticError> {
        if ids.is_empty() {
            return Ok(());
        }
        let call = Call::Forget(repository.clone(), ids.to_vec());
        let remove = |open: &mut FakeRepository| {
            open.remove(ids);
            Ok(())
        };
        self.alone(call, true, remove).await
    }

    async fn check(
        &self,
        repository: &RepositoryName,
        subset: Option<Subset>,
        _cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        let call = Call::Other(Verb::Check, repository.clone());
        self.alone(call, true, |open| open.check_data(repository, subset)).await
    }

    async fn prune(&self, repository: &RepositoryName, _: &CancellationToken) -> Result<String, ResticError> {
        self.alone(Call::Other(Verb::Prune, repository.clone()), true, |_| Ok("done\n".to_owned())).await
    }

    async fn unlock(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        self.call(Call::Other(Verb::Unlock, repository.clone()), &CancellationToken::new()).await?;
        let now = self.state().now;
        self.open(repository, Verb::Unlock, |open| {
            open.unlock(now);
            Ok(())
        })
    }

    async fn locks(&self, repository: &RepositoryName) -> Result<Vec<Lock>, ResticError> {
        self.call(Call::Other(Verb::List, repository.clone()), &CancellationToken::new()).await?;
        self.open(repository, Verb::List, |open| Ok(open.locks.clone()))
    }

    async fn stats(&self, repository: &RepositoryName) -> Result<Stats, ResticError> {
        self.call(Call::Other(Verb::Stats, repository.clone()), &CancellationToken::new()).await?;
        self.open(repository, Verb::Stats, |open| Ok(open.stats()))
    }
}

#[cfg(test)]
mod tests;
