//! One `journalctl`, from its start to its end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::entry::FIELDS;
use crate::code::Code;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::names::UnitName;
use crate::scope::ScopeKind;

/// So much is read at once.
const READ: usize = 64 * 1024;
/// Of stderr this much is kept.
const LONGEST_STDERR: usize = 4096;

/// How to read the journal.
#[derive(Debug, Clone)]
pub struct Journal {
    /// `journalctl`, by name or by path.
    pub program: PathBuf,
    /// Where it is looked for.
    pub path: OsString,
    /// Whose units.
    pub scope: ScopeKind,
}

/// A running `journalctl`. Dropped, it is killed: it only reads.
pub(super) struct Running {
    child: Child,
    stdout: ChildStdout,
    stderr: JoinHandle<Vec<u8>>,
    lines: Lines,
    buffer: Vec<u8>,
}

/// What comes next of it.
pub(super) enum Portion {
    /// Lines.
    Lines(Vec<Vec<u8>>),
    /// Nothing more.
    End(Ended),
}

/// How it ended.
pub(super) struct Ended {
    pub(super) success: bool,
    /// In words.
    pub(super) how: String,
    /// The beginning of what it said.
    pub(super) stderr: String,
}

impl Journal {
    /// The argument that asks for a unit's entries.
    pub(super) fn unit(&self, unit: &UnitName) -> String {
        match self.scope {
            ScopeKind::System => format!("--unit={unit}"),
            ScopeKind::User => format!("--user-unit={unit}"),
        }
    }
}

impl Running {
    pub(super) fn start(journal: &Journal, arguments: &[String]) -> Result<Self, Failure> {
        let program = journal.program.display();
        let mut child = spawn(journal, arguments).map_err(|error| {
            let failure = match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(Code::ManagerUnreachable, format!("`{program}` is not installed"))
                }
                _ => Failure::new(Code::Internal, format!("`{program}` cannot be started")),
            };
            failure.because(error.to_string())
        })?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Failure::new(Code::Internal, format!("`{program}` has no output")));
        };
        let stderr = tokio::spawn(head(stderr));
        Ok(Self { child, stdout, stderr, lines: Lines::default(), buffer: vec![0; READ] })
    }

    /// What comes next. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Portion {
        let length = self.stdout.read(&mut self.buffer).await.unwrap_or(0);
        let mut found = Vec::new();
        if length > 0 {
            let bytes = self.buffer.get(..length).unwrap_or_default();
            self.lines.push(bytes, &mut |line| found.push(line.to_vec()));
            return Portion::Lines(found);
        }
        Portion::End(self.end().await)
    }

    async fn end(&mut self) -> Ended {
        let stderr = (&mut self.stderr).await.unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        match self.child.wait().await {
            Ok(status) => Ended { success: status.success(), how: status.to_string(), stderr },
            Err(error) => Ended { success: false, how: error.to_string(), stderr },
        }
    }
}

fn spawn(journal: &Journal, arguments: &[String]) -> io::Result<Child> {
    let mut command = Command::new(&journal.program);
    command.args(["--output=json", "--all", "--no-pager"]).arg(format!("--output-fields={FIELDS}"));
    command.args(arguments).env_clear().env("PATH", &journal.path);
    // A fixed language, and a group of its own: Ctrl-C on the terminal is svc's to handle.
    command.env("LC_ALL", "C.UTF-8").current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// The beginning of all that comes; the rest is read and forgotten, so that nobody waits.
async fn head(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let room = LONGEST_STDERR.saturating_sub(kept.len()).min(length);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    kept
}
