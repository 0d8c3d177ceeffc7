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
use super::traces::{hidden, hides_a_change};
use super::{FreezeError, Traces, Wanted, has_own_name};
use crate::mounts;

/// 50–70 µs a file: what takes longer than this was never worth it, and the service is down meanwhile.
const LONGEST: Duration = Duration::from_mins(5);

/// Copies a tree or a file, with everything that restic would save of it. Other parts of the plan come empty, for they
/// are put over that; a mount or subvolume that is none of them is an error.
pub(super) fn copy(wanted: &Wanted<'_>, cancel: &CancellationToken) -> Result<Traces, FreezeError> {
    let mut copier = Copier::new(wanted, cancel)?;
    let root = copier.root;
    // The copy itself may lie below what is copied, as may those that other services need at this moment.
    let is_data = |entry: &DirEntry| entry.depth() == 0 || !has_own_name(entry.path());
    let mut walk = WalkDir::new(root).into_iter().filter_entry(is_data);
    while let Some(entry) = walk.next() {
        copier.heed()?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if copier.is_vanished(error.path()) => continue,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_path_buf();
                let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::InvalidData.into());
                return Err(failed(&path)(source));
            }
        };
        if copier.one(&entry)? == Below::Left && entry.file_type().is_dir() {
            walk.skip_current_dir();
        }
    }
    copier.finish_directories()?;
    Ok(copier.traces)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FreezeError {
    move |source| FreezeError::File { path: path.to_path_buf(), doing: "copied", source }
}

/// What is to become of what lies below something.
#[derive(PartialEq, Eq)]
enum Below {
    /// It is copied, too.
    Copied,
    /// It is left where it is.
    Left,
}

struct Copier<'a> {
    root: &'a Path,
    device: u64,
    wanted: &'a Wanted<'a>,
    began: Instant,
    cancel: &'a CancellationToken,
    /// The copy of each file that has several names.
    linked: HashMap<u64, PathBuf>,
    /// Original and copy: times and attributes of these are set last.
    directories: Vec<(PathBuf, PathBuf, Metadata)>,
    buffer: Buffer,
    traces: Traces,
    /// The root is the top of a mount.
    is_top: bool,
}

impl<'a> Copier<'a> {
    fn new(wanted: &'a Wanted<'a>, cancel: &'a CancellationToken) -> Result<Self, FreezeError> {
        let root = wanted.copy.from.as_path();
        let device = fs::symlink_metadata(root).map_err(failed(root))?.dev();
        Ok(Self {
            root,
            device,
            wanted,
            began: Instant::now(),
            cancel,
            linked: HashMap::new(),
            directories: Vec::new(),
            buffer: Buffer::default(),
            traces: if wanted.since.is_some() { Traces::Plain } else { Traces::Unknown },
            is_top: mounts::is_mount_point(root),
        })
    }

    fn heed(&self) -> Result<(), FreezeError> {
        if self.cancel.is_cancelled() {
            return Err(FreezeError::Cancelled);
        }
        if self.began.elapsed() > LONGEST {
            return Err(FreezeError::Deadline { path: self.root.to_path_buf(), seconds: LONGEST.as_secs() });
        }
        Ok(())
    }

    /// What others removed while the tree was read is no data of the service's any more.
    fn is_vanished(&self, path: Option<&Path>) -> bool {
        let gone = |path: &Path| {
            fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        path.is_some_and(|path| path != self.root && gone(path))
    }

    fn one(&mut self, entry: &DirEntry) -> Result<Below, FreezeError> {
        let from = entry.path();
        let below = from.strip_prefix(self.root).unwrap_or(from);
        let target = &self.wanted.copy.to;
        // Joining nothing would add a slash, and a file has none.
        let to = if below.as_os_str().is_empty() { target.clone() } else { target.join(below) };
        let copied = fs::symlink_metadata(from).map_err(failed(from)).and_then(|metadata| {
            let is_part = entry.depth() > 0 && self.wanted.parts.iter().any(|part| part == from);
            if metadata.dev() != self.device && !is_part {
                return Err(FreezeError::Unplanned { path: from.to_path_buf() });
            }
            let made = if is_part { place_of_part(&metadata, &to) } else { self.write(from, metadata, &to) };
            made.map_err(failed(from))?;
            Ok(if is_part { Below::Left } else { Below::Copied })
        });
        match copied {
            Err(FreezeError::File { .. }) if self.is_vanished(Some(from)) => {
                self.linked.retain(|_, first| *first != to);
                remove(&to).map(|()| Below::Left)
            }
            other => other,
        }
    }

    /// Whether what is copied tells of each change.
    fn look(&mut self, from: &Path, metadata: &Metadata) {
        let is_asked = self.traces == Traces::Plain && !(self.is_top && from == self.root);
        if let Some(since) = self.wanted.since.filter(|_| is_asked)
            && hides_a_change(metadata, since)
        {
            self.traces = Traces::Hidden(hidden(from));
        }
    }

    fn write(&mut self, from: &Path, metadata: Metadata, to: &Path) -> io::Result<()> {
        self.look(from, &metadata);
        if metadata.is_dir() {
            fs::create_dir(to)?;
            attributes::copy_owner(&metadata, to)?;
            self.directories.push((from.to_path_buf(), to.to_path_buf(), metadata));
            return Ok(());
        }
        if metadata.nlink() > 1 {
            if let Some(first) = self.linked.get(&metadata.ino()) {
                return fs::hard_link(first, to);
            }
            self.linked.insert(metadata.ino(), to.to_path_buf());
        }
        content(from, &metadata, to)?;
        attributes::copy(from, &metadata, to, &mut self.buffer)?;
        attributes::copy_times(&metadata, to)
    }

    /// The deepest first: their access lists and times are those of before.
    fn finish_directories(&mut self) -> Result<(), FreezeError> {
        for (from, to, metadata) in std::mem::take(&mut self.directories).iter().rev() {
            match self.buffer.copy_extended(from, to) {
                Err(_) if self.is_vanished(Some(from)) => {}
                other => other.map_err(failed(from))?,
            }
            attributes::copy_times(metadata, to).map_err(failed(from))?;
        }
        Ok(())
    }
}

/// Where another part is put.
fn place_of_part(metadata: &Metadata, to: &Path) -> io::Result<()> {
    if metadata.is_dir() { fs::create_dir(to) } else { File::create_new(to).map(drop) }
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
    use super::super::FrozenCopy;
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
        let own = FrozenCopy { how, from, to: to.clone() };
        copy(&Wanted { copy: &own, parts: &[], since: None }, &CancellationToken::new()).unwrap();
        assert!(to.join("deep").is_dir());
        assert_eq!(fs::read_dir(to.join("deep")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
        remove(&to).unwrap();
        remove(&to).unwrap();
        assert!(!to.exists());
    }

    #[test]
    fn what_vanishes_while_it_is_copied_is_left_out() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let (from, to) = (memory.path().join("from"), memory.path().join("to"));
        fs::create_dir_all(from.join("deep/deeper")).unwrap();
        fs::create_dir(&to).unwrap();
        let own = FrozenCopy { how: super::super::How::Reflink, from: from.clone(), to: to.clone() };
        let (wanted, cancel) = (Wanted { copy: &own, parts: &[], since: None }, CancellationToken::new());
        let mut copier = Copier::new(&wanted, &cancel).unwrap();
        let seen: Vec<DirEntry> = WalkDir::new(&from).min_depth(1).into_iter().flatten().collect();
        fs::remove_dir_all(from.join("deep/deeper")).unwrap();
        for entry in &seen {
            copier.one(entry).unwrap();
        }
        fs::remove_dir_all(from.join("deep")).unwrap();
        copier.finish_directories().unwrap();
        assert!(to.join("deep").is_dir() && !to.join("deep/deeper").exists());
        // The source itself has to be there.
        fs::remove_dir(&from).unwrap();
        assert!(copy(&wanted, &cancel).is_err());
    }
}
