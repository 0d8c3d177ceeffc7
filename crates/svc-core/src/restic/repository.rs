//! Whether a repository is there, which it is, and how it is made.

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::message::{Message, message};
use super::mount::is_mount_point;
use super::program::{Invocation, ResticProgram, odd};
use super::{ResticError, Verb};
use crate::names::RepositoryName;

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
    Own,
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
        if locking == Locking::None {
            arguments.push("--no-lock".into());
        }
        let invocation = Invocation { verb: Verb::Cat, repository, arguments, stdin: None, binds: &[] };
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        let config: Config = serde_json::from_slice(&output)
            .map_err(|_| odd(Verb::Cat, repository, "no id in the repository's config"))?;
        Ok(config.id)
    }

    pub(super) async fn make_repository(&self, repository: &RepositoryName) -> Result<String, ResticError> {
        self.check_mount(repository).await?;
        let arguments = vec!["--json".into()];
        let invocation = Invocation { verb: Verb::Init, repository, arguments, stdin: None, binds: &[] };
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        let id = output.split(|&byte| byte == b'\n').find_map(|line| match message(line) {
            Some(Message::Initialized(made)) => Some(made.id),
            _ => None,
        });
        id.ok_or_else(|| odd(Verb::Init, repository, "no id of the new repository"))
    }

    /// An empty mount point must not be taken for a missing repository, nor get a new one.
    pub(super) async fn check_mount(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        let Some(mount_point) = self.access(repository)?.mount_point().map(ToOwned::to_owned) else {
            return Ok(());
        };
        let directory = mount_point.clone();
        // A dead network mount blocks whoever looks at it: not this task, and not for ever.
        let look = tokio::task::spawn_blocking(move || is_mount_point(&directory));
        let limit = self.limits.mount;
        match tokio::time::timeout(limit, look).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => Err(ResticError::NotMounted { repository: repository.to_string(), mount_point }),
            Err(_) => Err(ResticError::Deadline {
                verb: Verb::Cat.as_str(),
                repository: repository.to_string(),
                seconds: limit.as_secs(),
            }),
        }
    }
}
