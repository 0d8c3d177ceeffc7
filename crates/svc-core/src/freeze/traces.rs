//! Whether sizes and times of modification tell of each change of files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use walkdir::{DirEntry, WalkDir};

use super::{Bind, Traces};
use crate::mounts;
use crate::retention::SKEW;

/// Millions of files are looked at in this time.
const LONGEST: Duration = Duration::from_mins(2);

/// Looks at all that restic reads there. What cannot be looked at, or not in time, may hide something.
pub(super) fn of(binds: &[Bind], since: Option<Timestamp>, cancel: &CancellationToken) -> Traces {
    let Some(since) = since else { return Traces::Unknown };
    let end = Instant::now() + LONGEST;
    let reason = |bind: &Bind| {
        let is_top = mounts::is_mount_point(&bind.to);
        WalkDir::new(&bind.from).into_iter().find_map(|entry| {
            if cancel.is_cancelled() || Instant::now() >= end {
                return Some(format!("not all of `{}` could be looked at in time", bind.to.display()));
            }
            let looked = entry.and_then(|entry| entry.metadata().map(|metadata| (entry, metadata)));
            match looked {
                Ok((entry, metadata)) => {
                    let is_told = (is_top && entry.depth() == 0) || !hides_a_change(&metadata, since);
                    (!is_told).then(|| hidden(&original(bind, &entry)))
                }
                Err(error) => {
                    Some(format!("a part of `{}` could not be looked at: {error}", bind.to.display()))
                }
            }
        })
    };
    binds.iter().find_map(reason).map_or(Traces::Plain, Traces::Hidden)
}

/// Where it lies that is read in a copy.
fn original(bind: &Bind, entry: &DirEntry) -> PathBuf {
    match entry.path().strip_prefix(&bind.from) {
        Ok(below) if !below.as_os_str().is_empty() => bind.to.join(below),
        _ => bind.to.clone(),
    }
}

/// What it means that something there hides a change.
pub(super) fn hidden(path: &Path) -> String {
    format!("`{}` has changed, and its time of modification does not say so", path.display())
}

/// Whether a file was changed after that moment and its time of modification does not say so: some program set it. Of a
/// directory it means that it was renamed: what lies in it now is perhaps not what did. svc itself sets the times of the top
/// of a mount, which nobody renames: it is not to be asked for.
pub(super) fn hides_a_change(metadata: &Metadata, since: Timestamp) -> bool {
    if !metadata.is_file() && !metadata.is_dir() {
        return false;
    }
    let time = |seconds, nanoseconds: i64| {
        Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or_default()).unwrap_or(Timestamp::MAX)
    };
    let since = since.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
    let changed = time(metadata.ctime(), metadata.ctime_nsec());
    let modified = time(metadata.mtime(), metadata.mtime_nsec());
    changed > since && !(since..=changed).contains(&modified)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_change_is_hidden_when_times_were_set_back_or_forth_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = File::create(&path).unwrap();
        let now = std::time::SystemTime::now();
        let hour = Duration::from_hours(1);
        let hidden = |modified, since: i64| {
            file.set_modified(modified).unwrap();
            let since = Timestamp::now().checked_add(SignedDuration::from_hours(since)).unwrap();
            hides_a_change(&fs::metadata(&path).unwrap(), since)
        };
        assert!(hidden(now - 2 * hour, -1) && hidden(now + hour, -1));
        assert!(!hidden(now, -1), "it was written, and says so");
        assert!(!hidden(now - 2 * hour, 1), "it is in the snapshot");
    }

    #[test]
    fn one_file_with_a_hidden_change_is_found_wherever_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(directory.path().join("file"), "new").unwrap();
        let since = Timestamp::now().checked_sub(SignedDuration::from_hours(1)).unwrap();
        let paths = ["file", "a"].map(|name| directory.path().join(name));
        let binds =
            paths.map(|path| Bind { to: Path::new("/srv").join(path.file_name().unwrap()), from: path });
        let seen = |since| of(&binds, since, &CancellationToken::new());
        assert_eq!((seen(Some(since)), seen(None)), (Traces::Plain, Traces::Unknown));
        let hidden = File::create(deep.join("old")).unwrap();
        hidden.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(seen(Some(since)), Traces::Hidden(super::hidden(Path::new("/srv/a/b/old"))));
        fs::remove_dir_all(directory.path().join("a")).unwrap();
        assert!(matches!(seen(Some(since)), Traces::Hidden(_)), "what is not there was not looked at");
    }

    #[test]
    fn files_that_came_with_a_renamed_directory_are_not_taken_for_those_before() {
        let directory = tempfile::tempdir().unwrap();
        let (live, new) = (directory.path().join("app"), directory.path().join("app.new"));
        let hour = Duration::from_hours(1);
        for place in [&live, &new] {
            fs::create_dir(place).unwrap();
            let file = File::create(place.join("package.json")).unwrap();
            file.set_modified(std::time::SystemTime::now() - hour).unwrap();
            File::open(place).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
        }
        let changed = |path: &Path| {
            let metadata = fs::metadata(path).unwrap();
            let nanoseconds = i32::try_from(metadata.ctime_nsec()).unwrap();
            Timestamp::new(metadata.ctime(), nanoseconds).unwrap()
        };
        // All of this was there when the snapshot was made.
        let since = changed(&new).checked_add(SKEW).unwrap();
        let binds = [Bind { from: live.clone(), to: live.clone() }];
        let seen = || of(&binds, Some(since), &CancellationToken::new());
        assert_eq!(seen(), Traces::Plain);
        fs::rename(&live, directory.path().join("app.old")).unwrap();
        // The clock of a file system goes on some times a second.
        let before = changed(&new);
        while changed(&new) == before {
            fs::rename(&new, &live).unwrap();
            fs::rename(&live, &new).unwrap();
        }
        fs::rename(&new, &live).unwrap();
        assert_eq!(seen(), Traces::Hidden(super::hidden(&live)));
    }

    #[test]
    fn a_look_that_is_cancelled_may_have_missed_something() {
        let directory = tempfile::tempdir().unwrap();
        let binds = [Bind { from: directory.path().to_owned(), to: directory.path().to_owned() }];
        let cancel = CancellationToken::new();
        let since = Timestamp::now().checked_sub(SignedDuration::from_hours(1)).ok();
        assert_eq!(of(&binds, since, &cancel), Traces::Plain);
        cancel.cancel();
        assert!(matches!(of(&binds, since, &cancel), Traces::Hidden(_)));
    }
}
