//! Whether sizes and times of modification tell of each change of files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use walkdir::WalkDir;

use super::Traces;
use crate::retention::SKEW;

/// Millions of files are looked at in this time.
const LONGEST: Duration = Duration::from_mins(2);

/// Looks at every file there. What cannot be looked at, or not in time, may hide something.
pub(super) fn of(paths: &[PathBuf], since: Option<Timestamp>) -> Traces {
    let Some(since) = since else { return Traces::Hidden };
    let end = Instant::now() + LONGEST;
    let tells = |entry: walkdir::Result<walkdir::DirEntry>| {
        let metadata = entry.and_then(|entry| entry.metadata());
        Instant::now() < end
            && metadata.is_ok_and(|metadata| !metadata.is_file() || !hides_a_change(&metadata, since))
    };
    if paths.iter().flat_map(WalkDir::new).all(tells) { Traces::Plain } else { Traces::Hidden }
}

/// Whether a file was changed after that moment and its time of modification does not say so: some program set it.
pub(super) fn hides_a_change(metadata: &Metadata, since: Timestamp) -> bool {
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
        let seen = |since| of(&[directory.path().join("file"), directory.path().join("a")], since);
        assert_eq!((seen(Some(since)), seen(None)), (Traces::Plain, Traces::Hidden));
        let hidden = File::create(deep.join("old")).unwrap();
        hidden.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(seen(Some(since)), Traces::Hidden);
        fs::remove_dir_all(directory.path().join("a")).unwrap();
        assert_eq!(seen(Some(since)), Traces::Hidden, "what is not there was not looked at");
    }
}
