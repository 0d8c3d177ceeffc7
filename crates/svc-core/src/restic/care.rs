//! `restic check`, `prune` and `stats`.

use tokio_util::sync::CancellationToken;

use super::program::{Invocation, ResticProgram, failed, odd};
use super::{ResticError, ResticFailure, Stats, Subset, Verb};
use crate::names::RepositoryName;

impl ResticProgram {
    pub(super) async fn look_whether_sound(
        &self,
        repository: &RepositoryName,
        subset: Option<Subset>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        self.check_mount(repository).await?;
        let mut arguments = vec!["--json".into()];
        let part = |Subset { part, of }| format!("--read-data-subset={part}/{of}").into();
        arguments.extend(subset.map(part));
        let invocation = Invocation::of(Verb::Check, repository, arguments);
        let ended = self.invoke(invocation, &mut Vec::new(), cancel).await?;
        // A connection that breaks is an error to `check`, and its last words call every error damage.
        let broke = ended.heard.said_before().filter(|kind| *kind != ResticFailure::Damaged);
        match (failed(Verb::Check, repository.as_str(), self.limits, ended), broke) {
            (
                Err(ResticError::Failed { verb, repository, kind: ResticFailure::Damaged, text }),
                Some(kind),
            ) => Err(ResticError::Failed { verb, repository, kind, text }),
            (result, _) => result.map(drop),
        }
    }

    pub(super) async fn remove_unused(
        &self,
        repository: &RepositoryName,
        cancel: &CancellationToken,
    ) -> Result<String, ResticError> {
        self.check_mount(repository).await?;
        let invocation = Invocation::of(Verb::Prune, repository, Vec::new());
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, cancel).await?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    pub(super) async fn count_all(&self, repository: &RepositoryName) -> Result<Stats, ResticError> {
        self.check_mount(repository).await?;
        let arguments = ["--json", "--no-lock", "--mode=raw-data"].map(Into::into).to_vec();
        let invocation = Invocation::of(Verb::Stats, repository, arguments);
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        serde_json::from_slice(&output).map_err(|_| odd(Verb::Stats, repository, "no figures"))
    }
}
