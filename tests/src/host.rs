//! What a host needs so that boxes run on it: Linux, root, and a few packages, which are installed.

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    cgroup,
    tool::{exists, output, say},
};

/// Programs, the package that has each, and what for.
const TOOLS: [(&str, &str, &str); 7] = [
    ("mmdebstrap", "mmdebstrap", "builds the boxes' Debian"),
    ("systemd-nspawn", "systemd-container", "boots them"),
    ("mkfs.btrfs", "btrfs-progs", "keeps and clones their trees"),
    ("mkfs.xfs", "xfsprogs", "makes their data disks"),
    ("mkfs.ext4", "e2fsprogs", "makes their backup disks"),
    ("ip", "iproute2", "links them"),
    ("nsenter", "util-linux", "runs commands in them"),
];

/// Variables that a process under `sudo` needs too.
const KEPT: &str = "PATH,TERM,RUST_BACKTRACE,INSTA_UPDATE,SVC_BOX_CACHE,SVC_BOX_KEEP,SVC_BOX_MIRROR,SVC_BOX_SLOTS,SVC_BOX_SVC";

/// Why boxes cannot run here; `None` where they can.
///
/// A user who may become root through `sudo` without a password can run them: see [`become_root`] and
/// [`crate::lease::test_can_go_on`].
#[must_use]
pub fn boxes_unavailable() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("boxes are Linux containers, and this is no Linux".to_owned());
    }
    if !is_root() && !may_sudo() {
        return Some(
            "boxes need root for mounts, loop devices and namespaces; run as root, or let `sudo` work without a password"
                .to_owned(),
        );
    }
    if cgroup::mount_point().is_err() {
        return Some("no cgroup2 file system is mounted, which systemd in a box needs".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some(
            "there are no loop devices (`/dev/loop-control`), on which the boxes' disks lie".to_owned(),
        );
    }
    if is_root() && !succeeds(Command::new("unshare").args(["--mount", "true"])) {
        return Some(
            "this root may not make mount namespaces; is this a container without privileges?".to_owned(),
        );
    }
    if !missing().is_empty() && !exists("apt-get") {
        let names: Vec<_> = missing().iter().map(|(_, package, _)| *package).collect();
        return Some(format!("there is no apt to install what lacks: {}", names.join(" ")));
    }
    None
}

/// Installs the packages that lack, saying which and why.
pub fn ensure_packages() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    for (_, package, reason) in &missing {
        say(&format!("installing the Debian package `{package}`: it {reason}"));
    }
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    output(apt().args(["-q", "update"])).context("cannot fetch the package lists")?;
    output(
        apt()
            .args(["-q", "install", "-y", "--no-install-recommends"])
            .args(missing.iter().map(|(_, package, _)| package)),
    )?;
    Ok(())
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Replaces this process by the same under `sudo`, unless it is root already; `svc` is the program that root's process
/// is not to build again.
///
/// `sudo` may ask for the password here; the tests' way never asks.
pub fn become_root(svc: Option<&Path>) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    if !exists("sudo") {
        bail!("boxes need root for mounts, loop devices and namespaces: run this as root");
    }
    say("boxes need root for mounts, loop devices and namespaces: going on under `sudo`");
    let error = sudo(svc).arg(env::current_exe()?).args(env::args_os().skip(1)).exec();
    Err(error).context("cannot run `sudo`")
}

/// A `sudo` that keeps the variables that the boxes heed, and names the built `svc`.
#[must_use]
pub fn sudo(svc: Option<&Path>) -> Command {
    let mut sudo = Command::new("sudo");
    sudo.arg(format!("--preserve-env={KEPT}")).args(["--", "env"]);
    if let Some(svc) = svc {
        sudo.arg(format!("SVC_BOX_SVC={}", svc.display()));
    }
    sudo
}

fn may_sudo() -> bool {
    exists("sudo") && succeeds(Command::new("sudo").args(["-n", "true"]))
}

fn missing() -> Vec<(&'static str, &'static str, &'static str)> {
    TOOLS.into_iter().filter(|(program, _, _)| !exists(program)).collect()
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
