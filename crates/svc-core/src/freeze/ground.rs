//! What a source consists of, and how each part of it can be frozen.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use walkdir::{DirEntry, WalkDir};

use super::tool::Tool;
use super::{Ground, How, Means, Part, btrfs, has_own_name, is_copy_mount, reflink, zfs};
use crate::answer::within;
use crate::mounts::{self, Mount};
use crate::restic::Counts;

/// Files beyond this number are not counted: it is many.
const COUNTED: u64 = 20_000;
/// A slow disk counts so many files in this time.
const LONGEST_COUNT: Duration = Duration::from_mins(2);
/// A source of more parts than this is left to the other ways.
const MOST_PARTS: usize = 64;

/// Looks at sources.
pub(super) struct Looker<'a> {
    pub(super) btrfs: &'a Tool,
    pub(super) zfs: &'a Tool,
    pub(super) table: Vec<Mount>,
}

impl Looker<'_> {
    /// The source, and what lies on mounts and in subvolumes of their own below it; those above come first.
    pub(super) async fn parts(&self, ground: &Ground) -> Vec<Part> {
        let is_below = |point: &&PathBuf| {
            **point != ground.path && point.starts_with(&ground.path) && !is_copy_mount(point)
        };
        let points = self.table.iter().map(|mount| &mount.point);
        let mut paths: BTreeSet<PathBuf> = points.filter(is_below).cloned().collect();
        paths.insert(ground.path.clone());
        let mut parts = Vec::new();
        while let Some(path) = paths.pop_first() {
            if parts.len() == MOST_PARTS {
                let means = Err(format!("it has more than {MOST_PARTS} mounts and subvolumes below it"));
                parts.push((path, means));
                break;
            }
            let means = self.means(&path, ground, &mut paths).await;
            parts.push((path, means));
        }
        join_all(parts.into_iter().map(|(path, means)| self.counted(path, means))).await
    }

    async fn means(
        &self,
        path: &Path,
        ground: &Ground,
        more: &mut BTreeSet<PathBuf>,
    ) -> Result<Means, String> {
        if path.to_str().is_none() {
            // A plan is text.
            return Err("its name is not UTF-8".to_owned());
        }
        let mount = mounts::of(&self.table, path).ok_or("nobody knows what it is on")?;
        match mount.kind.as_str() {
            "btrfs" => match self.subvolume(path, mount, more).await {
                Ok(from) => Ok(Means { how: How::Btrfs, from, place: self.place(path, mount, ground)? }),
                Err(reason) => {
                    let means = self.reflink(path, mount, ground).map_err(|_| reason)?;
                    more.extend(subvolumes_below(path).await);
                    Ok(means)
                }
            },
            "xfs" | "bcachefs" => self.reflink(path, mount, ground),
            "zfs" | "fuse.zfs" => self.dataset(mount, ground).await,
            kind => Err(format!("{kind} cannot be frozen")),
        }
    }

    /// The subvolume that a path is in; those below the path become parts, too.
    async fn subvolume(
        &self,
        path: &Path,
        mount: &Mount,
        more: &mut BTreeSet<PathBuf>,
    ) -> Result<PathBuf, String> {
        let subvolume =
            btrfs::subvolume(path, mount).ok_or("the top of its btrfs subvolume is not mounted")?;
        let nested = btrfs::nested(self.btrfs, &subvolume, mount).await.map_err(|error| error.to_string())?;
        // A copy that another service's backup needs at this very moment is nobody's data.
        let is_part = |nested: &PathBuf| {
            nested != path && nested.starts_with(path) && !nested.ancestors().any(has_own_name)
        };
        more.extend(nested.into_iter().filter(is_part));
        Ok(subvolume)
    }

    /// The dataset that a mount shows. Those below it are mounts, and so parts of their own.
    async fn dataset(&self, mount: &Mount, ground: &Ground) -> Result<Means, String> {
        if mount.root != Path::new("/") {
            return Err("the top of its ZFS dataset is not mounted".to_owned());
        }
        let dataset = zfs::dataset(self.zfs, mount).await.map_err(|error| error.to_string())?;
        let from = mount.point.clone();
        Ok(if zfs::shows_snapshots(&from) {
            Means { how: How::Zfs(dataset), place: from.clone(), from }
        } else {
            Means { how: How::ZfsClone(dataset), place: ground.own.clone(), from }
        })
    }

    async fn counted(&self, path: PathBuf, means: Result<Means, String>) -> Part {
        // Of a snapshot it costs nothing how many there are. Where a server is asked, it can be frozen in no case, and may
        // never answer.
        let is_free = means.as_ref().is_ok_and(|means| means.how != How::Reflink);
        let is_remote = mounts::of(&self.table, &path).is_some_and(Mount::is_remote);
        let root = path.clone();
        let size = if is_free || is_remote {
            None
        } else {
            within(LONGEST_COUNT, move || count(&root)).await.flatten()
        };
        Part { path, means, size }
    }

    fn reflink(&self, path: &Path, mount: &Mount, ground: &Ground) -> Result<Means, String> {
        let place = self.place(path, mount, ground)?;
        let near = place.ancestors().find(|directory| directory.is_dir()).unwrap_or(&place);
        reflink::is_possible(near).map_err(|error| format!("{} without reflinks ({error})", mount.kind))?;
        Ok(Means { how: How::Reflink, from: path.to_path_buf(), place })
    }

    /// The directory that takes the copies: svc's own if it is on the same file system; else the top of the mount, where
    /// no program looks for its data; for a volume never Docker's volumes root, in which dockerd would take it for one.
    fn place(&self, path: &Path, mount: &Mount, ground: &Ground) -> Result<PathBuf, String> {
        let own = mounts::of(&self.table, &ground.own);
        // Blocks are shared, and snapshots made, within one file system; older kernels want one mount for the former.
        if own.is_some_and(|own| own == mount || mount.kind == "btrfs" && own.device == mount.device) {
            return Ok(ground.own.clone());
        }
        let is_volumes_root = ground.is_volume && path.ancestors().nth(2) == Some(&mount.point);
        let top = if is_volumes_root { path.parent().unwrap_or(path) } else { &mount.point };
        if top.is_dir() { Ok(top.to_path_buf()) } else { Err("it is a mount of its own".to_owned()) }
    }
}

/// Directories on devices of their own, which subvolumes are for those who look. Where there are more files than are
/// counted, or they cannot be seen in time, they are not copied one by one unless they have to, and the copy then says what
/// it lacks.
async fn subvolumes_below(path: &Path) -> Vec<PathBuf> {
    let root = path.to_path_buf();
    let walk = move || -> Option<Vec<PathBuf>> {
        let device = std::fs::symlink_metadata(&root).ok()?.dev();
        let is_data = |entry: &DirEntry| entry.depth() == 0 || !has_own_name(entry.path());
        let seen = WalkDir::new(&root).same_file_system(true).into_iter().filter_entry(is_data);
        let seen = seen.take(usize::try_from(COUNTED).unwrap_or(usize::MAX)).flatten();
        let is_apart = |entry: &DirEntry| {
            entry.file_type().is_dir() && entry.metadata().is_ok_and(|metadata| metadata.dev() != device)
        };
        Some(seen.filter(is_apart).map(DirEntry::into_path).collect())
    };
    within(LONGEST_COUNT, walk).await.flatten().unwrap_or_default()
}

fn count(path: &Path) -> Option<Counts> {
    let mut counts = Counts::default();
    for entry in WalkDir::new(path).same_file_system(true).into_iter().flatten() {
        counts.files += 1;
        let is_file = entry.file_type().is_file();
        counts.bytes += entry.metadata().ok().filter(|_| is_file).map_or(0, |metadata| metadata.len());
        if counts.files > COUNTED {
            return None;
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_counted_on_disks_only_for_a_server_may_never_answer() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("song"), "la").unwrap();
        let tool = Tool { program: "none", path: "".into() };
        for (kind, size) in [("ext4", Some(Counts { files: 2, bytes: 2 })), ("nfs4", None)] {
            let mount = Mount {
                device: "0:9".to_owned(),
                root: "/".into(),
                point: directory.path().to_path_buf(),
                kind: kind.to_owned(),
                source: "x".to_owned(),
            };
            let looker = Looker { btrfs: &tool, zfs: &tool, table: vec![mount] };
            let (path, own) = (directory.path().to_path_buf(), "/var/lib/svc/frozen".into());
            let parts = looker.parts(&Ground { path: path.clone(), is_volume: false, own }).await;
            let means = Err(format!("{kind} cannot be frozen"));
            assert_eq!(parts, [Part { path, means, size }]);
        }
    }
}
