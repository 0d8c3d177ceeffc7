//! Starting a box: `systemd-nspawn` in a private mount namespace, and the wait until systemd says it is up.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{place, state, tool};

/// A box boots in seconds; with all of its containers, on a machine that does other things too, in a minute.
const DEADLINE: Duration = Duration::from_mins(3);

/// What a box is started with.
pub(crate) struct Plan<'a> {
    pub(crate) name: &'a str,
    pub(crate) hostname: &'a str,
    pub(crate) root: &'a Path,
    /// Loop devices, each with the path in the box under which it is there.
    pub(crate) devices: Vec<(PathBuf, String)>,
}

/// A box that has been started: its PID 1 exists, its services may still be starting.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) leader: u32,
    pub(crate) child: Child,
    socket: UnixDatagram,
    console: PathBuf,
    ready: bool,
}

impl Boot {
    /// Starts a box and returns as soon as its PID 1 exists.
    pub(crate) fn start(plan: &Plan<'_>) -> Result<Self> {
        let path = state::socket(plan.name);
        let _ = fs::remove_file(&path);
        let socket =
            UnixDatagram::bind(&path).with_context(|| format!("cannot bind `{}`", path.display()))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let console = state::console(plan.name);
        let child = spawn(plan, &path, &console)?;
        let mut boot = Self { leader: 0, child, socket, console, ready: false };
        boot.listen_until(|boot| boot.leader != 0)?;
        Ok(boot)
    }

    /// Waits until systemd in the box has finished its boot, all enabled services included.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        self.listen_until(|boot| boot.ready)
    }

    /// Reads what nspawn and the systemd in the box report, until `done`.
    fn listen_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            self.listen()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("the box ended while it booted, with {status}\n{}", self.console_tail());
            }
            if Instant::now() > deadline {
                bail!("the box did not finish its boot within {DEADLINE:?}\n{}", self.console_tail());
            }
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error).context("cannot hear from the box"),
        };
        for line in String::from_utf8_lossy(&buffer[..length]).lines() {
            match line.split_once('=') {
                Some(("X_NSPAWN_LEADER_PID", pid)) => self.leader = pid.parse().context("no PID")?,
                Some(("READY", "1")) => self.ready = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn console_tail(&self) -> String {
        tool::tail(&String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()), 30)
    }
}

/// Removes what nspawn leaves in `/run` when it is killed; it is there for mounts, which died with it.
pub(crate) fn forget(name: &str) {
    for kind in ["propagate", "unix-export"] {
        // Missing is what was wanted.
        let _ = fs::remove_dir(Path::new("/run/systemd/nspawn").join(kind).join(place::scope(name)));
    }
}

fn spawn(plan: &Plan<'_>, socket: &Path, console: &Path) -> Result<Child> {
    let log = File::create(console).with_context(|| format!("cannot create `{}`", console.display()))?;
    // A session of its own: Ctrl-C at the test's terminal is not for the box.
    Command::new("setsid")
        .args(["unshare", "--mount", "sh", "-c", include_str!("boot.sh"), "boot", &place::scope(plan.name)])
        .arg(plan.root)
        .args(arguments(plan))
        .env("NOTIFY_SOCKET", socket)
        // Docker's and the tests' own system calls are not this filter's business.
        .env("SYSTEMD_SECCOMP", "0")
        // Its lock files would stay after a power cut; our own locks do this work.
        .env("SYSTEMD_NSPAWN_LOCK", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start `systemd-nspawn`")
}

fn arguments(plan: &Plan<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--directory".into(), plan.root.into()];
    arguments.push(format!("--machine={}", place::scope(plan.name)).into());
    arguments.push(format!("--hostname={}", plan.hostname).into());
    let fixed = [
        "--boot",
        "--register=no",
        "--keep-unit",
        "--notify-ready=yes",
        "--console=read-only",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--capability=all",
        "--private-network",
    ];
    arguments.extend(fixed.map(Into::into));
    for (device, inside) in &plan.devices {
        let mut bind = OsString::from("--bind=");
        bind.push(device);
        bind.push(":");
        bind.push(inside);
        arguments.push(bind);
    }
    arguments
}
