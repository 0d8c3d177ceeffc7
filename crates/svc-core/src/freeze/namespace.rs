//! A mount namespace of one's own, in which frozen copies lie over the original paths.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::mount::{MountFlags, MountPropagationFlags, mount_bind, mount_change, mount_remount};

use super::{Bind, top_of_copy};

/// A copy could not be put over the original path.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be {doing}", path.display())]
pub struct NamespaceError {
    /// Which path.
    pub path: PathBuf,
    doing: &'static str,
    #[source]
    source: io::Error,
}

/// Leaves the mounts of the machine, and puts each copy over its original path, read-only. Only this thread, and what it
/// becomes, sees that.
///
/// # Errors
/// The first path that could not be.
pub fn enter(binds: &[Bind]) -> Result<(), NamespaceError> {
    let root = || PathBuf::from("/");
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| failed(root(), "left", error))?;
    // What is unmounted outside goes away here too: else a disk would stay busy for as long as restic runs.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).map_err(|error| failed(root(), "set apart", error))?;
    // All are opened before the first is covered: a copy may lie below the path that another one covers.
    let copies: Vec<(OwnedFd, &Bind)> = binds.iter().map(open).collect::<Result<_, _>>()?;
    copies.iter().try_for_each(|(copy, bind)| cover(copy, bind))
}

fn open(bind: &Bind) -> Result<(OwnedFd, &Bind), NamespaceError> {
    let opened = open_copy(&bind.from);
    opened.map(|copy| (copy, bind)).map_err(|error| failed(bind.from.clone(), "opened", error))
}

/// A symbolic link in a copy would lead out of it, to the data that goes on changing.
fn open_copy(from: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match top_of_copy(from).and_then(|top| Some((top, from.strip_prefix(top).ok()?))) {
        Some((top, below)) if !below.as_os_str().is_empty() => {
            let top = openat(CWD, top, OFlags::RDONLY | OFlags::DIRECTORY | flags, Mode::empty())?;
            let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            openat2(top, below, OFlags::PATH | flags, Mode::empty(), inside)
        }
        _ => openat(CWD, from, OFlags::PATH | flags, Mode::empty()),
    }
}

fn cover(copy: &OwnedFd, bind: &Bind) -> Result<(), NamespaceError> {
    let of_fd = format!("/proc/self/fd/{}", copy.as_raw_fd());
    mount_bind(of_fd, &bind.to).map_err(|error| failed(bind.to.clone(), "covered", error))?;
    mount_remount(&bind.to, MountFlags::BIND | MountFlags::RDONLY, "")
        .map_err(|error| failed(bind.to.clone(), "made read-only", error))
}

fn failed(path: PathBuf, doing: &'static str, source: impl Into<io::Error>) -> NamespaceError {
    NamespaceError { path, doing, source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_copy_is_never_left_through_a_link_in_it() {
        let root = tempfile::tempdir().unwrap();
        let copy = root.path().join(".svc-frozen-a/0");
        for directory in [root.path().join("live/app"), copy.join("real/app")] {
            std::fs::create_dir_all(directory).unwrap();
        }
        symlink(root.path().join("live"), copy.join("link")).unwrap();
        assert!(open_copy(&copy.join("real/app")).is_ok());
        assert!(open_copy(&copy).is_ok());
        assert_eq!(open_copy(&copy.join("link/app")).unwrap_err(), Errno::LOOP);
    }
}
