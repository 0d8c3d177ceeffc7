//! What boxes leave on the host: to be compared before and after, and found the same.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::Result;

use crate::{cgroup, place, state, tool::output, wait};

/// Mounts, loop devices, control groups, namespaces, network interfaces and processes of the host at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traces {
    /// Each with the scope of the box that it belongs to, where that can be told.
    found: BTreeMap<String, Option<String>>,
}

impl Traces {
    /// Looks at the host.
    pub fn now() -> Result<Self> {
        let mut traces = Self::default();
        traces.mounts()?;
        traces.loops()?;
        traces.processes();
        traces.files("control group", &cgroup::mount_point()?);
        traces.files("network interface", Path::new("/sys/class/net"));
        traces.files("nspawn's", Path::new("/run/systemd/nspawn/propagate"));
        Ok(traces)
    }

    /// What belongs to the boxes of these names.
    #[must_use]
    pub fn of(&self, names: &[&str]) -> Self {
        let scopes: Vec<String> = names.iter().map(|name| place::scope(name)).collect();
        let is_theirs = |owner: &Option<String>| owner.as_ref().is_some_and(|owner| scopes.contains(owner));
        let theirs = self.found.iter().filter(|(_, owner)| is_theirs(owner));
        Self { found: theirs.map(|(trace, owner)| (trace.clone(), owner.clone())).collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Waits until nothing is left of the boxes of these names, and returns what stays.
    ///
    /// Left is what is theirs, what was theirs `during` their run, and what was not there `before`; not, what other
    /// boxes have, and the mounted image of all boxes while anybody else uses it.
    pub fn wait_until_gone(
        before: &Self,
        during: &Self,
        names: &[&str],
        within: Duration,
    ) -> Result<Vec<String>> {
        let theirs = during.of(names);
        let mut left = Vec::new();
        wait::until(within, || {
            let was_used = store_is_used()?;
            let now = Self::now()?;
            let store_is_used = was_used || store_is_used()?;
            let is_new = |trace: &String| {
                let is_noise = trace.starts_with("namespace") || is_of_store(trace, store_is_used);
                !before.found.contains_key(trace) && !is_noise
            };
            let nobodys = now.found.iter().filter(|(_, owner)| owner.is_none()).map(|(trace, _)| trace);
            let stays = nobodys.filter(|trace| theirs.found.contains_key(*trace) || is_new(trace));
            left = now.of(names).found.keys().chain(stays).cloned().collect();
            Ok(left.is_empty())
        })?;
        Ok(left)
    }

    fn add(&mut self, trace: String, owner: Option<String>) {
        self.found.insert(trace, owner);
    }

    fn mounts(&mut self) -> Result<()> {
        for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let (Some(point), Some((_, rest))) = (words.get(4), line.split_once(" - ")) {
                self.add(format!("mount {point} {rest}"), owner_in_path(point));
            }
        }
        Ok(())
    }

    fn loops(&mut self) -> Result<()> {
        for line in
            output(Command::new("losetup").args(["--list", "--noheadings", "-O", "NAME,BACK-FILE"]))?.lines()
        {
            self.add(format!("loop device {line} "), owner_in_path(line));
        }
        Ok(())
    }

    /// Namespaces, and processes that speak of boxes. Processes come and go while they are looked at.
    fn processes(&mut self) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let owner = owner_of_process(&entry.path());
            for namespace in fs::read_dir(entry.path().join("ns")).into_iter().flatten().flatten() {
                if let Ok(target) = fs::read_link(namespace.path()) {
                    self.add(format!("namespace {}", target.display()), owner.clone());
                }
            }
            if owner.is_some() {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                self.add(format!("process {pid} {}", name.trim()), owner);
            }
        }
    }

    fn files(&mut self, what: &str, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.starts_with(place::SCOPE).then(|| name.clone());
            self.add(format!("{what} {name}"), owner);
        }
    }
}

fn owner_of_process(process: &Path) -> Option<String> {
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let scope = group.split('/').next()?;
    scope.starts_with(place::SCOPE).then(|| scope.to_owned())
}

/// The scope of the box in whose directory of a store a path lies; those of other caches are all one.
fn owner_in_path(path: &str) -> Option<String> {
    let (cache, rest) = path.split_once("/store/boxes/")?;
    let is_ours = cache.ends_with(&place::cache().display().to_string());
    if is_ours { rest.split('/').next().map(place::scope) } else { Some(place::SCOPE.to_owned()) }
}

/// Whether it is the image of all boxes, or its mount: of another cache, or in use by others.
fn is_of_store(trace: &str, is_used: bool) -> bool {
    let is_store = trace.contains("/store.btrfs") || trace.contains("/store btrfs /dev/loop");
    is_store && (is_used || !trace.contains(&place::cache().join("store").display().to_string()))
}

fn store_is_used() -> Result<bool> {
    let lock = File::create(place::run().join("store.lock"))?;
    Ok(lock.try_lock().is_err() || state::any_running())
}
