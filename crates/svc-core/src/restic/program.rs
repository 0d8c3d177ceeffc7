//! The restic that is installed, run as a process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OnceCell, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::helper;
use super::installed::{find, version};
use super::limits::Limits;
use super::outcome::kind;
use super::process::{Ended, Job, Sink, Stop, run};
use super::repository::Locking;
use super::version_note;
use super::{
    BackupRequest, BackupSummary, Counts, ForgetQuestion, Lock, Progress, Purpose, Redactor,
    RepositoryAccess, Restic, ResticError, RestoreRequest, Snapshot, Started, Stats, Subset, Verb, Weighed,
};
use crate::config;
use crate::freeze::Bind;
use crate::names::{RepositoryName, SnapshotId};

/// What restic's processes get from this machine. Nothing else is inherited.
#[derive(Debug, Clone)]
pub struct ResticSettings {
    /// restic: its name, or its absolute path.
    pub program: PathBuf,
    /// Where it and its helpers (`ssh`, `rclone`) are looked for.
    pub path: OsString,
    /// `HOME`: the keys of `ssh` are there.
    pub home: PathBuf,
    /// restic's cache, unless a repository's variables say another.
    pub cache_dir: PathBuf,
    /// Where restic keeps packs that are not full yet; nothing: `/tmp`.
    pub temp_dir: Option<PathBuf>,
    /// svc's own binary, which becomes restic with frozen copies over the original paths and with its priority; nothing:
    /// no copy can be read, and restic steps back for nobody.
    pub helper: Option<PathBuf>,
    /// How far it steps back where nobody waits for it.
    pub priority: config::Limits,
}

/// restic as a process: one for each call, and one more for its version where that is not known from an earlier run.
#[derive(Debug)]
pub struct ResticProgram {
    settings: ResticSettings,
    repositories: BTreeMap<RepositoryName, Result<RepositoryAccess, ResticError>>,
    /// The program and its version.
    found: OnceCell<(PathBuf, String)>,
    pub(super) limits: Limits,
    /// Tells of processes that lock a repository.
    starts: broadcast::Sender<Started>,
}

/// So many starts wait for a listener that is busy.
const STARTS_KEPT: usize = 64;

/// A call: its verb, where, and what comes after the verb.
pub(super) struct Invocation<'a> {
    pub(super) verb: Verb,
    pub(super) repository: &'a RepositoryName,
    pub(super) arguments: Vec<OsString>,
    pub(super) stdin: Option<Vec<u8>>,
    /// Frozen copies that it sees at their original paths.
    pub(super) binds: &'a [Bind],
    /// Whether it leaves the machine to everybody else, as far as the configuration says.
    pub(super) steps_back: bool,
}

impl<'a> Invocation<'a> {
    /// A call that reads nothing, sees everything at its place and takes what it needs.
    pub(super) fn of(verb: Verb, repository: &'a RepositoryName, arguments: Vec<OsString>) -> Self {
        Self { verb, repository, arguments, stdin: None, binds: &[], steps_back: false }
    }
}

impl ResticProgram {
    /// restic for these repositories. One that cannot be used fails when it is, and leaves the others alone.
    #[must_use]
    pub fn new(
        settings: ResticSettings,
        repositories: BTreeMap<RepositoryName, Result<RepositoryAccess, ResticError>>,
    ) -> Self {
        let starts = broadcast::Sender::new(STARTS_KEPT);
        Self { settings, repositories, found: OnceCell::new(), limits: Limits::default(), starts }
    }

    /// Does not wait as long as it should for what stands still or does not end. Tests only: debug builds only.
    #[must_use]
    pub fn hastened(mut self, span: Duration) -> Self {
        if cfg!(debug_assertions) {
            self.limits = self.limits.hastened(span);
        }
        self
    }

    pub(super) fn access(&self, name: &RepositoryName) -> Result<&RepositoryAccess, ResticError> {
        match self.repositories.get(name) {
            Some(access) => access.as_ref().map_err(ResticError::clone),
            None => Err(ResticError::Settings {
                repository: name.to_string(),
                reason: "it is not among those of services.json".to_owned(),
            }),
        }
    }

    async fn found(&self) -> Result<&(PathBuf, String), ResticError> {
        let ask = async {
            let program = find(&self.settings.program, &self.settings.path)?;
            let note = version_note::path(&self.settings.cache_dir);
            if let Some(Ok(version)) = version_note::recall(&note, &program).map(|said| version(&said)) {
                return Ok((program, version));
            }
            let said = self.ask_version(&program).await?;
            let version = version(&said)?;
            version_note::keep(&note, &program, &said);
            Ok((program, version))
        };
        self.found.get_or_try_init(|| ask).await
    }

    async fn ask_version(&self, program: &Path) -> Result<String, ResticError> {
        let mut output = Vec::new();
        let arguments = vec![OsString::from("version")];
        let job = self.job(program, Verb::Version, arguments, &[], Redactor::default());
        let ended = run(job, &mut output, &CancellationToken::new()).await.map_err(|error| spawn(&error))?;
        failed(Verb::Version, "", self.limits, ended)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Runs restic; how it ended, whatever that means.
    pub(super) async fn invoke(
        &self,
        invocation: Invocation<'_>,
        sink: &mut dyn Sink,
        cancel: &CancellationToken,
    ) -> Result<Ended, ResticError> {
        let Invocation { verb, repository, arguments: own, stdin, binds, steps_back } = invocation;
        let access = self.access(repository)?;
        let (program, _) = self.found().await?;
        if cancel.is_cancelled() {
            return Err(ResticError::Cancelled { verb: verb.as_str() });
        }
        let locks = !own.iter().any(|argument| argument == "--no-lock");
        let told = locks.then(|| (self.starts.clone(), repository.clone()));
        let mut arguments = vec![OsString::from(verb.as_str())];
        arguments.extend_from_slice(access.arguments());
        arguments.extend(own);
        let variables: Vec<_> =
            access.variables().iter().map(|(name, value)| (name.clone(), value.expose().into())).collect();
        let job = self.job(program, verb, arguments, &variables, access.redactor().clone());
        let priority = steps_back.then_some(&self.settings.priority);
        let job = helper::through(self.settings.helper.as_deref(), &helper::Wanted { binds, priority }, job)?;
        run(Job { stdin, told, ..job }, sink, cancel).await.map_err(|error| spawn(&error))
    }

    /// Runs restic; everything but its code 0 is an error.
    pub(super) async fn succeed(
        &self,
        invocation: Invocation<'_>,
        sink: &mut dyn Sink,
        cancel: &CancellationToken,
    ) -> Result<Ended, ResticError> {
        let (verb, repository) = (invocation.verb, invocation.repository);
        let ended = self.invoke(invocation, sink, cancel).await?;
        failed(verb, repository.as_str(), self.limits, ended)
    }

    fn job(
        &self,
        program: &Path,
        verb: Verb,
        arguments: Vec<OsString>,
        variables: &[(String, OsString)],
        redactor: Redactor,
    ) -> Job {
        let settings = &self.settings;
        let temp_dir = settings.temp_dir.as_deref().unwrap_or(Path::new("/tmp"));
        let mut environment = vec![
            ("PATH".to_owned(), settings.path.clone()),
            ("HOME".to_owned(), settings.home.clone().into()),
            ("TMPDIR".to_owned(), temp_dir.into()),
            ("RESTIC_CACHE_DIR".to_owned(), settings.cache_dir.clone().into()),
        ];
        environment.extend_from_slice(variables);
        // Last, so that no repository changes what svc reads: its texts, and two lines of progress a second.
        let fixed = [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("RESTIC_PROGRESS_FPS", "2")];
        environment.extend(fixed.map(|(name, value)| (name.to_owned(), value.into())));
        let limits = self.limits.of(verb);
        let program = program.to_owned();
        Job { program, arguments, environment, stdin: None, redactor, limits, told: None }
    }
}

/// What went wrong with a process; nothing when it ended with code 0, even though it was asked to end before.
pub(super) fn failed(
    verb: Verb,
    repository: &str,
    limits: Limits,
    ended: Ended,
) -> Result<Ended, ResticError> {
    if ended.status.success() {
        return Ok(ended);
    }
    let (verb_name, repository) = (verb.as_str(), repository.to_owned());
    let seconds = |limit: Option<std::time::Duration>| limit.unwrap_or_default().as_secs();
    let of_verb = limits.of(verb);
    // While it was still trying to connect, the reason is the connection and not the time.
    let kind = match (ended.stop, ended.heard.retried_for()) {
        (Some(Stop::Cancelled), _) => return Err(ResticError::Cancelled { verb: verb_name }),
        (Some(Stop::Deadline | Stop::Stalled | Stop::InVain), Some(kind)) => kind,
        (Some(Stop::Stalled), None) => {
            return Err(ResticError::Stalled {
                verb: verb_name,
                repository,
                seconds: seconds(of_verb.stall),
            });
        }
        (Some(Stop::Deadline | Stop::InVain), None) => {
            let seconds = seconds(of_verb.deadline);
            return Err(ResticError::Deadline { verb: verb_name, repository, seconds });
        }
        (None, _) => kind(ended.status, ended.heard.symptom()),
    };
    Err(ResticError::Failed { verb: verb_name, repository, kind, text: ended.heard.into_text() })
}

/// What it wrote lacks something.
pub(super) fn odd(verb: Verb, repository: &RepositoryName, reason: impl Into<String>) -> ResticError {
    ResticError::Output { verb: verb.as_str(), repository: repository.to_string(), reason: reason.into() }
}

fn spawn(error: &std::io::Error) -> ResticError {
    ResticError::Spawn { reason: error.to_string() }
}

#[async_trait]
impl Restic for ResticProgram {
    async fn version(&self) -> Result<String, ResticError> {
        self.found().await.map(|(_, version)| version.clone())
    }

    async fn repository_id(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.read_id(repository, Locking::None).await
    }

    async fn init(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.make_repository(repository).await
    }

    async fn snapshots(&self, repository: &RepositoryName) -> Result<Vec<Snapshot>, ResticError> {
        self.list_snapshots(repository).await
    }

    async fn backup(
        &self,
        repository: &RepositoryName,
        request: &BackupRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<BackupSummary, ResticError> {
        self.save(repository, request, progress, cancel).await
    }

    async fn contents(
        &self,
        repository: &RepositoryName,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
    ) -> Result<Vec<Option<Counts>>, ResticError> {
        self.count_contents(repository, snapshot, paths).await
    }

    async fn restore(
        &self,
        repository: &RepositoryName,
        request: &RestoreRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        self.write_files(repository, request, progress, cancel).await
    }

    async fn knock(&self, repository: &RepositoryName, purpose: Purpose) -> Result<String, ResticError> {
        self.read_id(repository, Locking::Own(purpose)).await
    }

    async fn forget_preview(
        &self,
        repository: &RepositoryName,
        question: &ForgetQuestion,
    ) -> Result<Vec<Weighed>, ResticError> {
        self.weigh(repository, question).await
    }

    async fn forget(&self, repository: &RepositoryName, ids: &[SnapshotId]) -> Result<(), ResticError> {
        self.remove_snapshots(repository, ids).await
    }

    async fn check(
        &self,
        repository: &RepositoryName,
        subset: Option<Subset>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        self.look_whether_sound(repository, subset, cancel).await
    }

    async fn prune(
        &self,
        repository: &RepositoryName,
        cancel: &CancellationToken,
    ) -> Result<String, ResticError> {
        self.remove_unused(repository, cancel).await
    }

    async fn unlock(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        self.remove_stale_locks(repository).await
    }

    async fn locks(&self, repository: &RepositoryName) -> Result<Vec<Lock>, ResticError> {
        self.read_locks(repository).await
    }

    async fn stats(&self, repository: &RepositoryName) -> Result<Stats, ResticError> {
        self.count_all(repository).await
    }

    fn starts(&self) -> Option<broadcast::Receiver<Started>> {
        Some(self.starts.subscribe())
    }
}

#[cfg(test)]
mod tests;
