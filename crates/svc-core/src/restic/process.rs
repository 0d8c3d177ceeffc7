//! One process of restic, from its start to its end.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, input};
use super::leash::Leash;
use super::stall::{Stall, bytes_moved};
use super::stderr::{Heard, Stderr};
use super::{Progress, Redactor, Started};
use crate::life::born;
use crate::names::RepositoryName;

/// How often a running process's output is looked at.
const LOOK: Duration = Duration::from_millis(150);

/// What to run.
pub(super) struct Job {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub(super) environment: Vec<(String, OsString)>,
    /// Nothing: no stdin.
    pub(super) stdin: Option<Vec<u8>>,
    pub(super) redactor: Redactor,
    pub(super) limits: JobLimits,
    /// Who is told its process id; nobody: it takes no lock.
    pub(super) told: Option<(broadcast::Sender<Started>, RepositoryName)>,
}

/// When a process has had its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobLimits {
    /// How long it may take in all; nothing: as long as it gets on.
    pub(super) deadline: Option<Duration>,
    /// How long it may stand still; nothing: as long as its deadline.
    pub(super) stall: Option<Duration>,
    /// How often it is looked whether it stands still.
    pub(super) stall_look: Duration,
    /// From SIGTERM to SIGKILL.
    pub(super) kill_after: Duration,
    /// Whether connections that fail are tried again as long as restic likes.
    pub(super) patient: bool,
}

/// Why svc ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to.
    Cancelled,
    /// The deadline passed.
    Deadline,
    /// It stood still.
    Stalled,
    /// It tried in vain.
    InVain,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Nothing: it ended by itself.
    pub(super) stop: Option<Stop>,
    pub(super) heard: Heard,
}

/// What is done with its output while it comes.
pub(super) trait Sink: Send {
    /// Takes the next piece.
    fn take(&mut self, bytes: &[u8]);

    /// How far it is, as far as the output tells.
    fn progress(&self) -> Progress {
        Progress::default()
    }
}

/// Everything is kept.
impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Runs it to its end. When this future is dropped, restic is asked to end in good order.
pub(super) async fn run(job: Job, sink: &mut dyn Sink, cancel: &CancellationToken) -> io::Result<Ended> {
    let (stdout, stderr) = (Capture::new("restic-stdout")?, Capture::new("restic-stderr")?);
    let child = start(&job, &stdout, &stderr)?;
    if let Some(((sender, repository), pid)) = job.told.zip(child.id()) {
        // Nobody may be listening.
        let _ = sender.send(Started { repository, pid, born: born(pid) });
    }
    let limits = job.limits;
    let heard = Stderr::new(job.redactor);
    let mut running = Running { leash: Leash::new(child, limits.kill_after), stdout, stderr, heard, sink };
    let (status, stop) = running.watch(limits, cancel).await?;
    running.read_all()?;
    Ok(Ended { status, stop, heard: running.heard.finish() })
}

fn start(job: &Job, stdout: &Capture, stderr: &Capture) -> io::Result<Child> {
    let stdin = job.stdin.as_deref().map_or_else(|| Ok(Stdio::null()), input)?;
    let environment = job.environment.iter().map(|(name, value)| (name, value));
    // A group of its own: Ctrl-C on the terminal is svc's to handle.
    let mut command = Command::new(&job.program);
    command.args(&job.arguments).env_clear().envs(environment).current_dir("/").process_group(0);
    command.stdin(stdin).stdout(stdout.stdio()?).stderr(stderr.stdio()?).spawn()
}

struct Running<'a> {
    leash: Leash,
    stdout: Capture,
    stderr: Capture,
    heard: Stderr,
    sink: &'a mut dyn Sink,
}

impl Running<'_> {
    async fn watch(
        &mut self,
        limits: JobLimits,
        cancel: &CancellationToken,
    ) -> io::Result<(ExitStatus, Option<Stop>)> {
        let deadline = limits.deadline.and_then(|limit| Instant::now().checked_add(limit));
        let mut look = every(LOOK);
        let mut stall_look = every(limits.stall_look);
        let mut stall = limits.stall.map(Stall::new);
        let mut stop = None;
        loop {
            let open = stop.is_none();
            let why = tokio::select! {
                biased;
                status = self.leash.wait() => return Ok((status?, stop)),
                () = cancel.cancelled(), if open => Some(Stop::Cancelled),
                () = until(deadline), if open => Some(Stop::Deadline),
                _ = stall_look.tick(), if open => self.stalled(stall.as_mut(), limits.stall_look),
                _ = look.tick() => {
                    self.read()?;
                    (open && self.heard.heard().is_in_vain(limits.patient)).then_some(Stop::InVain)
                }
            };
            if let Some(why) = why {
                self.leash.end();
                stop = Some(why);
            }
        }
    }

    fn stalled(&mut self, stall: Option<&mut Stall>, span: Duration) -> Option<Stop> {
        let written = self.stdout.bytes() + self.stderr.bytes();
        let moved = self.leash.id().and_then(bytes_moved).map(|bytes| bytes.saturating_sub(written));
        stall?.after(span, self.sink.progress(), moved).then_some(Stop::Stalled)
    }

    /// Reads what is new, one portion at most.
    fn read(&mut self) -> io::Result<bool> {
        let out = self.stdout.drain(&mut |bytes| self.sink.take(bytes))?;
        let err = self.stderr.drain(&mut |bytes| self.heard.push(bytes))?;
        Ok(out && err)
    }

    fn read_all(&mut self) -> io::Result<()> {
        while !self.read()? {}
        Ok(())
    }
}

fn every(span: Duration) -> tokio::time::Interval {
    let mut interval = interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once: nothing has happened by then.
    interval.reset();
    interval
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
