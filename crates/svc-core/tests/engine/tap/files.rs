//! The tap in front of the file systems.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use svc_core::freeze::{Bind, FreezeError, Freezer, FrozenCopy, Ground, Part, Traces, Wanted};
use tokio_util::sync::CancellationToken;

use super::{Mishap, Tapped};

fn file_error(mishap: Mishap) -> FreezeError {
    FreezeError::Program { program: "tap", said: format!("{mishap:?}") }
}

#[async_trait]
impl Freezer for Tapped<dyn Freezer> {
    async fn look(&self, ground: &Ground) -> Vec<Part> {
        self.inner.look(ground).await
    }

    async fn sync(&self, paths: &[PathBuf]) -> Result<(), FreezeError> {
        self.tap.through("files sync".into(), file_error, self.inner.sync(paths)).await
    }

    async fn freeze(&self, wanted: &Wanted<'_>, cancel: &CancellationToken) -> Result<Traces, FreezeError> {
        let call = format!("files copy {}", wanted.copy.from.display());
        self.tap.through(call, file_error, self.inner.freeze(wanted, cancel)).await
    }

    async fn left_out(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, FreezeError> {
        self.tap.through("files look".to_owned(), file_error, self.inner.left_out(wanted)).await
    }

    async fn traces(&self, binds: &[Bind], since: Option<Timestamp>, cancel: &CancellationToken) -> Traces {
        self.inner.traces(binds, since, cancel).await
    }

    async fn remove(&self, copy: &FrozenCopy) -> Result<(), FreezeError> {
        let call = format!("files remove {}", copy.from.display());
        self.tap.through(call, file_error, self.inner.remove(copy)).await
    }

    async fn mounts_below(&self, path: &Path) -> Vec<PathBuf> {
        self.inner.mounts_below(path).await
    }
}
