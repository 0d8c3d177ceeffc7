//! Whether a process lives, and which one it is: the kernel gives the id of a process that is gone to another.

use std::fs;
use std::io::ErrorKind;

/// Where the start is in what follows a process's name in `/proc/<pid>/stat`: proc(5) counts it as the 22nd field.
const START: usize = 22 - 3;

/// What the kernel says of a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// No process has it.
    Gone,
    /// A process has it, started so many ticks after the machine; nothing: that cannot be known.
    Lives(Option<u64>),
}

/// Looks at a process. One that cannot be looked at lives.
#[must_use]
pub fn life(pid: u32) -> Life {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => Life::Lives(start(&String::from_utf8_lossy(&stat))),
        Err(error) if error.kind() == ErrorKind::NotFound => Life::Gone,
        Err(_) => Life::Lives(None),
    }
}

/// When a process was started, in ticks after the machine, whatever the clock on the wall says; nothing: that cannot be
/// known. With its id this is one process and no other.
#[must_use]
pub fn born(pid: u32) -> Option<u64> {
    match life(pid) {
        Life::Lives(born) => born,
        Life::Gone => None,
    }
}

/// The name before it may hold anything, brackets and blanks too.
fn start(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split(' ').nth(START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name() {
        for name in ["restic", "a b", "a) 1 2", ") ) ("] {
            let stat = format!(
                "7 ({name}) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 226934784 1280 18446744073709551615"
            );
            assert_eq!(start(&stat), Some(4711), "{name}");
        }
        assert_eq!((start(""), start("7 (restic) S 1")), (None, None));
    }

    #[test]
    fn a_process_lives_from_its_start_to_its_end() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let born = born(child.id());
        assert!(born.is_some_and(|born| Some(born) >= super::born(std::process::id())), "{born:?}");
        assert_eq!(life(child.id()), Life::Lives(born));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(life(child.id()), Life::Gone);
    }
}
