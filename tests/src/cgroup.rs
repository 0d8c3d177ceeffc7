//! The control group of a box: whom it holds, and how all of them end at once.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{place, wait};

/// Longest time that killed processes need to be gone; a dying file system is what takes time.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where the host has the unified hierarchy: `/sys/fs/cgroup`, or `…/unified` beside the old ones.
pub fn mount_point() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .context("no cgroup2 file system is mounted")
}

/// The directory of a box's control group; there only while the box runs, or was not cleaned up after.
pub fn directory(name: &str) -> Result<PathBuf> {
    Ok(mount_point()?.join(place::scope(name)))
}

/// Whether any process of the box lives.
#[must_use]
pub fn is_populated(name: &str) -> bool {
    let events = directory(name).and_then(|path| Ok(fs::read_to_string(path.join("cgroup.events"))?));
    events.is_ok_and(|text| text.contains("populated 1"))
}

/// Waits until no process of the box lives; `false` when the time is over first.
pub fn wait_until_empty(name: &str, within: Duration) -> Result<bool> {
    wait::until(within, || Ok(!is_populated(name)))
}

/// Kills every process of a box, none else, and removes its groups. A box without any is fine.
pub fn destroy(name: &str) -> Result<()> {
    let path = directory(name)?;
    if !path.exists() {
        return Ok(());
    }
    fs::write(path.join("cgroup.kill"), "1")
        .with_context(|| format!("cannot kill what is in `{}`", path.display()))?;
    if !wait_until_empty(name, DEADLINE)? {
        bail!("processes of the box `{name}` outlive SIGKILL");
    }
    remove(&path).with_context(|| format!("cannot remove the groups in `{}`", path.display()))
}

/// Groups are directories whose files cannot be removed and need not be. A dying `systemd-nspawn` removes its own.
fn remove(group: &Path) -> io::Result<()> {
    let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    let entries = match fs::read_dir(group) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group).or_else(gone)
}
