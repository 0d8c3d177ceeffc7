//! Files in memory between svc and a child: what it writes, what it reads.
//!
//! No pipe: when the reader of a pipe dies, restic dies with it and leaves a lock. No file on disk: a full state
//! directory must not lose the summary of a backup.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};

/// How much is read at one go, so that nothing else waits long.
const PORTION: u64 = 8 * 1024 * 1024;

/// What was read is given back to the system in pieces of this size.
const PIECE: u64 = 1024 * 1024;

/// What a child writes, read while it writes.
#[derive(Debug)]
pub(super) struct Capture {
    file: File,
    read: u64,
    given_back: u64,
}

impl Capture {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
        Ok(Self { file, read: 0, given_back: 0 })
    }

    /// The end for the child.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.file.try_clone()?))
    }

    /// How much was read so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.read
    }

    /// Hands over what is new, at most one portion; whether that was all.
    pub(super) fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let end = self.read + PORTION;
        while self.read < end {
            // The offset belongs to the child, which shares it: reading must not move it.
            let length = self.file.read_at(&mut buffer, self.read)?;
            if length == 0 {
                self.give_back();
                return Ok(true);
            }
            sink(&buffer[..length]);
            self.read += length as u64;
        }
        self.give_back();
        Ok(false)
    }

    fn give_back(&mut self) {
        let length = (self.read - self.given_back) / PIECE * PIECE;
        if length > 0 {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Where it cannot be done, the memory comes back at the end.
            let _ = fallocate(&self.file, flags, self.given_back, length);
            self.given_back += length;
        }
    }
}

/// A child's stdin with these bytes.
pub(super) fn input(bytes: &[u8]) -> io::Result<Stdio> {
    let mut file = File::from(memfd_create("restic-stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn drained(capture: &mut Capture) -> Vec<u8> {
        let mut all = Vec::new();
        while !capture.drain(&mut |bytes| all.extend_from_slice(bytes)).unwrap() {}
        all
    }

    #[test]
    fn reading_does_not_move_the_writer() {
        let mut capture = Capture::new("test").unwrap();
        let mut writer = capture.file.try_clone().unwrap();
        writer.write_all(b"one").unwrap();
        assert_eq!(drained(&mut capture), b"one");
        writer.write_all(b"two").unwrap();
        assert_eq!(drained(&mut capture), b"two");
        assert_eq!(capture.bytes(), 6);
    }

    #[test]
    fn memory_that_was_read_is_given_back() {
        let mut capture = Capture::new("test").unwrap();
        let mut writer = capture.file.try_clone().unwrap();
        writer.write_all(&vec![7; 20 * 1024 * 1024]).unwrap();
        assert_eq!(drained(&mut capture).len(), 20 * 1024 * 1024);
        assert_eq!(capture.file.metadata().unwrap().blocks(), 0);
    }
}
