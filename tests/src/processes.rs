//! Which processes a command starts in a box, whoever their parent is: it may have systemd start them. And whom it and they
//! send signals to.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::{Machine, enter::Output, wait};

/// Each process has a file of its own: in a common one, entries are torn.
const TRACE: &str = "/run/processes";
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a shell line, and gives the argument lists of all that became the program of this name.
pub fn started(machine: &Machine, line: &str, program: &str) -> Result<(Vec<String>, Output)> {
    let output = traced(machine, &["-s", "4096", "-e", "trace=execve"], &["sh", "-c", line])?;
    let said = machine.check(&format!("cat {TRACE}/*"))?;
    let is_that = |entry: &&str| entry.contains(&format!("/{program}\", [")) && entry.ends_with("= 0");
    Ok((said.lines().filter(is_that).map(arguments).collect(), output))
}

/// Runs a program, and gives the signals that it, what it started and what it had systemd start sent to any other
/// process, whether there was one or not. Looks whether a process is there, which are signals of the number 0, are none;
/// nor are those of systemd itself, which ends its own units.
pub fn foreign_signals(machine: &Machine, argv: &[&str]) -> Result<(Vec<String>, Output)> {
    let calls = "trace=kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo,rt_tgsigqueueinfo";
    let output = traced(machine, &["-yy", "-e", calls, "-e", "signal=none"], argv)?;
    let names = machine.check(&format!("ls {TRACE}"))?;
    let own: BTreeSet<u32> = names.lines().filter_map(|name| name.rsplit('.').next()?.parse().ok()).collect();
    let said = machine.check(&format!("rm {TRACE}/manager.1; cat {TRACE}/*"))?;
    let is_foreign = |entry: &&str| target(entry).is_none_or(|target| !own.contains(&target));
    Ok((
        said.lines().filter(|entry| is_signal(entry)).filter(is_foreign).map(str::to_owned).collect(),
        output,
    ))
}

/// Runs a program with all that it starts, and all that systemd starts meanwhile, under `strace`.
fn traced(machine: &Machine, options: &[&str], argv: &[&str]) -> Result<Output> {
    machine.check(&format!("rm -rf {TRACE} && mkdir {TRACE}"))?;
    let (manager, own) = (format!("{TRACE}/manager"), format!("{TRACE}/own"));
    let trace = || ["strace", "-ff", "-qq"].iter().chain(options).copied();
    let manager = machine.program(trace().chain(["-o", &*manager, "-p", "1"]))?.spawn()?;
    let is_traced = || Ok(!machine.read("/proc/1/status")?.contains("TracerPid:\t0"));
    if !wait::until(DEADLINE, is_traced)? {
        bail!("the box's PID 1 cannot be traced: {}", manager.stderr_so_far()?);
    }
    let output = machine.program(trace().chain(["-o", &*own]).chain(argv.iter().copied()))?.run();
    manager.signal(Signal::INT)?;
    manager.wait_within(DEADLINE)?;
    output
}

/// Whether an entry is of more than a look whether somebody is there.
fn is_signal(entry: &str) -> bool {
    entry.contains("SIG")
}

/// Whom a signal was for: `kill(12, SIGHUP) = 0`, `pidfd_send_signal(8<pid:12>, SIGHUP, NULL, 0) = 0`. A negative number
/// is a group's.
fn target(entry: &str) -> Option<u32> {
    let first = entry.split_once('(')?.1.split([',', ')']).next()?;
    let number = first.split_once("<pid:").map_or(first, |(_, rest)| rest.trim_end_matches('>'));
    number.trim_start_matches('-').parse().ok()
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
    fn the_target_of_a_signal_is_found_however_it_is_sent() {
        for entry in [
            "kill(12, SIGHUP) = 0",
            "kill(-12, SIGKILL) = -1 ESRCH (No such process)",
            "tgkill(12, 13, SIGURG) = 0",
            "pidfd_send_signal(8<pid:12>, SIGHUP, NULL, 0) = 0",
        ] {
            assert_eq!((target(entry), is_signal(entry)), (Some(12), true), "{entry}");
        }
        assert!(!is_signal("kill(12, 0) = 0"));
    }

    #[test]
    fn an_entry_is_shown_as_it_would_be_typed() {
        let entry =
            r#"execve("/usr/bin/restic", ["/usr/bin/restic", "cat", "config"], 0x7 /* 9 vars */) = 0"#;
        assert_eq!(arguments(entry), "/usr/bin/restic cat config");
    }
}
