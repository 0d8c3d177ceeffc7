//! What boxes leave on the host: to be compared before and after, and found the same.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{cgroup, place, tool::output};

/// Mounts, loop devices, control groups, namespaces, network interfaces and processes of the host at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traces {
    /// Each with the box that it belongs to, where that can be told.
    found: BTreeMap<String, Option<String>>,
}

impl Traces {
    /// Looks at the host.
    pub fn now() -> Result<Self> {
        let mut traces = Self::default();
        traces.mounts()?;
        traces.loops()?;
        traces.groups()?;
        traces.processes();
        traces.files("network interface", Path::new("/sys/class/net"));
        traces.files("nspawn's", Path::new("/run/systemd/nspawn/propagate"));
        Ok(traces)
    }

    /// Waits until everything that came since has gone again, but for other boxes' things, and returns what stays.
    ///
    /// `mine` are the names of boxes whose things must not stay. The image of all boxes may stay mounted while anybody
    /// else uses it.
    pub fn wait_until_gone(&self, mine: &[&str], within: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + within;
        loop {
            let left = Self::now()?.since(self, mine)?;
            if left.is_empty() || Instant::now() > deadline {
                return Ok(left);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is here and was not before, but for other boxes' things; see [`Self::wait_until_gone`].
    pub fn since(&self, before: &Self, mine: &[&str]) -> Result<Vec<String>> {
        let store = place::cache().join("store").display().to_string();
        let store_is_used = store_is_used()?;
        let is_mine = |owner: &Option<String>| owner.as_deref().is_none_or(|owner| mine.contains(&owner));
        let left = self
            .found
            .iter()
            .filter(|(trace, owner)| !before.found.contains_key(*trace) && is_mine(owner))
            .filter(|(trace, _)| {
                !(store_is_used
                    && (trace.contains(&format!("{store} ")) || trace.contains(&format!("{store}.btrfs"))))
            });
        Ok(left.map(|(trace, _)| trace.clone()).collect())
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

    fn groups(&mut self) -> Result<()> {
        let prefix = place::scope("");
        for entry in fs::read_dir(cgroup::mount_point()?)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(owner) = name.strip_prefix(&prefix) {
                self.add(format!("control group {name}"), Some(owner.to_owned()));
            }
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
            let owner = name.strip_prefix(&place::scope("")).map(Into::into);
            self.add(format!("{what} {name}"), owner);
        }
    }
}

fn owner_of_process(process: &Path) -> Option<String> {
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let scope = group.split('/').next()?;
    scope.strip_prefix(&place::scope("")).map(Into::into)
}

/// The box in whose directory of the store a path lies.
fn owner_in_path(path: &str) -> Option<String> {
    let boxes = format!("{}/store/boxes/", place::cache().display());
    let (_, rest) = path.split_once(&boxes)?;
    rest.split('/').next().map(Into::into)
}

fn store_is_used() -> Result<bool> {
    let lock = File::create(place::run().join("store.lock"))?;
    Ok(lock.try_lock().is_err() || crate::state::any_running())
}
