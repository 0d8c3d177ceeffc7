//! svc's own directory: whether it can be written, has room, and what lies there can be read.

use std::path::Path;

use rustix::fs::{Access, StatVfs};

use super::{Finding, Grade, is_owner};
use crate::code::Code;
use crate::config::Config;
use crate::failure::Failure;
use crate::names::ServiceName;
use crate::records::ServiceRecord;
use crate::scope::Scope;

const CHECK: &str = "state";
const MIB: u64 = 1 << 20;
/// Less is not enough for the logs of one night.
const LEAST: u64 = 16 * MIB;
/// Less is soon gone.
const LITTLE: u64 = 256 * MIB;

/// The records of services that cannot be read; a repository's is told of with the repository.
pub(super) fn records(config: &Config, scope: &Scope) -> Vec<Finding> {
    let lost = |name: &ServiceName| ServiceRecord::load(&scope.records_dir(), name).lost.failure();
    let finding = |name: &ServiceName| Some(Finding::problem(format!("service {name}"), lost(name)?));
    config.services.keys().filter_map(finding).collect()
}

pub(super) fn check(scope: &Scope) -> Vec<Finding> {
    let directory = &scope.state_dir;
    // Before the first run it is not there; what is above it says whether it can be.
    let Some(there) = directory.ancestors().find(|path| path.exists()) else { return Vec::new() };
    let mut findings = vec![room(directory, there)];
    if !is_owner(scope) {
        let said = "only root can tell whether it can be written";
        findings.push(Finding::new(CHECK, Grade::Skipped, said).fix("sudo svc doctor"));
    } else if let Err(why) = writable(there) {
        let failure = Failure::new(Code::Failed, format!("`{}` cannot be written", directory.display()));
        let fix = format!("ls -ld {}", there.display());
        findings.push(Finding::problem(CHECK, failure.because(why).hint(fix)));
    }
    findings
}

fn writable(there: &Path) -> Result<(), String> {
    if !there.is_dir() {
        return Err(format!("`{}` is not a directory", there.display()));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| error.to_string())
}

fn room(directory: &Path, there: &Path) -> Finding {
    match rustix::fs::statvfs(there) {
        Ok(room) => judge(directory, &room),
        Err(error) => {
            let failure = Failure::new(Code::Failed, format!("`{}` cannot be seen", directory.display()));
            Finding::problem(
                CHECK,
                failure.because(error.to_string()).hint(format!("ls -ld {}", there.display())),
            )
        }
    }
}

fn judge(directory: &Path, room: &StatVfs) -> Finding {
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let no_inode = room.f_files > 0 && room.f_favail == 0;
    let said = if no_inode {
        format!("`{}` has no room for one more file", directory.display())
    } else {
        format!("`{}` has {} MiB free", directory.display(), free / MIB)
    };
    let grade = match free {
        _ if no_inode => Grade::Problem,
        0..LEAST => Grade::Problem,
        LEAST..LITTLE => Grade::Warning,
        _ => return Finding::good(CHECK, said),
    };
    Finding::new(CHECK, grade, said).fix(format!("make room in the file system of {}", directory.display()))
}
