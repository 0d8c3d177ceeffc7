//! A last look at what is saved, right before anything stops.

use std::io;
use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::failure::Failure;

/// Whether every source is there, and every dump holds something.
pub(super) fn check(sources: &[PathBuf], dumps: &[PathBuf]) -> Result<(), Failure> {
    let missing = |path: &&PathBuf| std::fs::symlink_metadata(path).is_err();
    if let Some(path) = sources.iter().find(missing) {
        return Err(Failure::new(Code::Failed, format!("`{}` is gone", path.display())));
    }
    dumps.iter().try_for_each(|dump| check_dump(dump))
}

/// A dump of zero bytes is what a database's own tool leaves when it fails behind a pipe.
fn check_dump(dump: &Path) -> Result<(), Failure> {
    let bad = |how: &str| {
        let failure = Failure::new(Code::Failed, format!("the dump `{}` {how}", dump.display()));
        failure.hint("see what the `pre` hook that writes it says: svc runs latest")
    };
    match first_empty(dump) {
        Ok(None) => Ok(()),
        Ok(Some(file)) if file == dump => Err(bad("is empty")),
        Ok(Some(file)) => Err(bad(&format!("is empty in part: `{}`", file.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(bad("was not written")),
        Err(error) => Err(bad("cannot be read").because(error.to_string())),
    }
}

/// The first file of zero bytes; a directory without any file is one, too.
fn first_empty(dump: &Path) -> io::Result<Option<PathBuf>> {
    let mut files = 0_usize;
    for entry in walkdir::WalkDir::new(dump).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files += 1;
            // A link stands for what it leads to.
            if std::fs::metadata(entry.path())?.len() == 0 {
                return Ok(Some(entry.into_path()));
            }
        }
    }
    Ok((files == 0).then(|| dump.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_dump_that_is_missing_or_empty_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let dump = directory.path().join("all");
        let said = || check(&[], std::slice::from_ref(&dump)).unwrap_err().message;
        assert!(said().ends_with("was not written"), "{}", said());
        fs::create_dir(&dump).unwrap();
        assert!(said().ends_with("is empty"), "{}", said());
        fs::write(dump.join("a.sql"), "insert").unwrap();
        check(&[], std::slice::from_ref(&dump)).unwrap();
        fs::write(dump.join("b.sql"), "").unwrap();
        assert!(said().contains("is empty in part") && said().contains("b.sql"), "{}", said());
        fs::remove_dir_all(&dump).unwrap();
        fs::write(&dump, "").unwrap();
        assert!(said().ends_with("is empty"), "{}", said());
        fs::write(&dump, "insert").unwrap();
        check(&[], &[dump]).unwrap();
    }
}
