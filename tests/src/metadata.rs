//! All that a backup has to keep of a tree, as a value that can be compared, hashed and shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::Path,
};

use anyhow::{Context as _, Result};
use rustix::{fs as posix, io::Errno};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::place::hex;

/// Files below this size are never called sparse: file systems round, and keep small ones in other ways.
const SPARSE_FROM: u64 = 1 << 20;

/// A tree, or a single file: its top under the empty name, and all below it by their names relative to that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// Names are bytes, as the kernel has them.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

/// One file, directory, link or special file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is, with its content.
    pub kind: Kind,
    /// Permission bits, with set-id and sticky ones.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of the content: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// Extended attributes; access control lists are those named `system.posix_acl_…`.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first of several names in this tree that are the same file; `None` for a file of one name.
    pub linked_with: Option<Vec<u8>>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File {
        /// Length in bytes, holes included.
        size: u64,
        /// Whether most of a big file is holes.
        sparse: bool,
        /// SHA-256 of the content.
        digest: [u8; 32],
    },
    /// A directory.
    Directory,
    /// A symbolic link with its target, not followed.
    Symlink(Vec<u8>),
    /// A device, FIFO or socket: its type bits and device number.
    Special(u32, u64),
}

/// Hashes a tree by everything in [`Tree`], as 64 hex digits.
pub fn metadata_hash(path: &Path) -> Result<String> {
    Ok(Tree::read(path)?.hash())
}

impl Tree {
    /// Reads a tree or a single file; the top itself is one of the entries.
    pub fn read(top: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let mut inodes = BTreeMap::<(u64, u64), Vec<Vec<u8>>>::new();
        for found in WalkDir::new(top) {
            let found = found?;
            let path = found.path();
            let name = path.strip_prefix(top)?.as_os_str().as_bytes().to_vec();
            let metadata = found.metadata()?;
            let entry =
                Entry::read(path, &metadata).with_context(|| format!("cannot read `{}`", path.display()))?;
            if metadata.nlink() > 1 && !metadata.is_dir() {
                inodes.entry((metadata.dev(), metadata.ino())).or_default().push(name.clone());
            }
            tree.entries.insert(name, entry);
        }
        for names in inodes.into_values() {
            tree.link(names);
        }
        Ok(tree)
    }

    /// Notes that all these names are one file.
    pub(crate) fn link(&mut self, mut names: Vec<Vec<u8>>) {
        names.sort();
        // A second name outside of the tree makes no structure inside it.
        if let [first, _, ..] = &names[..] {
            for name in &names {
                if let Some(entry) = self.entries.get_mut(name) {
                    entry.linked_with = Some(first.clone());
                }
            }
        }
    }

    /// Hashes it, as 64 hex digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for line in self.lines() {
            hasher.update(line);
            hasher.update("\n");
        }
        hex(&hasher.finalize())
    }

    /// What differs, a line for each entry and side: `-` is this tree's, `+` the other's.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.lines(), other.lines());
        let gone = ours.difference(&theirs).map(|line| format!("- {line}"));
        let new = theirs.difference(&ours).map(|line| format!("+ {line}"));
        let mut lines: Vec<String> = gone.chain(new).collect();
        lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
        lines
    }

    fn lines(&self) -> BTreeSet<String> {
        self.entries.iter().map(|(name, entry)| format!("{} {}", name.escape_ascii(), entry.line())).collect()
    }
}

impl Entry {
    fn read(path: &Path, metadata: &Metadata) -> Result<Self> {
        Ok(Self {
            kind: Kind::read(path, metadata)?,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            attributes: attributes(path)?,
            linked_with: None,
        })
    }

    fn line(&self) -> String {
        let (seconds, nanoseconds) = self.modified;
        let mut line = format!("{:04o} {}:{} {seconds}.{nanoseconds:09}", self.mode, self.uid, self.gid);
        // Writing to a string cannot fail.
        let _ = match &self.kind {
            Kind::File { size, sparse, digest } => {
                write!(line, " file {size}{} {}", if *sparse { " sparse" } else { "" }, hex(digest))
            }
            Kind::Directory => write!(line, " directory"),
            Kind::Symlink(target) => write!(line, " -> {}", target.escape_ascii()),
            Kind::Special(kind, device) => write!(line, " special {kind:o} {device:x}"),
        };
        for (name, value) in &self.attributes {
            let _ = write!(line, " {}={}", name.escape_ascii(), hex(value));
        }
        if let Some(first) = &self.linked_with {
            let _ = write!(line, " linked with {}", first.escape_ascii());
        }
        line
    }
}

impl Kind {
    fn read(path: &Path, metadata: &Metadata) -> Result<Self> {
        let kind = metadata.file_type();
        if kind.is_dir() {
            return Ok(Self::Directory);
        }
        if kind.is_symlink() {
            return Ok(Self::Symlink(fs::read_link(path)?.into_os_string().into_vec()));
        }
        if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            return Ok(Self::Special(metadata.mode() & 0o170_000, metadata.rdev()));
        }
        let (size, on_disk) = (metadata.len(), metadata.blocks() * 512);
        Ok(Self::File { size, sparse: size >= SPARSE_FROM && on_disk < size / 2, digest: digest(path)? })
    }
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(&buffer[..length]),
        }
    }
}

/// All extended attributes, of the link itself where it is one.
///
/// XFS shows root each access list a second time, in its own format under `trusted.SGI_ACL_…`; those are left out.
fn attributes(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = vec![0; 1 << 16];
    let length = match posix::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut found = BTreeMap::new();
    let names = names[..length].split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty() && !name.starts_with(b"trusted.SGI_ACL_")) {
        let mut value = vec![0; 1 << 16];
        let length = posix::lgetxattr(path, name, &mut value[..])?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}
