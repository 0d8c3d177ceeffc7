//! Which processes a command starts in a box, whoever their parent is: it may have systemd start them.

use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::{Machine, enter::Output, wait};

/// Each process has a file of its own: in a common one, entries are torn.
const TRACE: &str = "/run/processes";
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a shell line, and gives the argument lists of all that became the program of this name.
pub fn started(machine: &Machine, line: &str, program: &str) -> Result<(Vec<String>, Output)> {
    machine.check(&format!("rm -rf {TRACE} && mkdir {TRACE}"))?;
    let (manager, own) = (format!("{TRACE}/manager"), format!("{TRACE}/own"));
    let trace = ["strace", "-ff", "-qq", "-s", "4096", "-e", "trace=execve", "-o"];
    let manager = machine.program(trace.iter().copied().chain([&*manager, "-p", "1"]))?.spawn()?;
    let is_traced = || Ok(!machine.read("/proc/1/status")?.contains("TracerPid:\t0"));
    if !wait::until(DEADLINE, is_traced)? {
        bail!("the box's PID 1 cannot be traced: {}", manager.stderr_so_far()?);
    }
    let output = machine.program(trace.iter().copied().chain([&*own, "sh", "-c", line]))?.run();
    manager.signal(Signal::INT)?;
    manager.wait_within(DEADLINE)?;
    let said = machine.check(&format!("cat {TRACE}/*"))?;
    let is_that = |entry: &&str| entry.contains(&format!("/{program}\", [")) && entry.ends_with("= 0");
    Ok((said.lines().filter(is_that).map(arguments).collect(), output?))
}

/// `execve("/usr/bin/restic", ["restic", "version"], 0x… /* 7 vars */) = 0` as `restic version`.
fn arguments(entry: &str) -> String {
    let list =
        entry.split_once(", [").and_then(|(_, rest)| rest.split_once("], ")).map_or("", |(list, _)| list);
    list.split(", ").map(|word| word.trim_matches('"')).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_shown_as_it_would_be_typed() {
        let entry =
            r#"execve("/usr/bin/restic", ["/usr/bin/restic", "cat", "config"], 0x7 /* 9 vars */) = 0"#;
        assert_eq!(arguments(entry), "/usr/bin/restic cat config");
    }
}
