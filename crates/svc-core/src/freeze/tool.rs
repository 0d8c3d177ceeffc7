//! The programs of file systems: `btrfs` and `zfs`. No shell, no option that a name could be, never without an end.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::FreezeError;

/// They answer in milliseconds; a busy disk may let them wait.
const LONGEST: Duration = Duration::from_mins(1);
/// How much of what they say is kept.
const KEPT: usize = 2000;

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) program: &'static str,
    pub(super) path: OsString,
}

impl Tool {
    /// Runs it; what it wrote to stdout, as text.
    pub(super) async fn run(&self, arguments: &[&OsStr]) -> Result<String, FreezeError> {
        let output = self.bytes(arguments).await?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Runs it; what it wrote to stdout.
    pub(super) async fn bytes(&self, arguments: &[&OsStr]) -> Result<Vec<u8>, FreezeError> {
        let mut command = Command::new(self.program);
        command.args(arguments).env_clear().env("PATH", &self.path).env("LC_ALL", "C.UTF-8");
        command.current_dir("/").process_group(0).kill_on_drop(true).stdin(Stdio::null());
        let failed = |said: String| FreezeError::Program { program: self.program, said };
        let output = timeout(LONGEST, command.output())
            .await
            .map_err(|_| failed(format!("no end within {} s", LONGEST.as_secs())))?
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => failed("it is not installed".to_owned()),
                _ => failed(error.to_string()),
            })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let start = said.floor_char_boundary(said.len().saturating_sub(KEPT));
        let said = said.get(start..).unwrap_or_default().trim();
        // zfs-fuse can fail without a word.
        Err(failed(if said.is_empty() { output.status.to_string() } else { said.to_owned() }))
    }
}
