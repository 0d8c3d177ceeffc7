//! Where a stage can lie: on the very file system of what it replaces, and in nobody's way.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags};

use super::sources::Source;
use crate::code::Code;
use crate::failure::Failure;

/// The part of a file system that things can be renamed within: one mount, and on btrfs one subvolume of it.
///
/// Two mounts of one file system, as bind mounts make them, cannot exchange anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    mount: u64,
    device: u64,
}

impl Place {
    /// The place of a directory that is there.
    fn of(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Code::Failed, format!("`{}` cannot be seen", path.display()))
                .because(error.to_string())
        };
        let device = std::fs::metadata(path).map_err(failed)?.dev();
        let wanted = StatxFlags::MNT_ID;
        let mount = match rustix::fs::statx(CWD, path, AtFlags::empty(), wanted) {
            Ok(stat) if stat.stx_mask & wanted.bits() != 0 => stat.stx_mnt_id,
            // An old kernel does not tell; the device has to do.
            _ => device,
        };
        Ok(Self { mount, device })
    }
}

/// The directory that takes the stage of a live path.
///
/// svc's own if that is in the same place; else the top of the file system, where no program looks for its data; for a
/// volume never Docker's volumes root, in which dockerd would take it for a volume.
pub(crate) fn stage_directory(live: &Path, source: &Source, own: &Path) -> Result<(PathBuf, Place), Failure> {
    let parent = live.ancestors().skip(1).find(|directory| directory.is_dir()).ok_or_else(|| {
        Failure::new(Code::Failed, format!("`{}` has no directory above it", live.display()))
    })?;
    let place = Place::of(parent)?;
    let is_here = |directory: &Path| Place::of(directory).is_ok_and(|other| other == place);
    if own.ancestors().find(|directory| directory.is_dir()).is_some_and(is_here) {
        return Ok((own.to_path_buf(), place));
    }
    let top = parent.ancestors().take_while(|directory| is_here(directory)).last().unwrap_or(parent);
    let is_volumes_root = matches!(source, Source::Volume(_)) && live.ancestors().nth(2) == Some(top);
    Ok((if is_volumes_root { parent } else { top }.to_path_buf(), place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(live: &Path) -> Source {
        Source::Path(live.to_path_buf())
    }

    #[test]
    fn a_stage_lies_with_svcs_own_things_where_it_can() {
        let root = tempfile::tempdir().unwrap();
        let (live, own) = (root.path().join("gone/deep/data"), root.path().join("state/stages"));
        assert_eq!(stage_directory(&live, &path(&live), &own).unwrap().0, own);
    }

    #[test]
    fn a_stage_lies_at_the_top_of_another_file_system() {
        let shm = tempfile::tempdir_in("/dev/shm").unwrap();
        let live = shm.path().join("music/library");
        let (directory, place) = stage_directory(&live, &path(&live), Path::new("/proc/none")).unwrap();
        assert_eq!(directory, Path::new("/dev/shm"));
        assert_eq!(place, Place::of(shm.path()).unwrap());
        assert_ne!(place, Place::of(Path::new("/proc")).unwrap());
    }

    #[test]
    fn a_volume_is_never_staged_in_the_volumes_root() {
        let volumes = Path::new("/dev/shm");
        let volume = tempfile::tempdir_in(volumes).unwrap();
        let live = volume.path().join("_data");
        let source = Source::Volume("db".parse().unwrap());
        let (directory, _) = stage_directory(&live, &source, Path::new("/proc/none")).unwrap();
        assert_eq!(directory, volume.path());
    }
}
