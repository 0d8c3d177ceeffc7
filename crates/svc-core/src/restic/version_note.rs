//! What restic said when it was asked for its version, kept until there is another one.
//!
//! A run is to start restic for what it has to do and for nothing else; asking again costs as much as a look into a
//! small repository.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;

/// What nobody changes in place: a new version there is a new path.
const NIX_STORE: &str = "/nix/store/";

/// Which file said what.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Note {
    program: PathBuf,
    identity: Identity,
    said: String,
}

/// What no other file has, nor the same after a change: not even its owner can set the time of the change.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(data: &Metadata) -> Self {
        let changed = (data.ctime(), data.ctime_nsec());
        Self { device: data.dev(), inode: data.ino(), size: data.size(), changed }
    }
}

/// Where the note is: beside restic's own cache, whose directory is restic's.
pub(super) fn path(cache_dir: &Path) -> PathBuf {
    cache_dir.with_file_name("restic-version.json")
}

/// What this program said of its version, if it is the same since.
pub(super) fn recall(note: &Path, program: &Path) -> Option<String> {
    let note: Note = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let (program, identity) = identified(program).ok()?;
    (note.program == program && note.identity == identity).then_some(note.said)
}

/// Keeps what this program said. Where that cannot be, it is asked again.
pub(super) fn keep(note: &Path, program: &Path, said: &str) {
    let kept = identified(program).and_then(|(program, identity)| {
        if !is_whole(&program)? {
            return Ok(());
        }
        let text = serde_json::to_vec(&Note { program, identity, said: said.to_owned() })?;
        durable::make_directory(note.parent().unwrap_or(note), 0o755)?;
        durable::replace(note, &text, 0o644)
    });
    // A disk that is full, or a user who may not write here: both only wait a little longer.
    let _ = kept;
}

fn identified(program: &Path) -> io::Result<(PathBuf, Identity)> {
    let program = program.canonicalize()?;
    let identity = Identity::of(&fs::metadata(&program)?);
    Ok((program, identity))
}

/// Whether the file alone decides what runs. A script may start whatever restic there is on that day.
fn is_whole(program: &Path) -> io::Result<bool> {
    if program.starts_with(NIX_STORE) {
        return Ok(true);
    }
    let mut magic = [0; 4];
    File::open(program)?.read_exact(&mut magic)?;
    Ok(magic == *b"\x7fELF")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "restic 0.18.0 compiled with go1.24.4 on linux/amd64";

    #[test]
    fn a_program_is_known_again_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (program, note) = (dir.path().join("restic"), path(&dir.path().join("cache/restic")));
        fs::write(&program, b"\x7fELF one").unwrap();
        assert_eq!(recall(&note, &program), None);
        keep(&note, &program, SAID);
        assert_eq!(recall(&note, &program).as_deref(), Some(SAID));
        assert_eq!(recall(&note, &dir.path().join("other")), None);
        fs::write(&program, b"\x7fELF two").unwrap();
        assert_eq!(recall(&note, &program), None);
    }

    #[test]
    fn a_script_is_asked_each_time_and_a_broken_note_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (program, note) = (dir.path().join("restic"), dir.path().join("note"));
        fs::write(&program, "#!/bin/sh\nexec /usr/bin/restic \"$@\"").unwrap();
        keep(&note, &program, SAID);
        assert!(!note.exists());
        fs::write(&note, "{").unwrap();
        assert_eq!(recall(&note, &program), None);
    }
}
