//! The processes of hooks in containers: they are no children of the hook's unit, and outlive it.

use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

use crate::names::UnitName;

/// The variable by which the processes of a hook in a container are known as svc's own.
pub(super) const MARK: &str = "SVC_HOOK";

/// What was killed takes a moment to be gone, and may have had a child in the last one.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Ends the processes of a hook: those that carry its mark, and nobody else's; waits until they are gone, but not for ever.
pub(super) async fn end_marked(unit: &UnitName, limit: Duration) {
    let mark = format!("{MARK}={unit}");
    let began = Instant::now();
    while kill_marked(&mark) && began.elapsed() < limit {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether there was one.
fn kill_marked(mark: &str) -> bool {
    let mut found = false;
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else { continue };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Read after it was opened: it is the process of the handle. One that has ended has no variables any more.
        let variables = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if variables.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
            found = true;
        }
    }
    found
}
