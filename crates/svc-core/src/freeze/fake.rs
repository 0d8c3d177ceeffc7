//! File systems of a test: which parts can be frozen is declared, copies are plain ones.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Bind, FreezeError, Freezer, FrozenCopy, Ground, How, Means, Part, Traces, Wanted, has_own_name, is_own,
};
use crate::restic::Counts;

/// File systems of a test. Nothing can be frozen until it is declared.
#[derive(Debug, Default)]
pub struct FakeFreezer(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By the part's path.
    parts: BTreeMap<PathBuf, Part>,
    mounted: Vec<PathBuf>,
    calls: Vec<String>,
    fails: bool,
    /// In reflink copies, and in snapshots.
    hides: [bool; 2],
    looked_at: Vec<PathBuf>,
    left_out: Option<PathBuf>,
}

impl FakeFreezer {
    /// Below this directory everything is one subvolume, whose snapshots lie in `place`.
    pub fn btrfs(&self, from: &Path, place: &Path) {
        let means = Means { how: How::Btrfs, from: from.to_path_buf(), place: place.to_path_buf() };
        self.part(from, Ok(means), 1);
    }

    /// This directory can be copied by reflinks, and has so many files.
    pub fn reflink(&self, from: &Path, place: &Path, files: u64) {
        let means = Means { how: How::Reflink, from: from.to_path_buf(), place: place.to_path_buf() };
        self.part(from, Ok(means), files);
    }

    /// A part of whatever kind.
    pub fn part(&self, path: &Path, means: Result<Means, String>, files: u64) {
        let size = Some(Counts { files, bytes: 0 });
        let part = Part { path: path.to_path_buf(), means, size };
        self.state().parts.insert(part.path.clone(), part);
    }

    /// From now on something is mounted there.
    pub fn mount(&self, path: &Path) {
        self.state().mounted.push(path.to_path_buf());
    }

    /// From now on each copy lacks what lies there.
    pub fn leave_out(&self, path: &Path) {
        self.state().left_out = Some(path.to_path_buf());
    }

    /// From now on nothing can be frozen after all.
    pub fn fail(&self) {
        self.state().fails = true;
    }

    /// From now on files of reflink copies may have changed and look as before.
    pub fn hide_changes(&self) {
        self.state().hides[0] = true;
    }

    /// The same of files in snapshots.
    pub fn hide_changes_in_snapshots(&self) {
        self.state().hides[1] = true;
    }

    /// The places beside reflink copies whose times were looked at so far.
    #[must_use]
    pub fn looked_at(&self) -> Vec<PathBuf> {
        self.state().looked_at.clone()
    }

    /// Every call so far that changed something.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Freezer for FakeFreezer {
    async fn look(&self, ground: &Ground) -> Vec<Part> {
        let state = self.state();
        let own = state.parts.values().rev().find(|part| ground.path.starts_with(&part.path));
        let path = ground.path.clone();
        let whole = match own {
            None => {
                Part { path, means: Err("ext4 cannot be frozen".to_owned()), size: Some(Counts::default()) }
            }
            Some(part) => {
                let of_path = |means: Means| match means.how {
                    How::Reflink => Means { from: path.clone(), ..means },
                    How::Btrfs | How::Zfs(_) | How::ZfsClone(_) => means,
                };
                Part { means: part.means.clone().map(of_path), size: part.size, path: path.clone() }
            }
        };
        let below = |part: &&Part| part.path != ground.path && part.path.starts_with(&ground.path);
        std::iter::once(whole).chain(state.parts.values().filter(below).cloned()).collect()
    }

    async fn sync(&self, _: &[PathBuf]) -> Result<(), FreezeError> {
        self.state().calls.push("sync".to_owned());
        Ok(())
    }

    async fn freeze(&self, wanted: &Wanted<'_>, _: &CancellationToken) -> Result<Traces, FreezeError> {
        let copy = wanted.copy;
        self.state().calls.push(format!("freeze {}", copy.from.display()));
        if self.state().fails {
            return Err(FreezeError::Program { program: "fake", said: "it may not".to_owned() });
        }
        plain_copy(&copy.from, &copy.to).map_err(|source| failed(copy, source))?;
        let is_hidden = self.state().hides[0];
        Ok(if copy.how == How::Reflink { traces(wanted.since, is_hidden) } else { Traces::Plain })
    }

    async fn left_out(&self, _: &Wanted<'_>) -> Result<Option<PathBuf>, FreezeError> {
        Ok(self.state().left_out.clone())
    }

    async fn traces(&self, binds: &[Bind], since: Option<Timestamp>, _: &CancellationToken) -> Traces {
        self.state().looked_at.extend(binds.iter().map(|bind| bind.to.clone()));
        traces(since, self.state().hides[1])
    }

    async fn remove(&self, copy: &FrozenCopy) -> Result<(), FreezeError> {
        if !is_own(copy) {
            return Err(FreezeError::Foreign { path: copy.to.clone() });
        }
        self.state().calls.push(format!("remove {}", copy.to.display()));
        match std::fs::remove_dir_all(&copy.to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(copy, error)),
            _ => {}
        }
        if let Some(directory) = copy.to.parent() {
            let _ = std::fs::remove_dir(directory);
        }
        Ok(())
    }

    async fn mounts_below(&self, path: &Path) -> Vec<PathBuf> {
        let state = self.state();
        state.mounted.iter().filter(|mount| *mount != path && mount.starts_with(path)).cloned().collect()
    }
}

fn traces(since: Option<Timestamp>, hides: bool) -> Traces {
    match since {
        None => Traces::Unknown,
        Some(_) if hides => Traces::Hidden("the fake hides a change".to_owned()),
        Some(_) => Traces::Plain,
    }
}

fn failed(copy: &FrozenCopy, source: io::Error) -> FreezeError {
    FreezeError::File { path: copy.to.clone(), doing: "copied", source }
}

/// Copies that lie below what is copied are left out, as a snapshot leaves out the snapshots in it.
fn plain_copy(from: &Path, to: &Path) -> io::Result<()> {
    let is_copy = |entry: &walkdir::DirEntry| has_own_name(entry.path()) || entry.path().starts_with(to);
    for entry in walkdir::WalkDir::new(from).into_iter().filter_entry(|entry| !is_copy(entry)) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
