//! One btrfs image that holds every tree, template and disk, so that a clone costs milliseconds.
//!
//! It is mounted while a process works with it or a box runs, and at no other time. A shared lock counts the
//! processes; whoever leaves last unmounts.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    place, state,
    tool::{output, say},
    wait,
};

/// Apparent size of the image. It is sparse and discards what is deleted: some 3 GB are really used.
const SIZE: u64 = 64 << 30;

/// `nobarrier`: an emptied cache after a crash of the whole machine is cheaper than every fsync of every test.
const OPTIONS: &str = "loop,noatime,nobarrier,discard=async";

/// Longest wait for those who still have a file in it open.
const DEADLINE: Duration = Duration::from_secs(5);

/// The mounted image, held for as long as this value lives.
#[derive(Debug)]
pub struct Store {
    lock: File,
    root: PathBuf,
}

impl Store {
    /// Mounts the image, or joins those who have it mounted; makes it first where there is none.
    pub fn open() -> Result<Self> {
        let root = place::cache().join("store");
        fs::create_dir_all(&root).with_context(|| format!("cannot create `{}`", root.display()))?;
        fs::create_dir_all(place::run())?;
        let lock = File::create(place::run().join("store.lock"))?;
        let store = Self { lock, root };
        loop {
            store.lock.lock_shared()?;
            if store.is_mounted()? {
                return Ok(store);
            }
            // No atomic way leads from a shared to an exclusive lock, so look again each time.
            store.lock.unlock()?;
            store.lock.lock()?;
            if !store.is_mounted()? {
                store.mount()?;
            }
            store.lock.unlock()?;
        }
    }

    /// Removes the whole cache. An error while anybody uses it or a box runs.
    pub fn purge() -> Result<()> {
        let cache = place::cache();
        if !cache.exists() {
            return Ok(());
        }
        fs::create_dir_all(place::run())?;
        let store = Self { lock: File::create(place::run().join("store.lock"))?, root: cache.join("store") };
        if store.lock.try_lock().is_err() || state::any_running() {
            bail!("boxes are in use; switch them off first (`cargo box down`)");
        }
        if store.root.exists() && store.is_mounted()? {
            store.unmount()?;
        }
        fs::remove_dir_all(&cache).with_context(|| format!("cannot remove `{}`", cache.display()))?;
        Ok(())
    }

    /// A place in the store.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Names of all boxes, running or not.
    pub fn boxes(&self) -> Result<Vec<String>> {
        let boxes = self.path("boxes");
        if !boxes.exists() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(boxes)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Makes an empty subvolume, and the directories above it.
    pub fn create(&self, path: &Path) -> Result<()> {
        make_parent(path)?;
        output(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(path))?;
        Ok(())
    }

    /// Clones a subvolume, writable.
    pub fn snapshot(&self, from: &Path, to: &Path) -> Result<()> {
        make_parent(to)?;
        output(Command::new("btrfs").args(["-q", "subvolume", "snapshot"]).arg(from).arg(to))?;
        Ok(())
    }

    /// Clones a file: both share their blocks until one is written to.
    pub fn reflink(&self, from: &Path, to: &Path) -> Result<()> {
        output(Command::new("cp").args(["--reflink=always", "--"]).arg(from).arg(to))?;
        Ok(())
    }

    /// Removes a directory with everything below it, subvolumes included; what is missing is removed already.
    pub fn remove(&self, path: &Path) -> Result<()> {
        if !path.starts_with(&self.root) || path == self.root {
            bail!("`{}` is not in the store", path.display());
        }
        if !path.exists() {
            return Ok(());
        }
        let mut subvolumes = self.subvolumes_below(path)?;
        // The deepest first.
        subvolumes.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for subvolume in subvolumes {
            output(
                Command::new("btrfs").args(["property", "set", "-ts"]).arg(&subvolume).args(["ro", "false"]),
            )?;
            output(Command::new("btrfs").args(["-q", "subvolume", "delete"]).arg(&subvolume))?;
        }
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
        Ok(())
    }

    /// All subvolumes at or below a path: a box may have made some of its own.
    pub(crate) fn subvolumes_below(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let listed = output(Command::new("btrfs").args(["subvolume", "list"]).arg(&self.root))?;
        let found = listed
            .lines()
            .filter_map(|line| line.split_once(" path "))
            .map(|(_, below)| self.root.join(below))
            .filter(|subvolume| subvolume.starts_with(path));
        Ok(found.collect())
    }

    fn image(&self) -> PathBuf {
        self.root.with_extension("btrfs")
    }

    fn is_mounted(&self) -> Result<bool> {
        let above = self.root.parent().unwrap_or(&self.root);
        Ok(fs::metadata(&self.root)?.dev() != fs::metadata(above)?.dev())
    }

    fn mount(&self) -> Result<()> {
        let image = self.image();
        if !image.exists() {
            say(&format!("making the image of all boxes, `{}` (sparse)", image.display()));
            let unready = image.with_extension("unready");
            File::create(&unready)?.set_len(SIZE)?;
            output(Command::new("mkfs.btrfs").args(["-q", "-m", "single"]).arg(&unready))?;
            fs::rename(&unready, &image)?;
        }
        output(Command::new("mount").args(["-t", "btrfs", "-o", OPTIONS]).args([&image, &self.root]))
            .context(
                "the image of all boxes cannot be mounted (`cargo box purge` removes it; it is only a cache)",
            )?;
        Ok(())
    }

    fn unmount(&self) -> Result<()> {
        // Somebody without a lock may look into it, say a shell: it is theirs to leave.
        let unmounted = wait::until(DEADLINE, || {
            Ok(output(Command::new("umount").arg(&self.root)).is_ok() || !self.is_mounted()?)
        })?;
        if !unmounted {
            bail!("somebody uses `{}`", self.root.display());
        }
        // The loop device goes by itself when the last mount namespace that ever saw the mount has gone, a moment later;
        // much later where somebody else's container was started meanwhile.
        let attached = || output(Command::new("losetup").arg("-j").arg(self.image()));
        wait::until(Duration::from_secs(1), || Ok(!attached()?.contains("/dev/loop")))?;
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(TryLockError::WouldBlock) = self.lock.try_lock() {
            return;
        }
        if state::any_running() || !self.is_mounted().unwrap_or(false) {
            return;
        }
        if let Err(error) = self.unmount() {
            say(&format!("the image of all boxes stays mounted: {error:#}"));
        }
    }
}

fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) => {
            fs::create_dir_all(parent).with_context(|| format!("cannot create `{}`", parent.display()))
        }
        None => Ok(()),
    }
}
