//! What belongs to a file besides its content: owner, mode, times, extended attributes with ACLs among them.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

/// An attribute, or the list of their names, is at most this long.
const LONGEST: usize = 65_536;

/// Bits that chown clears.
const LOST_BITS: u32 = 0o6000;

/// Gives a copy all of it but the times.
pub(super) fn copy(from: &Path, metadata: &Metadata, to: &Path, buffer: &mut Buffer) -> io::Result<()> {
    copy_owner(metadata, to)?;
    buffer.copy_extended(from, to)
}

/// Takes away the access lists that a new directory inherited, so that it hands none down.
pub(super) fn drop_access_lists(directory: &Path) {
    for list in ["system.posix_acl_default", "system.posix_acl_access"] {
        // Most have none, and many file systems know none.
        let _ = rustix::fs::lremovexattr(directory, list);
    }
}

/// Gives a copy owner and mode. The mode comes after the owner, for chown clears bits of it, and the attributes
/// last, for chown clears capabilities and chmod changes ACLs; those of a directory when all in it is there, for it hands
/// its ACLs down. What is right already is left alone: each change is one in
/// the file system's journal, and the service is down meanwhile.
pub(super) fn copy_owner(metadata: &Metadata, to: &Path) -> io::Result<()> {
    let made = fs::symlink_metadata(to)?;
    let is_owned = (made.uid(), made.gid()) == (metadata.uid(), metadata.gid());
    if !is_owned {
        let (owner, group) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
        rustix::fs::chownat(CWD, to, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    let is_lost = !is_owned && metadata.mode() & LOST_BITS != 0;
    if !metadata.is_symlink() && (is_lost || made.mode() != metadata.mode()) {
        rustix::fs::chmodat(CWD, to, Mode::from_raw_mode(metadata.mode()), AtFlags::empty())?;
    }
    Ok(())
}

/// Gives a copy the times; of a directory when all in it is there.
pub(super) fn copy_times(metadata: &Metadata, to: &Path) -> io::Result<()> {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec()),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec()),
    };
    Ok(rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Room for attributes, made once for many files.
#[derive(Debug)]
pub(super) struct Buffer {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { names: vec![0; LONGEST], value: vec![0; LONGEST] }
    }
}

impl Buffer {
    /// Gives a copy the extended attributes.
    pub(super) fn copy_extended(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let length = match rustix::fs::llistxattr(from, self.names.as_mut_slice()) {
            Err(Errno::OPNOTSUPP) => 0,
            other => other?,
        };
        let names = self.names.get(..length).unwrap_or_default().split(|&byte| byte == 0);
        for name in names.filter(|name| !name.is_empty()).map(OsStr::from_bytes) {
            let length = rustix::fs::lgetxattr(from, name, self.value.as_mut_slice())?;
            let value = self.value.get(..length).unwrap_or_default();
            rustix::fs::lsetxattr(to, name, value, XattrFlags::empty())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_mode_is_that_of_the_original_whatever_it_was_made_with() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        for file in [&from, &to] {
            fs::write(file, "").unwrap();
        }
        for made in [0o600, 0o644, 0o4755] {
            for wanted in [0o400, 0o644, 0o4711] {
                fs::set_permissions(&to, fs::Permissions::from_mode(made)).unwrap();
                fs::set_permissions(&from, fs::Permissions::from_mode(wanted)).unwrap();
                copy(&from, &fs::metadata(&from).unwrap(), &to, &mut Buffer::default()).unwrap();
                assert_eq!(fs::metadata(&to).unwrap().mode() & 0o7777, wanted, "made with {made:o}");
            }
        }
    }

    #[test]
    fn bits_that_a_change_of_the_owner_clears_are_set_again() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        for file in [&from, &to] {
            fs::write(file, "").unwrap();
        }
        std::os::unix::fs::chown(&from, Some(1000), Some(1001)).unwrap();
        for file in [&from, &to] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o6755)).unwrap();
        }
        copy(&from, &fs::metadata(&from).unwrap(), &to, &mut Buffer::default()).unwrap();
        let copied = fs::metadata(&to).unwrap();
        assert_eq!((copied.uid(), copied.gid(), copied.mode() & 0o7777), (1000, 1001, 0o6755));
    }
}
