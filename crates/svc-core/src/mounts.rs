//! What is mounted, from `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Whether something is mounted exactly there. Unknown counts as no.
#[must_use]
pub fn is_mount_point(path: &Path) -> bool {
    mount_points().iter().any(|mount| mount == path)
}

/// Mount points strictly below a directory.
#[must_use]
pub fn below(path: &Path) -> Vec<PathBuf> {
    mount_points().into_iter().filter(|mount| mount != path && mount.starts_with(path)).collect()
}

fn mount_points() -> Vec<PathBuf> {
    std::fs::read("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// The fifth field of each line; space, tab, newline and backslash are written in octal.
fn parse(mountinfo: &[u8]) -> Vec<PathBuf> {
    let field = |line: &[u8]| line.split(|&byte| byte == b' ').nth(4).map(unescape);
    mountinfo.split(|&byte| byte == b'\n').filter_map(field).collect()
}

fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| first == b'\\').and_then(octal);
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_mount_points_are_read_back() {
        let text =
            b"22 27 0:21 / /proc rw - proc proc rw\n23 27 8:1 / /a\\040b\\134c rw - ext4 /dev/sda rw\n";
        assert_eq!(parse(text), [PathBuf::from("/proc"), PathBuf::from("/a b\\c")]);
    }

    #[test]
    fn the_running_system_has_its_own_mounts() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/self")));
        assert!(below(Path::new("/")).contains(&PathBuf::from("/proc")));
    }
}
