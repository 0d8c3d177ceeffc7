//! Who else can read a file that holds a secret.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A secret file that must not be used.
#[derive(Debug)]
pub struct SecretFileError {
    /// The file as it was named.
    pub file: PathBuf,
    /// Why not.
    pub fault: SecretFileFault,
}

/// Why a secret file must not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileFault {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// It cannot be looked at.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// A directory, a pipe, a socket or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Everyone can read or write it, or its group can write it.
    #[error("is open to {who} (mode {mode:04o})")]
    TooOpen {
        /// To whom.
        who: &'static str,
        /// The permission bits.
        mode: u32,
    },
}

impl fmt::Display for SecretFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret file `{}` {}", self.file.display(), self.fault)
    }
}

impl std::error::Error for SecretFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The fault itself is in the text already.
        self.fault.source()
    }
}

impl SecretFileError {
    /// Whether others can read or write it; else it is no file, or cannot be read.
    #[must_use]
    pub const fn is_loose(&self) -> bool {
        matches!(self.fault, SecretFileFault::TooOpen { .. })
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self.fault {
            SecretFileFault::TooOpen { .. } => Some(format!("chmod 0600 {}", self.file.display())),
            SecretFileFault::Missing | SecretFileFault::Unreadable(_) | SecretFileFault::NotAFile => None,
        }
    }
}

/// A secret file that can be used, though its group can read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret file `{}` can be read by its group (mode {mode:04o})", file.display())]
pub struct GroupReadable {
    /// The file as it was named.
    pub file: PathBuf,
    /// The permission bits.
    pub mode: u32,
}

const GROUP_READ: u32 = 0o040;
const GROUP_WRITE: u32 = 0o020;
const WORLD_READ_OR_WRITE: u32 = 0o006;

/// Looks at the mode of a secret file, links followed. In systemd's credentials directory nothing is said about the
/// group: the access list there shows as group bits, and systemd guards the directory itself.
pub fn check(path: &Path, credentials: Option<&Path>) -> Result<Option<GroupReadable>, SecretFileError> {
    let error = |fault| SecretFileError { file: path.to_owned(), fault };
    let metadata = std::fs::metadata(path).map_err(|cause| {
        error(match cause.kind() {
            io::ErrorKind::NotFound => SecretFileFault::Missing,
            _ => SecretFileFault::Unreadable(cause),
        })
    })?;
    if !metadata.is_file() {
        return Err(error(SecretFileFault::NotAFile));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & WORLD_READ_OR_WRITE != 0 {
        return Err(error(SecretFileFault::TooOpen { who: "everyone", mode }));
    }
    if mode & GROUP_WRITE != 0 {
        return Err(error(SecretFileFault::TooOpen { who: "writing by its group", mode }));
    }
    let told = mode & GROUP_READ != 0 && !credentials.is_some_and(|directory| lies_in(path, directory));
    Ok(told.then(|| GroupReadable { file: path.to_owned(), mode }))
}

fn lies_in(path: &Path, directory: &Path) -> bool {
    match (path.canonicalize(), directory.canonicalize()) {
        (Ok(path), Ok(directory)) => path.starts_with(directory),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn file_with(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_of_its_owner_alone_is_fine() {
        for mode in [0o600, 0o400, 0o700, 0o610, 0o601] {
            let (_dir, path) = file_with(mode);
            assert_eq!(check(&path, None).unwrap(), None, "{mode:o}");
        }
    }

    #[test]
    fn a_file_open_to_everyone_or_writable_by_its_group_is_refused() {
        for mode in [0o644, 0o604, 0o602, 0o666, 0o620, 0o660, 0o664] {
            let (_dir, path) = file_with(mode);
            let error = check(&path, None).unwrap_err();
            assert!(matches!(error.fault, SecretFileFault::TooOpen { mode: m, .. } if m == mode), "{mode:o}");
        }
    }

    #[test]
    fn the_refusal_says_to_whom_it_is_open_and_what_to_do() {
        let (_dir, path) = file_with(0o644);
        let error = check(&path, None).unwrap_err();
        let shown = path.display();
        assert_eq!(error.to_string(), format!("secret file `{shown}` is open to everyone (mode 0644)"));
        assert_eq!(error.hint(), Some(format!("chmod 0600 {shown}")));
    }

    #[test]
    fn a_file_that_its_group_can_read_is_taken_with_a_warning() {
        let (_dir, path) = file_with(0o640);
        let warning = check(&path, None).unwrap();
        assert_eq!(warning, Some(GroupReadable { file: path, mode: 0o640 }));
    }

    #[test]
    fn in_the_credentials_directory_group_bits_are_no_warning_but_the_world_is_refused() {
        let (dir, path) = file_with(0o440);
        assert_eq!(check(&path, Some(dir.path())).unwrap(), None);
        let other = tempfile::tempdir().unwrap();
        assert!(check(&path, Some(other.path())).unwrap().is_some(), "another directory");
        let (dir, path) = file_with(0o444);
        assert!(check(&path, Some(dir.path())).is_err());
    }

    #[test]
    fn a_link_is_judged_by_where_it_leads() {
        let (dir, path) = file_with(0o644);
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(check(&link, None).is_err());
        let elsewhere = tempfile::tempdir().unwrap();
        let (_dir, path) = file_with(0o440);
        let link = elsewhere.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(check(&link, Some(elsewhere.path())).unwrap().is_some(), "only the link lies in there");
    }

    #[test]
    fn what_is_missing_or_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(check(dir.path(), None).unwrap_err().fault, SecretFileFault::NotAFile));
        let missing = check(&dir.path().join("x"), None).unwrap_err();
        assert!(matches!(missing.fault, SecretFileFault::Missing));
    }
}
