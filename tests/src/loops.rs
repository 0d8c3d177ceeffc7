//! Loop devices of a box. The whole machine shares them, so each one that a box had is detached with it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::tool::output;

const DEADLINE: Duration = Duration::from_secs(10);

/// Attaches a file to a free loop device, and returns that.
pub(crate) fn attach(file: &Path) -> Result<PathBuf> {
    let device = output(Command::new("losetup").args(["--find", "--show", "--nooverlap"]).arg(file))
        .with_context(|| format!("cannot attach `{}`", file.display()))?;
    Ok(device.trim().into())
}

/// Detaches all devices whose file lies on one of the given file systems, or on a device so found.
///
/// The numbers come from [`file_system`]. A box may have attached files of its own, on its root or on its disks; no
/// path tells whose they are, because a path is one of the box's own mount namespace.
pub(crate) fn detach_all(mut file_systems: Vec<String>) -> Result<()> {
    let mut found = Vec::new();
    loop {
        let devices = listed()?;
        let fresh: Vec<_> = devices
            .into_iter()
            .filter(|(device, on)| file_systems.contains(on) && !found.contains(device))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for (device, _) in fresh {
            file_systems.push(device_number(&device)?);
            found.push(device);
        }
    }
    // What lies on a device goes before it.
    found.iter().rev().try_for_each(|device| detach(device))
}

/// The file system of a path, as `MAJOR:MINOR`.
pub(crate) fn file_system(path: &Path) -> Result<String> {
    let number = fs::metadata(path).with_context(|| format!("cannot look at `{}`", path.display()))?.dev();
    Ok(spelled(number))
}

/// All attached devices, each with the file system that its file lies on.
fn listed() -> Result<Vec<(PathBuf, String)>> {
    let table = output(Command::new("losetup").args(["--list", "--noheadings", "--raw", "-O", "NAME,BACK-MAJ:MIN"]))?;
    let rows = table.lines().filter_map(|line| line.split_once(' '));
    Ok(rows.map(|(device, on)| (device.into(), on.trim().to_owned())).collect())
}

/// Detaching is only a wish while somebody has the device open: the mounts of a dead box go a moment after it.
fn detach(device: &Path) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        // An error is one only if the device stays: another one may have detached it, or it went by itself.
        let detached = output(Command::new("losetup").arg("--detach").arg(device));
        if !listed()?.iter().any(|(still, _)| still == device) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("`{}` stays attached: {detached:?}", device.display());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn device_number(device: &Path) -> Result<String> {
    Ok(spelled(fs::metadata(device)?.rdev()))
}

fn spelled(number: u64) -> String {
    format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number))
}
