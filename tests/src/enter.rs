//! Running commands in a box: `nsenter` into all namespaces of its PID 1, and into its control group, so that a
//! power cut takes them too.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Write as _},
    fs::{self, File},
    io::{Seek as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::NamedTempFile;

use crate::wait;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `sh -c` text that moves itself into the control group `$1` and becomes the rest.
const JOIN: &str = r#"mkdir -p "$1" && echo 0 > "$1/cgroup.procs" && shift && exec "$@""#;

/// Hears how every command in a box ended.
pub(crate) trait Audit: fmt::Debug + Send + Sync {
    /// This shell line or these words printed that.
    fn ended(&self, line: &str, output: &Output);
}

/// A command to be run in a box as root, with nothing of the host's environment.
#[derive(Debug)]
pub struct Call {
    leader: u32,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: String,
    stdin: Option<File>,
    audit: Option<Arc<dyn Audit>>,
}

/// How a command ended and all that it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code, or 128 and the signal's number.
    pub code: i32,
    /// Its stdout; what is not UTF-8 is replaced.
    pub stdout: String,
    /// Its stderr; what is not UTF-8 is replaced.
    pub stderr: String,
}

impl Call {
    /// Prepares a command for the box whose PID 1 the host knows as `leader`.
    pub(crate) fn new<S: AsRef<OsStr>>(leader: u32, argv: impl IntoIterator<Item = S>) -> Self {
        let term = std::env::var_os("TERM").unwrap_or_else(|| "dumb".into());
        let fixed = [
            ("PATH", PATH),
            ("HOME", "/root"),
            ("USER", "root"),
            ("LANG", "C.UTF-8"),
            ("SHELL", "/bin/bash"),
        ];
        let mut env: Vec<(OsString, OsString)> = fixed.map(|(key, value)| (key.into(), value.into())).into();
        env.push(("TERM".into(), term));
        let argv = argv.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self { leader, argv, env, directory: "/root".into(), stdin: None, audit: None }
    }

    /// Has somebody hear of its end.
    pub(crate) fn audited(self, audit: Option<Arc<dyn Audit>>) -> Self {
        Self { audit, ..self }
    }

    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Sets the directory in the box that it starts in; `/root` otherwise.
    #[must_use]
    pub fn directory(mut self, path: &str) -> Self {
        path.clone_into(&mut self.directory);
        self
    }

    /// Gives it a text to read; otherwise its stdin is empty.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Result<Self> {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_ref())?;
        file.rewind()?;
        self.stdin = Some(file);
        Ok(self)
    }

    /// Gives it a file of the host to read.
    #[must_use]
    pub fn stdin_from(mut self, file: File) -> Self {
        self.stdin = Some(file);
        self
    }

    /// Runs it to its end. An exit code other than 0 is no error here.
    pub fn run(self) -> Result<Output> {
        self.spawn()?.wait()
    }

    /// Runs it to its end and returns its stdout; an exit code other than 0 is an error with all that it printed.
    pub fn check(self) -> Result<String> {
        let line = self.line();
        let output = self.run()?;
        if output.code != 0 {
            bail!("`{line}` in the box:\n{output}");
        }
        Ok(output.stdout)
    }

    /// Starts it, in a session and process group of its own.
    pub fn spawn(mut self) -> Result<Running> {
        let (stdout, stderr) = (NamedTempFile::new()?, NamedTempFile::new()?);
        let stdin = self.stdin.take().map_or_else(Stdio::null, Stdio::from);
        let (line, audit) = (self.line(), self.audit.take());
        self.argv.insert(0, "setsid".into());
        let child = self.command().stdin(stdin).stdout(stdout.reopen()?).stderr(stderr.reopen()?).spawn();
        let child = child.with_context(|| format!("cannot enter the box for `{}`", self.line()))?;
        Ok(Running { child, stdout, stderr, line, audit })
    }

    /// Runs it on the terminal (or pipes) of this process, and returns its exit code.
    pub fn attach(self) -> Result<i32> {
        Ok(code(self.command().status().context("cannot enter the box")?))
    }

    fn command(&self) -> Command {
        let root = format!("/proc/{}/root", self.leader);
        // Where this process was told to ignore Ctrl-C, as a shell does to what it starts with `&`, the box is not, nor is
        // `nsenter`, which has to end by the signal that its child ended by.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT,QUIT", "sh", "-c", JOIN, "enter"])
            .arg(format!("{root}/sys/fs/cgroup/entered.scope"));
        command.args(["nsenter", "-t", &self.leader.to_string(), "-m", "-u", "-i", "-n", "-p", "-C"]);
        command.arg(format!("--root={root}")).arg(format!("--wd={root}{}", self.directory));
        command.args(["/usr/bin/env", "-i"]);
        for (key, value) in &self.env {
            let mut pair = key.clone();
            pair.push("=");
            pair.push(value);
            command.arg(pair);
        }
        command.args(&self.argv);
        command
    }

    fn line(&self) -> String {
        self.argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// As shells have it: the exit code, or 128 and the signal's number.
fn code(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(-1)
}

/// A command that runs in a box. Its output goes to files, so it never blocks on a reader.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
    line: String,
    audit: Option<Arc<dyn Audit>>,
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Result<Output> {
        let status = self.child.wait()?;
        let output =
            Output { code: code(status), stdout: self.stdout_so_far()?, stderr: self.stderr_so_far()? };
        if let Some(audit) = &self.audit {
            audit.ended(&self.line, &output);
        }
        Ok(output)
    }

    /// Waits for its end, which has to come within the given time.
    pub fn wait_within(mut self, limit: Duration) -> Result<Output> {
        if !wait::until(limit, || self.has_ended())? {
            bail!(
                "still running after {limit:?}; it printed\n{}{}",
                self.stdout_so_far()?,
                self.stderr_so_far()?
            );
        }
        self.wait()
    }

    /// Waits until its stdout contains a text.
    pub fn wait_for_stdout(&self, text: &str, limit: Duration) -> Result<()> {
        if !wait::until(limit, || Ok(self.stdout_so_far()?.contains(text)))? {
            bail!(
                "no `{text}` after {limit:?}; it printed\n{}{}",
                self.stdout_so_far()?,
                self.stderr_so_far()?
            );
        }
        Ok(())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Everything it has printed to stdout until now.
    pub fn stdout_so_far(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.stdout.path())?).into_owned())
    }

    /// Everything it has printed to stderr until now.
    pub fn stderr_so_far(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.stderr.path())?).into_owned())
    }

    /// The command's PID, as the host numbers it.
    pub fn pid(&self) -> Result<Pid> {
        let nsenter = self.child.id();
        // Before it is `nsenter` it is the shell, whose children are not the command.
        if fs::read_to_string(format!("/proc/{nsenter}/comm"))?.trim() != "nsenter" {
            bail!("the command has not started yet");
        }
        let children = fs::read_to_string(format!("/proc/{nsenter}/task/{nsenter}/children"))?;
        let first = children.split(' ').next().and_then(|pid| pid.parse().ok());
        first.and_then(Pid::from_raw).context("the command has not started or has ended")
    }

    /// Sends a signal to the command alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Sends a signal to the command and all that it started, as Ctrl-C on a terminal does.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        Ok(kill_process_group(self.pid()?, signal)?)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "exit code {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(formatter, "--- {name}\n{}", text.trim_end())?;
            }
        }
        formatter.write_char('\n')
    }
}
