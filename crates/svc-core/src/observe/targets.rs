//! Where a restore goes: the live paths, what the snapshot holds for them, and where it can be staged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::place::{Place, stage_directory};
use super::sources::{ANSWER, Source, private_directory, real, volume};
use crate::answer::answered;
use crate::code::Code;
use crate::config::Service;
use crate::docker::Volume;
use crate::failure::Failure;
use crate::goal::SnapshotChoice;
use crate::mounts;
use crate::names::RepositoryName;
use crate::outside::Outside;
use crate::plan::choose;
use crate::records::ServiceRecord;
use crate::restic::{Counts, Snapshot};

/// What a restore of one service would read and write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRestore {
    /// The snapshot that was chosen.
    pub snapshot: Snapshot,
    /// Each declared target.
    pub targets: Vec<ObservedTarget>,
    /// Free bytes and inodes of each file system that takes a stage, by its place.
    pub free: BTreeMap<Place, Free>,
}

/// One declared target of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTarget {
    /// As declared.
    pub source: Source,
    /// The live path.
    pub live: PathBuf,
    /// The same in the snapshot.
    pub path: PathBuf,
    /// What the snapshot holds there; nothing: it does not.
    pub counts: Option<Counts>,
    /// Whether there is anything at the live path.
    pub exists: bool,
    /// The directory that can take the stage, and the place of both.
    pub stage_in: (PathBuf, Place),
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Inodes; the highest number where the file system has no limit.
    pub inodes: u64,
}

/// What a person wants restored.
pub(super) struct Wish<'a> {
    pub(super) service: &'a Service,
    pub(super) repository: &'a RepositoryName,
    pub(super) choice: &'a SnapshotChoice,
    pub(super) now: Timestamp,
    /// svc's own directories.
    pub(super) own: [&'a Path; 2],
    /// Where stages lie if they can.
    pub(super) stages: &'a Path,
}

/// Chooses the snapshot, asks what it holds, and looks at each target.
pub(super) async fn observe(
    outside: &Outside,
    wish: &Wish<'_>,
    snapshots: Option<&Result<Vec<Snapshot>, Failure>>,
    volumes: &Result<Vec<Volume>, Failure>,
    record: &ServiceRecord,
) -> Result<ObservedRestore, Failure> {
    let snapshots = snapshots.map(Result::as_ref).transpose().map_err(Clone::clone)?;
    let snapshots = snapshots.map(Vec::as_slice).unwrap_or_default();
    let snapshot = choose(snapshots, wish.service, wish.repository, wish.choice, record, wish.now)?;
    let mut targets = Vec::new();
    let mut free = BTreeMap::new();
    for source in declared(wish.service) {
        let (target, room) = target(source, wish, volumes, snapshot).await?;
        free.insert(target.stage_in.1, room);
        if let Some(own) = wish.own.iter().find(|own| own.starts_with(&target.live)) {
            let message = format!("`{}` holds svc's own `{}`", target.live.display(), own.display());
            return Err(
                Failure::new(Code::Refused, message).hint("declare the directories beside it instead")
            );
        }
        targets.push(target);
    }
    let paths: Vec<PathBuf> = targets.iter().map(|target| target.path.clone()).collect();
    let contents = outside.restic.contents(wish.repository, &snapshot.id, &paths).await;
    let contents = contents.map_err(|error| Failure::from(&error))?;
    for (target, counts) in targets.iter_mut().zip(contents) {
        target.counts = counts;
    }
    let targets = outermost(&targets)?;
    Ok(ObservedRestore { snapshot: snapshot.clone(), targets, free })
}

/// Leaves out what another target brings along: exchanged twice, its old data would be back.
fn outermost(targets: &[ObservedTarget]) -> Result<Vec<ObservedTarget>, Failure> {
    let mut kept: Vec<ObservedTarget> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let mut others = targets.iter().enumerate().filter(|(other, _)| *other != index);
        // Of two that are the same, the first one is kept.
        let covers = |(at, other): &(usize, &ObservedTarget)| {
            target.live.starts_with(&other.live) && (target.live != other.live || *at < index)
        };
        let Some((_, outer)) = others.find(covers) else {
            kept.push(target.clone());
            continue;
        };
        let below = target.live.strip_prefix(&outer.live).unwrap_or(Path::new(""));
        if target.path != outer.path.join(below) {
            let message = format!("{} lies in {}, but not so in the snapshot", target.source, outer.source);
            return Err(Failure::new(Code::Refused, message));
        }
        if target.counts.is_none() {
            // Kept, so that its absence from the snapshot is told.
            kept.push(target.clone());
        }
    }
    Ok(kept)
}

fn declared(service: &Service) -> Vec<Source> {
    let volumes = service.restore.volumes.iter().cloned().map(Source::Volume);
    volumes.chain(service.restore.paths.iter().cloned().map(Source::Path)).collect()
}

async fn target(
    source: Source,
    wish: &Wish<'_>,
    volumes: &Result<Vec<Volume>, Failure>,
    snapshot: &Snapshot,
) -> Result<(ObservedTarget, Free), Failure> {
    let message = format!("{source} cannot be restored");
    let (root, stages) = (wish.service.restore.target.clone(), wish.stages.to_path_buf());
    match source.clone() {
        Source::Volume(name) => {
            let live = volume(&name, volumes)?;
            let path = in_snapshot(&live, name.as_str(), snapshot);
            let at = live.clone();
            answered(ANSWER, &at, message, move || look(source, &live, path, &stages)).await
        }
        Source::Path(path) => {
            let at = root.join(path.strip_prefix("/").unwrap_or(&path));
            let look = move || {
                let path = private_directory(&path).unwrap_or(path);
                look(source, &root.join(path.strip_prefix("/").unwrap_or(&path)), path, &stages)
            };
            answered(ANSWER, &at, message, look).await
        }
    }
}

/// Looks at the live data and at the room beside it. May block for as long as a file system does not answer.
fn look(
    source: Source,
    live: &Path,
    path: PathBuf,
    stages: &Path,
) -> Result<(ObservedTarget, Free), Failure> {
    // Mounts below it, and other targets, are known by where it really is.
    let live = real(live);
    let exists = check_live(&live)?;
    let stage_in = stage_directory(&live, &source, stages)?;
    let free = room(&stage_in.0)?;
    Ok((ObservedTarget { source, live, path, counts: None, exists, stage_in }, free))
}

/// A volume's path in a snapshot: the same as now, or the one that ends like it where Docker's root was another.
fn in_snapshot(live: &Path, volume: &str, snapshot: &Snapshot) -> PathBuf {
    let tail = Path::new(volume).join("_data");
    let same = snapshot.paths.iter().find(|path| *path == live);
    let found = same.or_else(|| snapshot.paths.iter().find(|path| path.ends_with(&tail)));
    found.cloned().unwrap_or_else(|| live.to_path_buf())
}

/// Whether something is there; refuses what an exchange cannot replace as one piece.
fn check_live(live: &Path) -> Result<bool, Failure> {
    let shown = live.display();
    let refuse = |message: String| Failure::new(Code::Refused, message);
    if mounts::is_mount_point(live) {
        return Err(refuse(format!("`{shown}` is a mount point and cannot be exchanged as one piece"))
            .hint("declare the directories in it instead"));
    }
    if let Some(mount) = mounts::below(live).first() {
        return Err(refuse(format!("something is mounted below `{shown}` and would move with it"))
            .hint(format!("umount {}", mount.display())));
    }
    match std::fs::symlink_metadata(live) {
        Ok(metadata) if metadata.is_symlink() => {
            Err(refuse(format!("`{shown}` is a symbolic link")).hint("declare the path that it leads to"))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(Failure::new(Code::Failed, format!("`{shown}` cannot be seen")).because(error.to_string()))
        }
    }
}

fn room(path: &Path) -> Result<Free, Failure> {
    // Where stages lie is made by the first of them.
    let there = path.ancestors().find(|directory| directory.is_dir()).unwrap_or(path);
    let stat = rustix::fs::statvfs(there).map_err(|error| {
        let message = format!("the room at `{}` cannot be seen", path.display());
        Failure::new(Code::Failed, message).because(error.to_string())
    })?;
    // btrfs has no fixed number of inodes and says 0.
    let inodes = if stat.f_files == 0 { u64::MAX } else { stat.f_favail };
    Ok(Free { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), inodes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_path_can_be_restored() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(check_live(&root.path().join("gone/deep/data")), Ok(false));
    }

    #[test]
    fn a_mount_point_and_a_directory_above_one_are_refused() {
        for path in ["/proc", "/"] {
            assert_eq!(check_live(Path::new(path)).unwrap_err().code, Code::Refused, "{path}");
        }
    }

    #[test]
    fn a_volume_is_found_in_a_snapshot_of_another_docker_root() {
        let snapshot = Snapshot {
            id: "a".repeat(64).parse().unwrap(),
            time: Timestamp::UNIX_EPOCH,
            host: "h".to_owned(),
            tags: Vec::new(),
            paths: vec!["/data/docker/volumes/db/_data".into()],
            counts: None,
            offset: jiff::tz::Offset::UTC,
        };
        let live = Path::new("/var/lib/docker/volumes/db/_data");
        assert_eq!(in_snapshot(live, "db", &snapshot), Path::new("/data/docker/volumes/db/_data"));
    }
}
