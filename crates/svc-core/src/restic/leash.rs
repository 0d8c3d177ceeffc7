//! Holds a child so that it is always ended in good order, and only it is ever signalled.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// A process that is killed is gone within this, or hangs in the kernel: over a disk or a share that does not answer.
const GONE: Duration = Duration::from_secs(10);

/// A running child. Dropped, it is asked to end: SIGKILL at once would leave a lock in the repository.
#[derive(Debug)]
pub(super) struct Leash {
    /// Nothing only while being dropped.
    child: Option<Child>,
    kill_after: Duration,
    kill_at: Option<Instant>,
    /// When it is not waited for any more.
    give_up_at: Option<Instant>,
    /// Already waited for by a task of its own.
    detached: bool,
}

impl Leash {
    pub(super) fn new(child: Child, kill_after: Duration) -> Self {
        Self { child: Some(child), kill_after, kill_at: None, give_up_at: None, detached: false }
    }

    /// Its process id while it lives.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Asks it to end; kills it in `wait` if it has not done so in time.
    pub(super) fn end(&mut self) {
        self.signal(Signal::TERM);
        self.kill_at = Some(Instant::now() + self.kill_after);
    }

    /// Waits for its end. May be dropped and called again. One that does not even end when it is killed counts as killed:
    /// a service may be down for it.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            let Some(child) = self.child.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
            let Some(time) = self.kill_at.or(self.give_up_at) else { return child.wait().await };
            tokio::select! {
                biased;
                status = child.wait() => return status,
                () = sleep_until(time) => {}
            }
            if self.kill_at.take().is_none() {
                return Ok(ExitStatus::from_raw(Signal::KILL.as_raw()));
            }
            self.signal(Signal::KILL);
            self.give_up_at = Some(Instant::now() + GONE);
        }
    }

    fn signal(&self, signal: Signal) {
        // The id is there only as long as nobody has waited for the process, so it cannot be another's by now.
        let pid = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Ended already: nothing to do.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // A detached one is dropped when the runtime ends; restic has its SIGTERM by then.
        if self.detached || self.id().is_none() {
            return;
        }
        if self.kill_at.is_none() {
            self.end();
        }
        if let Ok(runtime) = Handle::try_current() {
            let (child, kill_after, kill_at) = (self.child.take(), self.kill_after, self.kill_at);
            let mut rest = Self { child, kill_after, kill_at, give_up_at: None, detached: true };
            runtime.spawn(async move {
                let _ = rest.wait().await;
            });
        }
    }
}
