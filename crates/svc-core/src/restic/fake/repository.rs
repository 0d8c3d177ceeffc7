//! A repository of the fake restic.

use std::path::PathBuf;

use jiff::Timestamp;

use super::fault::failed;
use super::tree::Tree;
use crate::names::{RepositoryName, SnapshotId};
use crate::restic::{BackupRequest, BackupSummary, Lock, ResticError, ResticFailure, Snapshot, Verb};

/// A repository in memory.
#[derive(Debug, Clone)]
pub struct FakeRepository {
    /// Its id; nothing: it was never made.
    pub id: Option<String>,
    /// What every access to it ends with: wrong password, unreachable, locked …
    pub closed: Option<ResticFailure>,
    /// The locks in it.
    pub locks: Vec<Lock>,
    /// Processes in its locks that do not live any more.
    pub dead: Vec<u32>,
    /// The part of twelve that holds a damaged pack; 0: a pack is gone, which every check sees.
    pub damaged: Option<u32>,
    pub(super) snapshots: Vec<(Snapshot, Tree)>,
    /// How many backups are under way: nothing that needs it alone can be done meanwhile.
    pub(super) at_work: usize,
    made: u64,
}

impl FakeRepository {
    /// An empty one with this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::absent() }
    }

    /// A place where none was made yet.
    #[must_use]
    pub const fn absent() -> Self {
        Self {
            id: None,
            closed: None,
            locks: Vec::new(),
            dead: Vec::new(),
            damaged: None,
            snapshots: Vec::new(),
            at_work: 0,
            made: 0,
        }
    }

    /// The same, but every access ends like this.
    #[must_use]
    pub fn closed(mut self, how: ResticFailure) -> Self {
        self.closed = Some(how);
        self
    }

    /// The same with a snapshot of these sources that holds these files.
    #[must_use]
    pub fn snapshot(
        mut self,
        time: Timestamp,
        host: &str,
        tags: &[&str],
        sources: &[PathBuf],
        files: Vec<(PathBuf, Vec<u8>)>,
    ) -> Self {
        let mut tree = Tree::default();
        for source in sources {
            tree.add(source, Vec::new());
        }
        for (path, bytes) in files {
            tree.add_file(path, bytes);
        }
        let tags = tags.iter().map(ToString::to_string).collect();
        let request = BackupRequest {
            sources: sources.to_vec(),
            tags,
            host: host.to_owned(),
            ..BackupRequest::default()
        };
        self.save(&request, tree, time);
        self
    }

    /// Its snapshots, oldest first.
    pub(super) fn list(&self) -> Vec<Snapshot> {
        let mut list: Vec<_> = self.snapshots.iter().map(|(snapshot, _)| snapshot.clone()).collect();
        list.sort_by_key(|snapshot| (snapshot.time, snapshot.id.clone()));
        list
    }

    pub(super) fn tree(&self, id: &SnapshotId) -> Option<&Tree> {
        self.snapshots.iter().find(|(snapshot, _)| snapshot.id == *id).map(|(_, tree)| tree)
    }

    /// Whether it lets anyone in.
    pub(super) fn check(&self, verb: Verb, name: &RepositoryName) -> Result<(), ResticError> {
        match (self.closed, &self.id) {
            (Some(how), _) => Err(failed(verb, name.as_str(), how)),
            (None, None) => Err(failed(verb, name.as_str(), ResticFailure::NoRepository)),
            (None, Some(_)) => Ok(()),
        }
    }

    pub(super) fn save(&mut self, request: &BackupRequest, tree: Tree, time: Timestamp) -> BackupSummary {
        self.made += 1;
        let id = fake_id(self.id.as_deref().unwrap_or_default(), self.made);
        let parent = request.parent.as_ref().and_then(|parent| self.tree(parent)).or_else(|| {
            let like =
                |have: &&(Snapshot, Tree)| have.0.host == request.host && have.0.paths == request.sources;
            self.snapshots.iter().filter(like).max_by_key(|(snapshot, _)| snapshot.time).map(|(_, tree)| tree)
        });
        let changed = tree.changed_since(parent);
        let counts = tree.total();
        let snapshot = Snapshot {
            id: id.clone(),
            time,
            host: request.host.clone(),
            tags: request.tags.clone(),
            paths: request.sources.clone(),
            counts: Some(counts),
            offset: jiff::tz::Offset::UTC,
        };
        self.snapshots.push((snapshot, tree));
        BackupSummary {
            snapshot: id,
            counts,
            added: changed.bytes,
            changed_files: changed.files,
            unreadable: Vec::new(),
            partial: false,
        }
    }
}

/// An id that differs between repositories and between snapshots, in its first eight digits too.
fn fake_id(repository: &str, number: u64) -> SnapshotId {
    // FNV-1a: spreads, and is the same in every run.
    let hash = |seed: u64, text: &str| {
        text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let text = format!("{repository}/{number}");
    let half = hash(0xcbf2_9ce4_8422_2325, &text);
    let id = format!("{half:016x}{:016x}{half:016x}{number:016x}", hash(half, &text));
    id.parse().unwrap_or_else(|_| fake_id("", number))
}
