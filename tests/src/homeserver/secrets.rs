//! Looks for the homeserver's secrets where they must never be: while a test runs in the processes of the box and in
//! what `svc` prints, and at its end in the journal and in all that `svc` keeps.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;

use super::CANARIES;
use crate::{
    Machine,
    enter::{Audit, Output},
    state,
};

/// Between two looks at the processes; a `restic` lives ten times as long.
const PAUSE: Duration = Duration::from_millis(50);

/// Prints every place at rest that holds a secret. The secrets come from a file, so that no argument list has them.
const AT_REST: &str = "
    search() { grep -aF -f /run/canaries | sed \"s|^|$1: |\" | head -20; }
    journalctl --no-pager --output=export | search journal
    grep -raF -f /run/canaries /var/lib/svc /var/cache/svc /tmp /var/tmp 2> /dev/null | head -20";

/// What was found, by all that look.
#[derive(Debug, Default)]
struct Found(Mutex<BTreeSet<String>>);

impl Found {
    fn add(&self, place: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place.into());
    }
}

impl Audit for Found {
    fn ended(&self, line: &str, output: &Output) {
        for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if line.contains("svc") && holds_secret(text.as_bytes()) {
                self.add(format!("{name} of `{line}`: {text}"));
            }
        }
    }
}

/// Watches a machine until it is asked what it saw.
#[derive(Debug)]
pub(super) struct Watch {
    found: Arc<Found>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch a machine that has been started.
    pub(super) fn over(machine: &mut Machine) -> Self {
        let (found, ended) = (Arc::new(Found::default()), Arc::new(AtomicBool::new(false)));
        machine.audit(Arc::clone(&found) as Arc<dyn Audit>);
        let name = machine.name().to_owned();
        let (seen, over) = (Arc::clone(&found), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            let mut known = HashMap::new();
            while !over.load(Ordering::Relaxed) {
                look_at_processes(&name, &mut known, &seen);
                thread::park_timeout(PAUSE);
            }
        });
        Self { found, ended, thread: Some(thread) }
    }

    /// Ends the watch, looks at what is at rest, and tells every place where a secret was.
    pub(super) fn end(&mut self, machine: &Machine) -> Result<BTreeSet<String>> {
        self.stop();
        if machine.is_up() {
            look_at_processes(machine.name(), &mut HashMap::new(), &self.found);
            machine.write("/run/canaries", CANARIES.join("\n") + "\n")?;
            for line in machine.check(AT_REST)?.lines() {
                self.found.add(line);
            }
        }
        Ok(std::mem::take(&mut *self.found.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_none()
    }

    fn stop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                self.found.add("the watch over the processes panicked");
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Looks at each process of a box that was not seen before, or has become another program. They come and go meanwhile.
fn look_at_processes(name: &str, known: &mut HashMap<u32, Vec<u8>>, found: &Found) {
    let Some(leader) = state::load(name).ok().flatten().map(|state| state.leader) else { return };
    let processes = PathBuf::from(format!("/proc/{leader}/root/proc"));
    for entry in fs::read_dir(&processes).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(arguments) = fs::read(entry.path().join("cmdline")) else { continue };
        if known.get(&pid) == Some(&arguments) {
            continue;
        }
        let shown = || String::from_utf8_lossy(&arguments).replace('\0', " ");
        if holds_secret(&arguments) {
            found.add(format!("arguments: {}", shown()));
        }
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_restic = || becomes_restic(&arguments) || is_of_restic(&processes, pid);
        if holds_secret(&environment) && !is_restic() {
            found.add(format!("environment of: {}", shown()));
        }
        known.insert(pid, arguments);
    }
}

/// Whether a process is svc's own in the instant before it becomes restic.
fn becomes_restic(arguments: &[u8]) -> bool {
    arguments.split(|&byte| byte == 0).nth(1) == Some(b"become")
}

/// Whether a process is restic, or was started by one.
fn is_of_restic(processes: &Path, mut pid: u32) -> bool {
    while pid > 1 {
        let status = fs::read_to_string(processes.join(pid.to_string()).join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if field("Name:") == Some("restic") {
            return true;
        }
        pid = field("PPid:").and_then(|parent| parent.parse().ok()).unwrap_or(0);
    }
    false
}

fn holds_secret(bytes: &[u8]) -> bool {
    CANARIES.iter().any(|canary| bytes.windows(canary.len()).any(|window| window == canary.as_bytes()))
}
