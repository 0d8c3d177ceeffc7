//! Whether a repository is there, which it is, and how it is made.

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::message::{Message, message};
use super::mount::{is_mount_point, room};
use super::program::{Invocation, ResticProgram, odd};
use super::{Purpose, ResticError, ResticFailure, Verb};
use crate::answer::within;
use crate::figure::bytes;
use crate::names::RepositoryName;

/// What restic writes at the least: a pack has up to 16 MiB, and its index comes after it. ext4 counts what it never gives
/// away.
const LEAST: u64 = 20 << 20;

#[derive(Deserialize)]
struct Config {
    id: String,
}

/// Whether restic takes a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locking {
    /// None: works from read-only media and beside anybody.
    None,
    /// Its own, beside others that are not exclusive.
    Own(Purpose),
}

impl ResticProgram {
    /// The id in the repository's `config`: one process, one try of the password.
    pub(super) async fn read_id(
        &self,
        repository: &RepositoryName,
        locking: Locking,
    ) -> Result<String, ResticError> {
        self.check_mount(repository).await?;
        let mut arguments = ["config", "--json"].map(Into::into).to_vec();
        match locking {
            Locking::None => arguments.push("--no-lock".into()),
            Locking::Own(Purpose::Save) => self.check_room(repository).await?,
            Locking::Own(Purpose::Forget) => {}
        }
        let invocation = Invocation::of(Verb::Cat, repository, arguments);
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        let config: Config = serde_json::from_slice(&output)
            .map_err(|_| odd(Verb::Cat, repository, "no id in the repository's config"))?;
        Ok(config.id)
    }

    pub(super) async fn make_repository(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.check_mount(repository).await?;
        let arguments = vec!["--json".into()];
        let invocation = Invocation::of(Verb::Init, repository, arguments);
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        let id = output.split(|&byte| byte == b'\n').find_map(|line| match message(line) {
            Some(Message::Initialized(made)) => Some(made.id),
            _ => None,
        });
        id.ok_or_else(|| odd(Verb::Init, repository, "no id of the new repository"))
    }

    /// What cannot even take one pack need not be tried: nothing has to stop for that.
    async fn check_room(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        let Some(directory) = self.access(repository)?.directory() else { return Ok(()) };
        match within(self.limits.mount, move || room(&directory)).await.flatten() {
            Some(room) if room < LEAST => {
                let (verb, repository) = (Verb::Cat.as_str(), repository.to_string());
                let text =
                    format!("{} are free, and restic needs {} at the least", bytes(room), bytes(LEAST));
                Err(ResticError::Failed { verb, repository, kind: ResticFailure::NoSpace, text })
            }
            _ => Ok(()),
        }
    }

    /// An empty mount point must not be taken for a missing repository, nor get a new one.
    pub(super) async fn check_mount(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        let Some(mount_point) = self.access(repository)?.mount_point().map(ToOwned::to_owned) else {
            return Ok(());
        };
        let directory = mount_point.clone();
        let limit = self.limits.mount;
        match within(limit, move || is_mount_point(&directory)).await {
            Some(true) => Ok(()),
            Some(false) => Err(ResticError::NotMounted { repository: repository.to_string(), mount_point }),
            None => Err(ResticError::Deadline {
                verb: Verb::Cat.as_str(),
                repository: repository.to_string(),
                seconds: limit.as_secs(),
            }),
        }
    }
}
