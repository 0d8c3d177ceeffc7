//! The machine's own file systems.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::ground::Looker;
use super::tool::Tool;
use super::{
    Bind, FreezeError, Freezer, FrozenCopy, Ground, How, Part, Traces, Wanted, attributes, btrfs,
    is_copy_mount, is_own, reflink, traces, zfs,
};
use crate::{durable, mounts};

/// Freezes what lies on the machine's file systems.
#[derive(Debug, Clone)]
pub struct HostFreezer {
    btrfs: Tool,
    zfs: Tool,
    able: Result<(), String>,
}

impl HostFreezer {
    /// One that looks for the file systems' programs there; `able`: why nothing can be frozen at all.
    #[must_use]
    pub fn new(path: &OsString, able: Result<(), String>) -> Self {
        let tool = |program| Tool { program, path: path.clone() };
        Self { btrfs: tool("btrfs"), zfs: tool("zfs"), able }
    }
}

#[async_trait]
impl Freezer for HostFreezer {
    async fn look(&self, ground: &Ground) -> Vec<Part> {
        if let Err(reason) = &self.able {
            let (path, means) = (ground.path.clone(), Err(reason.clone()));
            return vec![Part { path, means, size: None }];
        }
        Looker { btrfs: &self.btrfs, zfs: &self.zfs, table: mounts::table() }.parts(ground).await
    }

    async fn sync(&self, paths: &[PathBuf]) -> Result<(), FreezeError> {
        for path in paths {
            let of_path = path.clone();
            blocking(path, "synced", move || durable::sync_file_system(&of_path)).await?;
        }
        Ok(())
    }

    async fn freeze(&self, wanted: &Wanted<'_>, cancel: &CancellationToken) -> Result<Traces, FreezeError> {
        let copy = wanted.copy;
        match &copy.how {
            How::Btrfs => {
                make_room(&copy.to)?;
                btrfs::snapshot(&self.btrfs, &copy.from, &copy.to).await.map(|()| Traces::Plain)
            }
            How::Reflink => {
                make_room(&copy.to)?;
                let (copy, cancel) = (copy.clone(), cancel.clone());
                let (parts, since) = (wanted.parts.to_vec(), wanted.since);
                let path = copy.from.clone();
                let work = move || reflink::copy(&Wanted { copy: &copy, parts: &parts, since }, &cancel);
                let copied = spawn_blocking(work).await;
                copied.unwrap_or_else(|error| Err(file(&path, "copied")(io::Error::other(error))))
            }
            How::Zfs(dataset) => zfs::snapshot(&self.zfs, dataset, &copy.to).await.map(|()| Traces::Plain),
            How::ZfsClone(dataset) => {
                make_room(&copy.to)?;
                zfs::clone(&self.zfs, dataset, &copy.to).await.map(|()| Traces::Plain)
            }
        }
    }

    async fn left_out(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, FreezeError> {
        match wanted.copy.how {
            How::Btrfs => btrfs::left_out(&self.btrfs, &wanted.copy.from, wanted.parts).await,
            // The copier has refused it; a dataset of ZFS is a mount, and those are known.
            How::Reflink | How::Zfs(_) | How::ZfsClone(_) => Ok(None),
        }
    }

    async fn traces(&self, binds: &[Bind], since: Option<Timestamp>, cancel: &CancellationToken) -> Traces {
        let (binds, cancel) = (binds.to_vec(), cancel.clone());
        let looked = spawn_blocking(move || traces::of(&binds, since, &cancel)).await;
        looked.unwrap_or_else(|error| Traces::Hidden(format!("nobody could look ({error})")))
    }

    async fn remove(&self, copy: &FrozenCopy) -> Result<(), FreezeError> {
        if !is_own(copy) {
            return Err(FreezeError::Foreign { path: copy.to.clone() });
        }
        match &copy.how {
            How::Btrfs => btrfs::remove(&self.btrfs, &copy.to).await?,
            How::Reflink => {
                let to = copy.to.clone();
                let removed = spawn_blocking(move || reflink::remove(&to)).await;
                removed.unwrap_or_else(|error| Err(file(&copy.to, "removed")(io::Error::other(error))))?;
            }
            How::Zfs(dataset) => return zfs::remove(&self.zfs, dataset, &copy.to).await,
            How::ZfsClone(dataset) => zfs::remove_clone(&self.zfs, dataset, &copy.to).await?,
        }
        // The last of the copies takes their directory along.
        if let Some(directory) = copy.to.parent() {
            let _ = without_a_trace(directory, || std::fs::remove_dir(directory));
        }
        Ok(())
    }

    async fn mounts_below(&self, path: &Path) -> Vec<PathBuf> {
        mounts::below(path).into_iter().filter(|point| !is_copy_mount(point)).collect()
    }
}

/// Makes the directory of the copies; only root can look into it.
fn make_room(copy: &Path) -> Result<(), FreezeError> {
    let Some(directory) = copy.parent() else { return Ok(()) };
    let make = || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    without_a_trace(directory, make).map_err(file(directory, "made"))?;
    // What the directory above it hands down would come to all that is copied.
    attributes::drop_access_lists(directory);
    Ok(())
}

/// Makes or removes a directory. What it lies in may be somebody's data, and keeps its times.
fn without_a_trace<T>(directory: &Path, work: impl FnOnce() -> T) -> T {
    let above = directory.parent();
    let before = above.and_then(|above| std::fs::symlink_metadata(above).ok());
    let done = work();
    if let Some((above, before)) = above.zip(before) {
        // Without it the data is as good.
        let _ = attributes::copy_times(&before, above);
    }
    done
}

async fn blocking(
    path: &Path,
    doing: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), FreezeError> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(file(path, doing))
}

fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> FreezeError {
    move |source| FreezeError::File { path: path.to_path_buf(), doing, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_directory_that_copies_lie_in_keeps_its_times() {
        let data = tempfile::tempdir().unwrap();
        let long_ago = std::time::UNIX_EPOCH;
        std::fs::File::open(data.path()).unwrap().set_modified(long_ago).unwrap();
        let copies = data.path().join(".svc-frozen-a");
        make_room(&copies.join("0")).unwrap();
        assert!(copies.is_dir());
        assert_eq!(std::fs::metadata(data.path()).unwrap().mtime(), 0);
        without_a_trace(&copies, || std::fs::remove_dir(&copies)).unwrap();
        assert_eq!((std::fs::metadata(data.path()).unwrap().mtime(), copies.exists()), (0, false));
    }
}
