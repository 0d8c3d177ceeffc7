//! Programs of the host, run to their end; and what is said to the one who waits for them.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Tells what takes time now, on stderr.
///
/// It writes past the capture of the test harness: somebody in front of `cargo test` has to know why
/// nothing seems to happen for two minutes.
pub fn say(message: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "box: {message}");
}

/// Runs a program with its output captured, and returns its stdout; any exit status but 0 is an error that
/// quotes what it said.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{shown}`"))?;
    if !result.status.success() {
        let stdout = String::from_utf8_lossy(&result.stdout);
        let stderr = String::from_utf8_lossy(&result.stderr);
        bail!("`{shown}` ended with {}\n{}", result.status, tail(&format!("{stdout}{stderr}"), 30));
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// The last `lines` lines of a text: where programs say what went wrong.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Whether a program of that name is on the path (or where `sbin` programs are, for users without it).
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .any(|directory| directory.join(program).is_file())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    // Scripts that are passed as one argument would fill the screen.
    line.split('\n').next().unwrap_or_default().to_owned()
}
