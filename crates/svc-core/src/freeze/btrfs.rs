//! Read-only snapshots of btrfs subvolumes, through its program: an ioctl would take unsafe code.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::FreezeError;
use super::tool::Tool;
use crate::mounts::Mount;

/// The inode of each subvolume's top directory.
const TOP: u64 = 256;

/// The subvolume that a path is in, if its top can be seen: a snapshot is always of a whole one.
pub(super) fn subvolume(path: &Path, mount: &Mount) -> Option<PathBuf> {
    let mut tops = path.ancestors().take_while(|directory| directory.starts_with(&mount.point));
    tops.find(|directory| is_top(directory)).map(Path::to_path_buf)
}

fn is_top(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.is_dir() && metadata.ino() == TOP)
}

/// The subvolumes right below another one, at any depth of directories, as far as they can be seen. In a snapshot they are
/// empty directories.
pub(super) async fn nested(
    btrfs: &Tool,
    subvolume: &Path,
    mount: &Mount,
) -> Result<Vec<PathBuf>, FreezeError> {
    let arguments = ["subvolume", "list", "-o", "--"].map(OsStr::new);
    let list = btrfs.run(&[arguments.as_slice(), &[subvolume.as_os_str()]].concat()).await?;
    let below = subvolume.strip_prefix(&mount.point).unwrap_or(Path::new(""));
    Ok(seen(&list, &mount.root.join(below), subvolume).into_iter().filter(|path| is_top(path)).collect())
}

/// The list names paths from the top of the file system; here they are where the subvolume is seen.
fn seen(list: &str, whole: &Path, subvolume: &Path) -> Vec<PathBuf> {
    let whole = whole.strip_prefix("/").unwrap_or(whole);
    let path = |line: &str| {
        let (_, path) = line.split_once(" path ")?;
        Some(subvolume.join(Path::new(path).strip_prefix(whole).ok()?))
    };
    list.lines().filter_map(path).collect()
}

pub(super) async fn snapshot(btrfs: &Tool, subvolume: &Path, to: &Path) -> Result<(), FreezeError> {
    let arguments = ["subvolume", "snapshot", "-r", "--"].map(OsStr::new);
    btrfs.run(&[arguments.as_slice(), &[subvolume.as_os_str(), to.as_os_str()]].concat()).await.map(drop)
}

/// Removes a snapshot; one that is not there is fine.
pub(super) async fn remove(btrfs: &Tool, snapshot: &Path) -> Result<(), FreezeError> {
    if std::fs::symlink_metadata(snapshot).is_err() {
        return Ok(());
    }
    let arguments = ["subvolume", "delete", "--"].map(OsStr::new);
    btrfs.run(&[arguments.as_slice(), &[snapshot.as_os_str()]].concat()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_subvolumes_are_named_where_they_are_seen() {
        let list =
            "ID 258 gen 12 top level 257 path @data/music/new  one\nID 259 gen 3 top level 5 path other\n";
        let found = seen(list, Path::new("/@data"), Path::new("/mnt/data"));
        assert_eq!(found, [PathBuf::from("/mnt/data/music/new  one")]);
        let found = seen("ID 258 gen 12 top level 5 path a/b\n", Path::new("/"), Path::new("/mnt"));
        assert_eq!(found, [PathBuf::from("/mnt/a/b")]);
    }
}
