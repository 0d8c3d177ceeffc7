//! Whether the disk of a local repository is there, and has room.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, Statx, StatxAttributes, StatxFlags, statx};

/// Whether a directory is a mount point. One that does not exist, or whose disk does not answer, is none.
pub(super) fn is_mount_point(directory: &Path) -> bool {
    // `/.` goes through the directory, so that an automount behind it is mounted now and not looked at from outside.
    let look = |path: &str| statx(CWD, directory.join(path), AtFlags::empty(), StatxFlags::BASIC_STATS);
    let Ok(found) = look(".") else { return false };
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    // Before Linux 5.8 nothing is said, and a bind mount of the same file system cannot be told.
    let device = |found: &Statx| (found.stx_dev_major, found.stx_dev_minor);
    look("..").is_ok_and(|parent| device(&found) != device(&parent) || found.stx_ino == parent.stx_ino)
}

/// How many bytes can still be written there; nothing: that is not known.
pub(super) fn room(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    // Root may use what is reserved for it.
    let blocks = if rustix::process::geteuid().is_root() { disk.f_bfree } else { disk.f_bavail };
    Some(blocks.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_told_from_a_directory_and_from_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_mount_point(Path::new("/proc")));
        assert!(is_mount_point(Path::new("/")));
        assert!(!is_mount_point(directory.path()));
        assert!(!is_mount_point(&directory.path().join("gone")));
    }

    #[test]
    fn how_much_room_there_is_is_known_where_there_is_a_disk() {
        let directory = tempfile::tempdir().unwrap();
        assert!(room(directory.path()).is_some_and(|room| room > 0));
        assert_eq!(room(&directory.path().join("gone")), None);
        assert_eq!(room(Path::new("/proc")), Some(0));
    }
}
