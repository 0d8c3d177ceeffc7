//! The files of a fake snapshot.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::freeze::{Bind, FROZEN_PREFIX};
use crate::restic::Counts;

/// Files by absolute path, and directories, which have no content.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    entries: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Tree {
    /// Adds a directory and files at paths relative to it; absolute ones stay as they are.
    pub(super) fn add(&mut self, directory: &Path, files: Vec<(PathBuf, Vec<u8>)>) {
        self.add_directory(directory);
        for (path, bytes) in files {
            self.add_file(directory.join(path), bytes);
        }
    }

    pub(super) fn add_file(&mut self, path: PathBuf, bytes: Vec<u8>) {
        if let Some(parent) = path.parent() {
            self.add_directory(parent);
        }
        self.entries.insert(path, Some(bytes));
    }

    fn add_directory(&mut self, path: &Path) {
        for directory in path.ancestors() {
            self.entries.entry(directory.to_owned()).or_insert(None);
        }
    }

    pub(super) fn remove_below(&mut self, directory: &Path) {
        self.entries.retain(|path, _| !path.starts_with(directory));
    }

    /// The part at and below these paths.
    pub(super) fn select(&self, roots: &[PathBuf]) -> Self {
        let mut chosen = Self::default();
        for (path, bytes) in self.entries.iter().filter(|(path, _)| roots.iter().any(|r| path.starts_with(r)))
        {
            match bytes {
                Some(bytes) => chosen.add_file(path.clone(), bytes.clone()),
                None => chosen.add_directory(path),
            }
        }
        chosen
    }

    /// The same with what the real file system has at those of the paths that were not declared; frozen copies lie over
    /// the paths that they stand for.
    pub(super) fn with_real(mut self, roots: &[PathBuf], binds: &[Bind]) -> Self {
        let absent: Vec<_> = roots.iter().filter(|root| !self.entries.contains_key(*root)).cloned().collect();
        for root in &absent {
            // Copies lie over the real path, and the declared one may come there through links.
            let there = std::fs::canonicalize(root).unwrap_or_else(|_| root.clone());
            let over = binds.iter().rev().find(|bind| there.starts_with(&bind.to));
            let real = over.map_or_else(|| root.clone(), |bind| moved(&there, &bind.to, &bind.from));
            self.add_real(&real, root);
            for bind in binds.iter().filter(|bind| bind.to != there && bind.to.starts_with(&there)) {
                let seen = moved(&bind.to, &there, root);
                self.remove_below(&seen);
                self.add_real(&bind.from, &seen);
            }
        }
        self
    }

    fn add_real(&mut self, real: &Path, seen: &Path) {
        let is_data = |entry: &walkdir::DirEntry| {
            entry.path() == real || !entry.file_name().to_string_lossy().starts_with(FROZEN_PREFIX)
        };
        for entry in walkdir::WalkDir::new(real).into_iter().filter_entry(is_data).flatten() {
            let path = moved(entry.path(), real, seen);
            if entry.file_type().is_dir() {
                self.add_directory(&path);
            } else if entry.file_type().is_file() {
                self.add_file(path, std::fs::read(entry.path()).unwrap_or_default());
            }
        }
    }

    /// Files and bytes at and below a path; nothing when it is not there.
    pub(super) fn counts(&self, path: &Path) -> Option<Counts> {
        self.entries
            .contains_key(path)
            .then(|| count(self.entries.iter().filter(|(have, _)| have.starts_with(path))))
    }

    pub(super) fn total(&self) -> Counts {
        count(self.entries.iter())
    }

    /// The files that another tree does not have, or has otherwise.
    pub(super) fn changed_since(&self, other: Option<&Self>) -> Counts {
        let same =
            |path: &Path, bytes: &Option<Vec<u8>>| other.is_some_and(|o| o.entries.get(path) == Some(bytes));
        count(self.entries.iter().filter(|(path, bytes)| !same(path, bytes)))
    }

    /// Writes at most this many files below a directory; tells how much that was.
    pub(super) fn write(&self, target: &Path, limit: usize) -> io::Result<Counts> {
        let mut files = 0;
        let mut written = Vec::new();
        for entry in &self.entries {
            let path = target.join(entry.0.strip_prefix("/").unwrap_or(entry.0));
            match entry.1 {
                None => std::fs::create_dir_all(path)?,
                Some(bytes) if files < limit => {
                    std::fs::write(path, bytes)?;
                    files += 1;
                    written.push(entry);
                }
                Some(_) => {}
            }
        }
        Ok(count(written.into_iter()))
    }
}

fn moved(path: &Path, from: &Path, to: &Path) -> PathBuf {
    match path.strip_prefix(from) {
        Ok(below) if !below.as_os_str().is_empty() => to.join(below),
        _ => to.to_owned(),
    }
}

fn count<'a>(entries: impl Iterator<Item = (&'a PathBuf, &'a Option<Vec<u8>>)>) -> Counts {
    entries.filter_map(|(_, bytes)| bytes.as_ref()).fold(Counts::default(), |sum, bytes| Counts {
        files: sum.files + 1,
        bytes: sum.bytes + bytes.len() as u64,
    })
}
