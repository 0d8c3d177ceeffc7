//! The restic that is installed.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::ResticError;

/// The oldest restic that will do: 0.17 brought the codes 10 to 12, clean ends on SIGTERM and counts in the list of
/// snapshots, and 0.17.1 mended its JSON errors.
pub const MINIMUM_VERSION: &str = "0.17.1";

const MINIMUM: [u32; 3] = [0, 17, 1];

/// The absolute path of a program: itself when it has a `/`, else the first in `path` that can be executed.
pub(super) fn find(program: &Path, path: &OsStr) -> Result<PathBuf, ResticError> {
    let found = if program.components().count() > 1 || program.is_absolute() {
        program.is_absolute().then(|| program.to_owned()).filter(|file| is_program(file))
    } else {
        let directories = std::env::split_paths(path).filter(|directory| directory.is_absolute());
        directories.map(|directory| directory.join(program)).find(|file| is_program(file))
    };
    found.ok_or_else(|| ResticError::Missing { program: program.display().to_string() })
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The version in what `restic version` printed, if it will do.
pub(super) fn version(output: &str) -> Result<String, ResticError> {
    let found = output.strip_prefix("restic ").and_then(|rest| rest.split_whitespace().next());
    let numbers = found.and_then(numbers);
    match (found, numbers) {
        (Some(found), Some(numbers)) if numbers >= MINIMUM => Ok(found.to_owned()),
        (Some(found), Some(_)) => {
            Err(ResticError::TooOld { found: found.to_owned(), needed: MINIMUM_VERSION })
        }
        _ => Err(ResticError::Output {
            verb: "version",
            repository: String::new(),
            reason: "no version number".to_owned(),
        }),
    }
}

/// `0.18.0` or `0.18.0-dev` as numbers.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let plain = version.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_the_minimum_on_will_do() {
        for good in ["0.17.1", "0.18.0-dev", "0.19", "1.0.0"] {
            let output = format!("restic {good} compiled with go1.24.4 on linux/amd64\n");
            assert_eq!(version(&output), Ok(good.to_owned()));
        }
    }

    #[test]
    fn older_ones_and_other_programs_will_not() {
        for old in ["0.17.0", "0.14.0", "0.9.6"] {
            let error = version(&format!("restic {old} compiled")).unwrap_err();
            assert_eq!(error, ResticError::TooOld { found: old.to_owned(), needed: "0.17.1" });
        }
        for odd in ["", "rustic 0.18.0", "restic", "restic x.y"] {
            assert!(matches!(version(odd), Err(ResticError::Output { .. })), "{odd}");
        }
    }

    #[test]
    fn a_program_that_is_no_restic_is_told_without_a_repository() {
        let told = version("rustic 0.18.0").unwrap_err().to_string();
        assert_eq!(told, "restic version wrote something unexpected: no version number");
    }

    #[test]
    fn it_is_looked_for_in_the_given_path_only() {
        assert_eq!(find(Path::new("sh"), OsStr::new("/nowhere:.:/bin")), Ok("/bin/sh".into()));
        assert_eq!(find(Path::new("/bin/sh"), OsStr::new("")), Ok("/bin/sh".into()));
        // Tests run in the crate's directory, where `tests/data` has one.
        for (program, path) in [
            ("restic", "tests/data"),
            ("sh", ""),
            ("sh", "/nowhere"),
            ("bin/sh", "/"),
            ("/etc/passwd", "/"),
            ("etc", "/"),
        ] {
            let missing = ResticError::Missing { program: program.to_owned() };
            assert_eq!(find(Path::new(program), OsStr::new(path)), Err(missing), "{program}");
        }
    }
}
