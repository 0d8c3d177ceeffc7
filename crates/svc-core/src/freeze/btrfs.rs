//! Read-only snapshots of btrfs subvolumes, through its program: an ioctl would take unsafe code.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::tool::Tool;
use super::{FreezeError, has_own_name};
use crate::mounts::{self, Mount};

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
    let list = btrfs.bytes(&[arguments.as_slice(), &[subvolume.as_os_str()]].concat()).await?;
    let below = subvolume.strip_prefix(&mount.point).unwrap_or(Path::new(""));
    Ok(seen(&list, &mount.root.join(below), subvolume).into_iter().filter(|path| is_top(path)).collect())
}

/// The list names paths from the top of the file system; here they are where the subvolume is seen.
fn seen(list: &[u8], whole: &Path, subvolume: &Path) -> Vec<PathBuf> {
    let whole = whole.strip_prefix("/").unwrap_or(whole);
    let path = |path: Vec<u8>| {
        let below = Path::new(OsStr::from_bytes(&path)).strip_prefix(whole).ok()?;
        Some(subvolume.join(below))
    };
    names(list).into_iter().filter_map(path).collect()
}

/// `ID 258 gen 12 top level 257 path a/b`, in whatever bytes; a name may go on in the next line.
fn names(list: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for line in list.strip_suffix(b"\n").unwrap_or(list).split(|&byte| byte == b'\n') {
        match (entry(line), names.last_mut()) {
            (Some(name), _) => names.push(name.to_vec()),
            (None, Some(name)) => {
                name.push(b'\n');
                name.extend(line);
            }
            (None, None) => {}
        }
    }
    names
}

fn entry(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for word in ["ID ", " gen ", " top level "] {
        rest = rest.strip_prefix(word.as_bytes())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = rest.get(digits..).filter(|_| digits > 0)?;
    }
    rest.strip_prefix(b" path ")
}

/// A subvolume below these parts that is none of them: a snapshot holds it as an empty directory.
pub(super) async fn left_out(
    btrfs: &Tool,
    subvolume: &Path,
    parts: &[PathBuf],
) -> Result<Option<PathBuf>, FreezeError> {
    let table = mounts::table();
    let Some(mount) = mounts::of(&table, subvolume) else { return Ok(None) };
    let is_left_out = |nested: &PathBuf| {
        let is_below = parts.iter().any(|part| nested.starts_with(part));
        is_below && !parts.contains(nested) && !nested.ancestors().any(has_own_name)
    };
    Ok(nested(btrfs, subvolume, mount).await?.into_iter().find(is_left_out))
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
            b"ID 258 gen 12 top level 257 path @data/music/new  one\nID 259 gen 3 top level 5 path other\n";
        let found = seen(list, Path::new("/@data"), Path::new("/mnt/data"));
        assert_eq!(found, [PathBuf::from("/mnt/data/music/new  one")]);
        let found = seen(b"ID 258 gen 12 top level 5 path a/b\n", Path::new("/"), Path::new("/mnt"));
        assert_eq!(found, [PathBuf::from("/mnt/a/b")]);
    }

    #[test]
    fn a_subvolume_may_have_any_name_that_the_kernel_takes() {
        let list = b"ID 258 gen 1 top level 5 path two\nlines\n\nID 259 gen 1 top level 5 path \xff path \n";
        let found = seen(list, Path::new("/"), Path::new("/mnt"));
        let bytes: Vec<&[u8]> = found.iter().map(|path| path.as_os_str().as_bytes()).collect();
        assert_eq!(bytes, [b"/mnt/two\nlines\n".as_slice(), b"/mnt/\xff path "]);
    }
}
