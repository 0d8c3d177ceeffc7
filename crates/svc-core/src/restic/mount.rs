//! Whether the disk of a local repository is there.

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
}
