//! What is mounted, from `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// File systems of other machines.
const REMOTE: [&str; 9] = ["9p", "afs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb3", "smbfs"];

/// Whether something is mounted exactly there. Unknown counts as no.
#[must_use]
pub fn is_mount_point(path: &Path) -> bool {
    mount_points().iter().any(|mount| mount == path)
}

/// Where `/etc/fstab` has a file system for a path, and nothing is mounted.
pub(crate) fn missing(path: &Path) -> Option<PathBuf> {
    let planned = std::fs::read("/etc/fstab").map(|text| planned(&text, path)).unwrap_or_default();
    planned.into_iter().find(|point| !is_mount_point(point))
}

/// The mount points of a table of file systems that a path is at or below, the root left out.
fn planned(fstab: &[u8], path: &Path) -> Vec<PathBuf> {
    let lines = fstab.split(|&byte| byte == b'\n');
    let points = lines.filter_map(|line| {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let device = fields.next().filter(|device| !device.starts_with(b"#"));
        device.and_then(|_| fields.next()).map(unescape)
    });
    points.filter(|point| point.parent().is_some() && path.starts_with(point)).collect()
}

/// Mount points strictly below a directory.
#[must_use]
pub fn below(path: &Path) -> Vec<PathBuf> {
    mount_points().into_iter().filter(|mount| mount != path && mount.starts_with(path)).collect()
}

/// A line of the table of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Major and minor number: the same for all mounts of one file system.
    pub(crate) device: String,
    /// Which directory of the file system is mounted.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) point: PathBuf,
    /// `ext4`, `btrfs` …
    pub(crate) kind: String,
    /// The device, or what a file system calls it: of ZFS the name of the dataset.
    pub(crate) source: String,
}

impl Mount {
    /// Whether what answers for it may be another machine, or a program.
    pub(crate) fn is_remote(&self) -> bool {
        let is_program =
            self.kind.starts_with("fuse") && !matches!(self.kind.as_str(), "fuseblk" | "fuse.zfs");
        is_program || REMOTE.contains(&self.kind.as_str())
    }
}

/// All mounts, in the order in which they were made; none when that cannot be read.
pub(crate) fn table() -> Vec<Mount> {
    std::fs::read("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// The mount that a path is on; of several at one place it is the last.
pub(crate) fn of<'a>(table: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let holds = table.iter().filter(|mount| path.starts_with(&mount.point));
    holds.max_by_key(|mount| mount.point.components().count())
}

fn mount_points() -> Vec<PathBuf> {
    table().into_iter().map(|mount| mount.point).collect()
}

/// Space, tab, newline and backslash are written in octal; optional fields end with a lone `-`, then come kind and source.
fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(mount).collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ').skip(2);
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let (kind, source) = (rest.next()?, rest.next()?);
    let source = unescape(source).to_string_lossy().into_owned();
    Some(Mount {
        device: text(device),
        root: unescape(root),
        point: unescape(point),
        kind: text(kind),
        source,
    })
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
            b"22 27 0:21 / /proc rw - proc proc rw\n23 27 8:1 / /a\\040b\\134c rw - ext4 /dev/my\\040disk rw\n";
        let mounts = parse(text);
        let points: Vec<&Path> = mounts.iter().map(|mount| mount.point.as_path()).collect();
        assert_eq!(points, [Path::new("/proc"), Path::new("/a b\\c")]);
        let Mount { device, kind, source, .. } = &mounts[1];
        assert_eq!([device, kind, source], ["8:1", "ext4", "/dev/my disk"]);
    }

    #[test]
    fn a_path_is_on_the_deepest_mount_and_there_on_the_last() {
        let text = b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 /@d /d rw shared:1 - btrfs b rw\n3 1 8:3 / /d rw - xfs c rw\n4 1 8:4 / /de rw - xfs d rw\n";
        let mounts = parse(text);
        let device = |path: &str| of(&mounts, Path::new(path)).map(|mount| mount.device.as_str());
        assert_eq!([device("/d/x"), device("/d"), device("/dx")], [Some("8:3"), Some("8:3"), Some("8:1")]);
        assert_eq!(mounts[1].root, Path::new("/@d"));
    }

    #[test]
    fn what_another_machine_or_a_program_answers_for_is_remote() {
        let text = "1 0 0:9 / /d rw shared:1 - KIND x rw";
        let is_remote = |kind: &str| parse(text.replace("KIND", kind).as_bytes())[0].is_remote();
        assert!(["nfs4", "cifs", "fuse.sshfs", "fuse"].into_iter().all(is_remote));
        assert!(!["ext4", "xfs", "fuse.zfs", "fuseblk", "tmpfs"].into_iter().any(is_remote));
    }

    #[test]
    fn a_table_of_file_systems_says_what_a_path_is_to_lie_on() {
        let fstab = b"# /dev/x /srv ext4\nUUID=1 / ext4 defaults 0 1\n\n/dev/b\t/srv/my\\040music  btrfs noauto\nswap none swap\n";
        let on = |path: &str| planned(fstab, Path::new(path));
        assert_eq!(on("/srv/my music/jazz"), [PathBuf::from("/srv/my music")]);
        assert_eq!(on("/srv/my music"), [PathBuf::from("/srv/my music")]);
        assert_eq!((on("/srv"), on("/srv/my musical")), (vec![], vec![]));
    }

    #[test]
    fn the_running_system_has_its_own_mounts() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/self")));
        assert!(below(Path::new("/")).contains(&PathBuf::from("/proc")));
    }
}
