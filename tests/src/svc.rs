//! The program under test: built once for each process, and put into boxes.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::{template::Template, tree::copy_tree};

static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The freshly built `svc`, or the one that `$SVC_BOX_SVC` names.
pub fn binary() -> Result<PathBuf> {
    let built =
        BINARY.get_or_init(|| named_or_built(!cfg!(debug_assertions)).map_err(|error| format!("{error:#}")));
    built.clone().map_err(|error| anyhow!(error))
}

/// The same as users get it: measuring any other says nothing.
pub fn released() -> Result<PathBuf> {
    named_or_built(true)
}

fn named_or_built(release: bool) -> Result<PathBuf> {
    env::var_os("SVC_BOX_SVC").map_or_else(|| build(release), |path| Ok(path.into()))
}

/// Puts `svc` and its units into a box that is down.
pub fn install(disks: &Template) -> Result<()> {
    install_this(&binary()?, disks)
}

/// Puts this `svc` and its units into a box that is down.
///
/// A box has a newer libc than a Debian host, so the host's build runs in it.
pub fn install_this(binary: &Path, disks: &Template) -> Result<()> {
    let root = disks.root();
    fs::copy(binary, root.join("usr/local/bin/svc"))
        .with_context(|| format!("cannot copy `{}`", binary.display()))?;
    let units = workspace().join("crates/svc-cli/systemd");
    if units.is_dir() {
        copy_tree(&units, &root.join("usr/lib/systemd/system"))?;
        enable(&root.join("etc/systemd/system"))?;
    }
    Ok(())
}

/// What `systemctl enable` does for the units of recovery.
fn enable(system: &Path) -> Result<()> {
    for (by, unit) in [
        ("multi-user.target.wants", "svc-recover.service"),
        ("sysinit.target.wants", "svc-recover-data.service"),
        ("docker.service.requires", "svc-recover-data.service"),
    ] {
        let directory = system.join(by);
        fs::create_dir_all(&directory)?;
        let link = directory.join(unit);
        if link.symlink_metadata().is_err() {
            symlink(Path::new("/usr/lib/systemd/system").join(unit), &link)?;
        }
    }
    Ok(())
}

/// Builds with the features of the whole workspace, so that `cargo test` has built all of it already.
fn build(release: bool) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bin", "svc", "--message-format=json-render-diagnostics"])
        .args(profile)
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo`")?;
    if !built.status.success() {
        bail!("`svc` does not build");
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["target"]["name"] == "svc" {
            message["executable"].as_str().map(PathBuf::from)
        } else {
            None
        }
    });
    executables.next_back().context("cargo built no `svc`")
}

pub(crate) fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}
