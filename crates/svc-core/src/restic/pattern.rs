//! Paths as restic's patterns, which would otherwise read some of their characters as wildcards.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// `--include=` for exactly this path. As an option and not in a file: a file's lines lose blanks at their ends.
pub(super) fn include(path: &Path) -> OsString {
    let mut argument = b"--include=".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        if b"\\*?[".contains(&byte) {
            argument.push(b'\\');
        }
        argument.push(byte);
    }
    OsString::from_vec(argument)
}

/// `NAME=VALUE` as one argument, so that a value never stands where an option could.
pub(super) fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut argument = OsString::from(name);
    argument.push("=");
    argument.push(value);
    argument
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_lose_their_meaning() {
        assert_eq!(include(Path::new(r"/a*/[b]?/c\d -e")), r"--include=/a\*/\[b]\?/c\\d -e");
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let path = OsStr::from_bytes(b"/a\xff\n");
        assert_eq!(include(Path::new(path)).as_bytes(), b"--include=/a\xff\n");
        assert_eq!(option("--tag", "-x"), "--tag=-x");
    }
}
