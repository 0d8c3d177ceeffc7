//! What outlives a process about a box: one small file each, outside the store so that it is readable when
//! that is not mounted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{cgroup, place};

/// A box that was started, until it is cleaned up after.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The box's PID 1 as the host numbers it.
    pub(crate) leader: u32,
    /// Cables into other boxes, also while they are pulled.
    pub(crate) cables: Vec<Cable>,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cable {
    /// Name of the box at the other end.
    pub(crate) peer: String,
    /// The network interface at this end.
    pub(crate) interface: String,
    /// The address of this end, without a mask.
    pub(crate) address: String,
    /// Whether it was pulled.
    pub(crate) pulled: bool,
}

/// Reads the state of a box; `None` when there is none.
pub(crate) fn load(name: &str) -> Result<Option<State>> {
    let path = path(name);
    match fs::read(&path) {
        Ok(bytes) => {
            let state = serde_json::from_slice(&bytes)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            Ok(Some(state))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Replaces the state of a box, whole or not at all.
pub(crate) fn save(name: &str, state: &State) -> Result<()> {
    let path = path(name);
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, serde_json::to_vec_pretty(state)?)?;
    fs::rename(&fresh, &path).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Forgets a box, with its console and its socket.
pub(crate) fn forget(name: &str) {
    for path in [path(name), socket(name), console(name)] {
        // Missing is what was wanted.
        let _ = fs::remove_file(path);
    }
}

/// Names of all boxes that have a state, whether they live or not.
pub(crate) fn names() -> Vec<String> {
    let Ok(entries) = fs::read_dir(place::run()) else { return Vec::new() };
    let stem = |path: &Path| {
        let is_state = path.extension()? == "json";
        is_state.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| stem(&entry.path())).collect();
    names.sort();
    names
}

/// Whether any box runs, whoever started it.
pub(crate) fn any_running() -> bool {
    names().iter().any(|name| cgroup::is_populated(name))
}

/// Where systemd tells that the box is up.
pub(crate) fn socket(name: &str) -> PathBuf {
    place::run().join(format!("{name}.notify"))
}

/// What the box prints while it boots and goes down.
pub(crate) fn console(name: &str) -> PathBuf {
    place::run().join(format!("{name}.console"))
}

fn path(name: &str) -> PathBuf {
    place::run().join(format!("{name}.json"))
}
