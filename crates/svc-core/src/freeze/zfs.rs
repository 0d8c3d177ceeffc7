//! ZFS snapshots, through its program. A snapshot is seen in `.zfs/snapshot` of its dataset, also where that is hidden; a
//! dataset without that directory (zfs-fuse has none, `OpenZFS` can do without) shows a clone of it instead.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::tool::Tool;
use super::{FreezeError, name};
use crate::mounts::Mount;

/// How long a clone may be busy: zfs-fuse lets it go only a moment after it was unmounted.
const BUSY: Duration = Duration::from_secs(10);
/// How soon it is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// The dataset that is mounted. Asked for by its name: by a path that it is mounted on, zfs-fuse finds it only as long as
/// the kernel's number of the mount is below 256.
pub(super) async fn dataset(zfs: &Tool, mount: &Mount) -> Result<String, FreezeError> {
    let arguments = ["list", "-H", "-o", "name", "--", &mount.source].map(OsStr::new);
    zfs.run(&arguments).await.map(|list| list.trim_end_matches('\n').to_owned())
}

/// Whether a dataset that is mounted there shows its snapshots. The directory is there also when it is hidden.
pub(super) fn shows_snapshots(mounted: &Path) -> bool {
    mounted.join(".zfs/snapshot").is_dir()
}

pub(super) async fn snapshot(zfs: &Tool, dataset: &str, to: &Path) -> Result<(), FreezeError> {
    zfs.run(&["snapshot", "--", &full(dataset, &name(to))].map(OsStr::new)).await?;
    // Looking into it mounts it.
    fs::read_dir(to).map(drop).map_err(file(to, "looked into"))
}

/// Removes a snapshot; one that is not there is fine.
pub(super) async fn remove(zfs: &Tool, dataset: &str, snapshot: &Path) -> Result<(), FreezeError> {
    destroy(zfs, &["destroy", "--", &full(dataset, &name(snapshot))]).await
}

/// Takes a snapshot and mounts a clone of it. The directory is there before anything else and goes last: what is left of a
/// copy is known by it.
pub(super) async fn clone(zfs: &Tool, dataset: &str, to: &Path) -> Result<(), FreezeError> {
    fs::DirBuilder::new().mode(0o700).create(to).map_err(file(to, "made"))?;
    let (snapshot, clone) = (full(dataset, &own_name(to)), format!("{dataset}/{}", own_name(to)));
    zfs.run(&["snapshot", "--", &snapshot].map(OsStr::new)).await?;
    let point = format!("mountpoint={}", to.display());
    // Not at the next boot, and not in the snapshots that are taken of everything.
    let options = ["readonly=on", "canmount=noauto", "com.sun:auto-snapshot=false", &point];
    let options = options.iter().flat_map(|option| ["-o", option]);
    let arguments: Vec<&OsStr> =
        ["clone"].into_iter().chain(options).chain(["--", &snapshot, &clone]).map(OsStr::new).collect();
    zfs.run(&arguments).await?;
    match zfs.run(&["mount", "--", &clone].map(OsStr::new)).await {
        // zfs-fuse does it when it clones, whatever `canmount` says.
        Err(FreezeError::Program { said, .. }) if said.contains("already mounted") => Ok(()),
        mounted => mounted.map(drop),
    }
}

/// Removes a clone and its snapshot, or what there is of them.
pub(super) async fn remove_clone(zfs: &Tool, dataset: &str, to: &Path) -> Result<(), FreezeError> {
    let name = own_name(to);
    // Also the snapshots that others took of it.
    destroy(zfs, &["destroy", "-r", "--", &format!("{dataset}/{name}")]).await?;
    destroy(zfs, &["destroy", "--", &full(dataset, &name)]).await?;
    match fs::remove_dir(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(to, "removed")(error)),
        _ => Ok(()),
    }
}

async fn destroy(zfs: &Tool, arguments: &[&str]) -> Result<(), FreezeError> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let began = Instant::now();
    loop {
        match zfs.run(&arguments).await {
            Err(FreezeError::Program { said, .. }) if is_gone(&said) => return Ok(()),
            Err(FreezeError::Program { said, .. }) if said.contains("is busy") && began.elapsed() < BUSY => {
                tokio::time::sleep(PAUSE).await;
            }
            destroyed => return destroyed.map(drop),
        }
    }
}

fn is_gone(said: &str) -> bool {
    said.contains("could not find any snapshots") || said.contains("dataset does not exist")
}

/// What a clone and its snapshot are called: as the directory that the copy lies in, but for the dot that no name there may
/// begin with.
fn own_name(copy: &Path) -> String {
    let directory = copy.parent().map(name).unwrap_or_default();
    directory.strip_prefix('.').unwrap_or(&directory).to_owned()
}

fn full(dataset: &str, snapshot: &str) -> String {
    format!("{dataset}@{snapshot}")
}

fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> FreezeError {
    move |source| FreezeError::File { path: path.to_path_buf(), doing, source }
}

#[cfg(test)]
mod tests;
