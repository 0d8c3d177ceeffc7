//! `restic restore`: always into a new directory, never with `--delete`.

use std::ffi::OsString;
use std::path::Path;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backup::Transfer;
use super::pattern::{include, option};
use super::program::{Invocation, ResticProgram};
use super::{Progress, ResticError, RestoreRequest, Verb};
use crate::names::RepositoryName;

impl ResticProgram {
    pub(super) async fn write_files(
        &self,
        repository: &RepositoryName,
        request: &RestoreRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), ResticError> {
        self.check_mount(repository).await?;
        let invocation = Invocation::of(Verb::Restore, repository, arguments(request));
        // Its summary claims success even on a full disk: the code counts, and then what is there.
        self.succeed(invocation, &mut Transfer::new(progress), cancel).await?;
        Ok(())
    }
}

fn arguments(request: &RestoreRequest) -> Vec<OsString> {
    // Without a lock: a restore must work from read-only media and beside somebody's stale lock. A pack that a prune
    // takes away meanwhile is a loud failure. Sparse: a disk image with holes must not grow to its full size.
    let mut arguments: Vec<OsString> = vec!["--json".into(), "--no-lock".into(), "--sparse".into()];
    arguments.push(option("--target", &request.target));
    if !request.include.iter().any(|path| path == Path::new("/")) {
        arguments.extend(request.include.iter().map(|path| include(path)));
    }
    arguments.extend(["--".into(), request.snapshot.as_str().into()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_included_one_by_one_and_the_root_means_all() {
        let id = "a".repeat(64);
        let mut request = RestoreRequest {
            snapshot: id.parse().unwrap(),
            include: vec!["/a*".into(), "/b".into()],
            target: "/stage".into(),
        };
        let head = ["--json", "--no-lock", "--sparse", "--target=/stage"];
        let tail = ["--", id.as_str()];
        assert_eq!(arguments(&request), [&head[..], &[r"--include=/a\*", "--include=/b"], &tail].concat());
        request.include.push("/".into());
        assert_eq!(arguments(&request), [&head[..], &tail].concat());
    }
}
