//! Reflink copies, on XFS and btrfs: file by file, each sharing its blocks with the original.

use std::collections::HashMap;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Dev, FileType as NodeType, Mode, OFlags, mknodat};
use tokio_util::sync::CancellationToken;
use walkdir::{DirEntry, WalkDir};

use super::attributes::{self, Buffer};
use super::{FreezeError, FrozenCopy, has_own_name};

/// 50–70 µs a file: what takes longer than this was never worth it, and the service is down meanwhile.
const LONGEST: Duration = Duration::from_mins(5);

/// Copies a tree or a file, with everything that restic would save of it. What is mounted below is left out, and nested
/// subvolumes come as empty directories: they are parts of their own.
pub(super) fn copy(copy: &FrozenCopy, cancel: &CancellationToken) -> Result<(), FreezeError> {
    let mut copier = Copier {
        root: &copy.from,
        target: &copy.to,
        began: Instant::now(),
        cancel,
        linked: HashMap::new(),
        directories: Vec::new(),
        buffer: Buffer::default(),
    };
    // The copy itself may lie below what is copied, as may those that other services need at this moment.
    let is_data = |entry: &DirEntry| entry.depth() == 0 || !has_own_name(entry.path());
    for entry in WalkDir::new(&copy.from).same_file_system(true).into_iter().filter_entry(is_data) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(&copy.from).to_path_buf();
            failed(&path)(error.into_io_error().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
        })?;
        copier.heed()?;
        copier.one(entry.path()).map_err(failed(entry.path()))?;
    }
    copier
        .directories
        .iter()
        .rev()
        .try_for_each(|(path, metadata)| attributes::copy_times(metadata, path).map_err(failed(path)))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FreezeError {
    move |source| FreezeError::File { path: path.to_path_buf(), doing: "copied", source }
}

struct Copier<'a> {
    root: &'a Path,
    target: &'a Path,
    began: Instant,
    cancel: &'a CancellationToken,
    /// The copy of each file that has several names.
    linked: HashMap<u64, PathBuf>,
    /// Their times are set last.
    directories: Vec<(PathBuf, Metadata)>,
    buffer: Buffer,
}

impl Copier<'_> {
    fn heed(&self) -> Result<(), FreezeError> {
        if self.cancel.is_cancelled() {
            return Err(FreezeError::Cancelled);
        }
        if self.began.elapsed() > LONGEST {
            return Err(FreezeError::Deadline { path: self.root.to_path_buf(), seconds: LONGEST.as_secs() });
        }
        Ok(())
    }

    fn one(&mut self, from: &Path) -> io::Result<()> {
        let below = from.strip_prefix(self.root).unwrap_or(from);
        // Joining nothing would add a slash, and a file has none.
        let to =
            if below.as_os_str().is_empty() { self.target.to_path_buf() } else { self.target.join(below) };
        let metadata = fs::symlink_metadata(from)?;
        if metadata.is_dir() {
            fs::create_dir(&to)?;
            attributes::copy(from, &metadata, &to, &mut self.buffer)?;
            self.directories.push((to, metadata));
            return Ok(());
        }
        if metadata.nlink() > 1 {
            if let Some(first) = self.linked.get(&metadata.ino()) {
                return fs::hard_link(first, &to);
            }
            self.linked.insert(metadata.ino(), to.clone());
        }
        content(from, &metadata, &to)?;
        attributes::copy(from, &metadata, &to, &mut self.buffer)?;
        attributes::copy_times(&metadata, &to)
    }
}

/// Everything but a directory.
fn content(from: &Path, metadata: &Metadata, to: &Path) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        clone(from, metadata.mode(), to)
    } else if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)
    } else {
        let device: Dev = metadata.rdev();
        Ok(mknodat(CWD, to, node(kind), Mode::from_raw_mode(0o600), device)?)
    }
}

fn node(kind: FileType) -> NodeType {
    if kind.is_fifo() {
        NodeType::Fifo
    } else if kind.is_socket() {
        NodeType::Socket
    } else if kind.is_char_device() {
        NodeType::CharacterDevice
    } else {
        NodeType::BlockDevice
    }
}

/// Holes stay holes: the extents are shared as they are. Nobody but root can reach the copy, whatever its mode.
fn clone(from: &Path, mode: u32, to: &Path) -> io::Result<()> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let source = OpenOptions::new().read(true).custom_flags(no_follow).open(from)?;
    let target = OpenOptions::new().write(true).create_new(true).mode(mode & 0o777).open(to)?;
    match rustix::fs::ioctl_ficlone(&target, &source) {
        // On btrfs a file without copy-on-write shares blocks only with one of its kind.
        Err(rustix::io::Errno::INVAL) => {
            let flags = rustix::fs::ioctl_getflags(&source)?;
            rustix::fs::ioctl_setflags(&target, flags & rustix::fs::IFlags::NOCOW)?;
            Ok(rustix::fs::ioctl_ficlone(&target, &source)?)
        }
        other => Ok(other?),
    }
}

/// Whether files in a directory can share blocks. Tried with files that never have a name.
pub(super) fn is_possible(directory: &Path) -> io::Result<()> {
    let unnamed = || {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::open(directory, flags, Mode::from_raw_mode(0o600)).map(File::from)
    };
    Ok(rustix::fs::ioctl_ficlone(unnamed()?, unnamed()?)?)
}

/// Removes a copy and what there is of it.
pub(super) fn remove(copy: &Path) -> Result<(), FreezeError> {
    let removed = match fs::symlink_metadata(copy) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(copy),
        Ok(_) => fs::remove_file(copy),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FreezeError::File { path: copy.to_path_buf(), doing: "removed", source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_share_blocks_is_said_and_leaves_no_trace() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        assert!(is_possible(memory.path()).is_err());
        assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_that_lies_below_what_is_copied_holds_no_copies() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let (from, stage) = (memory.path().to_path_buf(), memory.path().join(".svc-frozen-a"));
        fs::create_dir_all(from.join("deep/.svc-frozen-b/0")).unwrap();
        fs::create_dir(&stage).unwrap();
        let to = stage.join("0");
        let how = super::super::How::Reflink;
        copy(&FrozenCopy { how, from, to: to.clone() }, &CancellationToken::new()).unwrap();
        assert!(to.join("deep").is_dir());
        assert_eq!(fs::read_dir(to.join("deep")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
        remove(&to).unwrap();
        remove(&to).unwrap();
        assert!(!to.exists());
    }
}
