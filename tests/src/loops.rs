//! Loop devices of a box. The whole machine shares them, so each one that a box had is detached with it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{tool::output, wait};

const DEADLINE: Duration = Duration::from_secs(10);

/// Attaches a file to a free loop device, and returns that.
pub(crate) fn attach(file: &Path) -> Result<PathBuf> {
    let device = output(Command::new("losetup").args(["--find", "--show", "--nooverlap"]).arg(file))
        .with_context(|| format!("cannot attach `{}`", file.display()))?;
    Ok(device.trim().into())
}

/// Detaches all devices whose file lies below a directory, on one of the given file systems, or on a device so found.
///
/// The numbers come from [`file_system`]. A box may have attached files of its own, on its root or on its disks; their
/// paths tell nothing, because they are paths of the box's own mount namespace.
pub(crate) fn detach_all(directory: &Path, mut file_systems: Vec<String>) -> Result<()> {
    let mut found = Vec::new();
    loop {
        let is_ours = |lost: &Loop| lost.file.starts_with(directory) || file_systems.contains(&lost.on);
        let fresh: Vec<_> =
            listed()?.into_iter().filter(|lost| is_ours(lost) && !found.contains(&lost.device)).collect();
        if fresh.is_empty() {
            break;
        }
        for lost in fresh {
            file_systems.push(device_number(&lost.device)?);
            found.push(lost.device);
        }
    }
    // What lies on a device goes before it.
    found.iter().rev().try_for_each(|device| detach(device))
}

/// The file system of a path, as `MAJOR:MINOR`.
pub(crate) fn file_system(path: &Path) -> Result<String> {
    let number = fs::metadata(path).with_context(|| format!("cannot look at `{}`", path.display()))?.dev();
    Ok(format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)))
}

/// An attached device.
struct Loop {
    device: PathBuf,
    /// The file system that its file lies on.
    on: String,
    file: PathBuf,
}

fn listed() -> Result<Vec<Loop>> {
    let table = output(Command::new("losetup").args([
        "--list",
        "--noheadings",
        "-O",
        "NAME,BACK-MAJ:MIN,BACK-FILE",
    ]))?;
    let parse = |line: &str| {
        let (device, rest) = line.trim().split_once(' ')?;
        // The number is missing when the file system has forgotten the file.
        let (on, file) = rest.trim().split_once(' ').unwrap_or(("", rest.trim()));
        Some(Loop { device: device.into(), on: on.to_owned(), file: file.trim().into() })
    };
    Ok(table.lines().filter_map(parse).collect())
}

/// Detaching is only a wish while somebody has the device open: the mounts of a dead box go a moment after it.
fn detach(device: &Path) -> Result<()> {
    let detached = wait::until(DEADLINE, || {
        // An error is one only if the device stays: another one may have detached it, or it went by itself.
        let _ = output(Command::new("losetup").arg("--detach").arg(device));
        Ok(!listed()?.iter().any(|still| still.device == device))
    })?;
    if !detached {
        bail!("`{}` stays attached", device.display());
    }
    Ok(())
}

/// Major and minor number of a device.
pub(crate) fn numbers(device: &Path) -> Result<(u32, u32)> {
    let number = fs::metadata(device)?.rdev();
    Ok((rustix::fs::major(number), rustix::fs::minor(number)))
}

fn device_number(device: &Path) -> Result<String> {
    let (major, minor) = numbers(device)?;
    Ok(format!("{major}:{minor}"))
}
