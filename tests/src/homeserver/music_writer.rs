//! Writes the music library to a disk, with all metadata.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileExt as _, PermissionsExt as _, lchown, symlink},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, mknodat, utimensat,
};

use super::music::{Body, Piece};

/// Writes the pieces below a directory, which becomes the top of the tree and need not be there.
pub fn write(top: &Path, pieces: &[Piece]) -> Result<()> {
    for piece in pieces {
        let path = place(top, piece);
        create(top, &path, &piece.body).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    // From the end: what is written into a directory changes its time, and its ACL what is written into it.
    for piece in pieces.iter().rev() {
        let path = place(top, piece);
        dress(&path, piece).with_context(|| format!("cannot set the metadata of `{}`", path.display()))?;
    }
    Ok(())
}

fn place(top: &Path, piece: &Piece) -> PathBuf {
    // A trailing `/` would be a different path for some system calls.
    if piece.name.is_empty() { top.into() } else { top.join(OsStr::from_bytes(&piece.name)) }
}

fn create(top: &Path, path: &Path, body: &Body) -> Result<()> {
    match body {
        Body::Directory => fs::create_dir_all(path)?,
        Body::File(content) => fs::write(path, content)?,
        Body::Sparse(islands) => {
            let file = File::create(path)?;
            file.set_len(body.length().unwrap_or_default())?;
            for (offset, data) in islands {
                file.write_all_at(data, *offset)?;
            }
        }
        Body::Symlink(target) => symlink(OsStr::from_bytes(target), path)?,
        Body::Link(first) => fs::hard_link(top.join(OsStr::from_bytes(first)), path)?,
        Body::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0)?,
    }
    Ok(())
}

fn dress(path: &Path, piece: &Piece) -> Result<()> {
    if matches!(piece.body, Body::Link(_)) {
        return Ok(());
    }
    let (uid, gid) = piece.owner;
    lchown(path, Some(uid), Some(gid))?;
    if !matches!(piece.body, Body::Symlink(_)) {
        fs::set_permissions(path, fs::Permissions::from_mode(piece.mode))?;
    }
    for (name, value) in &piece.attributes {
        lsetxattr(path, name.as_slice(), value, XattrFlags::empty())?;
    }
    let time = Timespec { tv_sec: piece.modified.0, tv_nsec: piece.modified.1 };
    utimensat(
        CWD,
        path,
        &Timestamps { last_access: time, last_modification: time },
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}
