//! The music library: thousands of small files with all that file systems can hold, from a seed.
//!
//! The same seed gives the same tree on every machine, and [`expected`] tells what that is without a disk: a
//! comparison with it is a comparison with what was written, not with what came out of some disk once.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::metadata::{Entry, Kind, Tree};

pub use super::music_writer::write;

/// Apparent size of the sparse file; it holds a few islands of data.
const DISC: u64 = 24 << 20;

/// One thing to be written.
#[derive(Debug, Clone)]
pub struct Piece {
    pub(crate) name: Vec<u8>,
    pub(crate) body: Body,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) modified: (i64, i64),
    pub(crate) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Directory,
    File(Vec<u8>),
    /// Data at a few offsets of a file of the size [`DISC`].
    Sparse(Vec<(u64, Vec<u8>)>),
    Symlink(Vec<u8>),
    /// Another name of an earlier piece.
    Link(Vec<u8>),
    Fifo,
}

/// All pieces of the tree that belongs to a seed, parents before children.
#[must_use]
pub fn pieces(seed: u64) -> Vec<Piece> {
    let mut library = Library { random: Random(seed), pieces: Vec::new() };
    library.directory("");
    library.shelf("library", 60, 3, 14);
    library.shelf("library_mum", 20, 2, 12);
    library.file("beets-library.db", 70_000);
    library.odd_names();
    library.odd_kinds();
    library.odd_metadata();
    library.pieces
}

/// The tree that a seed gives, with its top.
#[must_use]
pub fn expected(seed: u64) -> Tree {
    let pieces = pieces(seed);
    let mut tree = Tree::default();
    let mut links = BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new();
    for piece in &pieces {
        let entry = match &piece.body {
            Body::Link(first) => {
                links.entry(first.clone()).or_insert_with(|| vec![first.clone()]).push(piece.name.clone());
                tree.entries.get(first).cloned()
            }
            body => Some(piece.entry(body.kind())),
        };
        tree.entries.extend(entry.map(|entry| (piece.name.clone(), entry)));
    }
    for names in links.into_values() {
        tree.link(names);
    }
    tree
}

impl Piece {
    fn entry(&self, kind: Kind) -> Entry {
        let (uid, gid) = self.owner;
        let attributes = self.attributes.clone();
        Entry { kind, mode: self.mode, uid, gid, modified: self.modified, attributes, linked_with: None }
    }
}

impl Body {
    fn kind(&self) -> Kind {
        match self {
            Self::Directory => Kind::Directory,
            Self::File(content) => Kind::File {
                size: content.len() as u64,
                sparse: false,
                digest: Sha256::digest(content).into(),
            },
            Self::Sparse(islands) => {
                Kind::File { size: DISC, sparse: true, digest: digest_of_islands(islands) }
            }
            Self::Symlink(target) | Self::Link(target) => Kind::Symlink(target.clone()),
            Self::Fifo => Kind::Special(0o010_000, 0),
        }
    }

    /// The length that a file is set to after its data are written.
    pub(crate) fn length(&self) -> Option<u64> {
        matches!(self, Self::Sparse(_)).then_some(DISC)
    }
}

fn digest_of_islands(islands: &[(u64, Vec<u8>)]) -> [u8; 32] {
    let mut content = vec![0; usize::try_from(DISC).unwrap_or_default()];
    for (offset, data) in islands {
        let start = usize::try_from(*offset).unwrap_or_default();
        content[start..start + data.len()].copy_from_slice(data);
    }
    Sha256::digest(content).into()
}

struct Library {
    random: Random,
    pieces: Vec<Piece>,
}

impl Library {
    /// Adds a piece with an owner and a time from the seed.
    fn add(&mut self, name: impl AsRef<[u8]>, body: Body, mode: u32) -> &mut Piece {
        let owners = [(0, 0), (1000, 1000), (1000, 100), (65534, 65534), (2001, 2002)];
        let owner = owners[self.random.below(owners.len())];
        // From 2001 on, with all nine digits of the fraction.
        let modified = (1_000_000_000 + self.random.number(700_000_000), self.random.number(1_000_000_000));
        let name = name.as_ref().to_vec();
        self.pieces.push(Piece { name, body, mode, owner, modified, attributes: BTreeMap::new() });
        let last = self.pieces.len() - 1;
        &mut self.pieces[last]
    }

    fn directory(&mut self, name: &str) {
        let mode = [0o755, 0o750, 0o2775][self.random.below(3)];
        self.add(name, Body::Directory, mode);
    }

    fn file(&mut self, name: impl AsRef<[u8]>, size: usize) -> &mut Piece {
        let content = self.random.bytes(size);
        let mode = [0o644, 0o640, 0o600, 0o664][self.random.below(4)];
        self.add(name, Body::File(content), mode)
    }

    fn shelf(&mut self, top: &str, artists: usize, albums: usize, tracks: usize) {
        self.directory(top);
        for artist in 0..artists {
            self.directory(&format!("{top}/artist {artist:02}"));
            for album in 0..albums {
                let path = format!("{top}/artist {artist:02}/album {album}");
                self.directory(&path);
                for track in 1..=tracks {
                    let big = self.random.below(100) == 0;
                    let size = self.random.below(if big { 150_000 } else { 3_000 });
                    self.file(format!("{path}/{track:02}.opus"), size);
                }
            }
        }
    }

    /// Names that shells, globs, JSON, terminals and careless programs trip over.
    fn odd_names(&mut self) {
        let top = "library/odd names";
        self.directory(top);
        let long = "l".repeat(255);
        let names: [&[u8]; 22] = [
            b"-rf",
            b"--delete",
            b" leading",
            b"trailing ",
            b"two  spaces",
            b"new\nline",
            b"tab\there",
            b"'single'",
            b"\"double\"",
            b"back\\slash",
            b"$HOME `id`",
            b"[a]*?{b,c}",
            b"*",
            b"!x",
            b"#x",
            b"a;b&c|d",
            b".hidden",
            b"...",
            "Motörhead (composed)".as_bytes(),
            "Moto\u{308}rhead (decomposed)".as_bytes(),
            "日本語 🎵 \u{202e}".as_bytes(),
            b"latin1 \xe9\xff",
        ];
        for name in names.into_iter().chain([long.as_bytes()]) {
            self.file([top.as_bytes(), b"/", name].concat(), 100);
        }
        self.add(format!("{top}/dir\nwith [odd] 'name' "), Body::Directory, 0o755);
        self.file(format!("{top}/dir\nwith [odd] 'name' /-track *.opus"), 100);
    }

    fn odd_kinds(&mut self) {
        let top = "library/odd kinds";
        self.directory(top);
        self.directory(&format!("{top}/empty directory"));
        self.file(format!("{top}/empty file"), 0);
        let islands = [0, 5 << 20, DISC - 4096].map(|offset| (offset, self.random.bytes(4096)));
        self.add(format!("{top}/disc image.iso"), Body::Sparse(islands.into()), 0o644);
        self.file(format!("{top}/one"), 5_000);
        for name in [format!("{top}/two"), "library/same as one".to_owned()] {
            self.add(name, Body::Link(format!("{top}/one").into()), 0);
        }
        for (name, target) in [
            ("relative", "one"),
            ("absolute", "/data/music/library_mum"),
            ("dangling", "no such -> 'file'\n"),
        ] {
            self.add(format!("{top}/{name}"), Body::Symlink(target.into()), 0o777);
        }
        self.add(format!("{top}/fifo"), Body::Fifo, 0o620);
    }

    fn odd_metadata(&mut self) {
        let top = "library/odd metadata";
        self.directory(top);
        for (name, mode) in [("nobody reads me", 0o000), ("set-id", 0o6755), ("executable", 0o755)] {
            self.file(format!("{top}/{name}"), 50).mode = mode;
        }
        self.add(format!("{top}/sticky"), Body::Directory, 0o1777);
        self.file(format!("{top}/before 1970"), 50).modified = (-86_400, 1);
        let comment = self.random.bytes(300);
        let tagged = self.file(format!("{top}/attributes"), 50);
        tagged.attributes.insert(b"user.mime_type".into(), b"audio/ogg".into());
        tagged.attributes.insert("user.bewertung ★".into(), comment);
        tagged.attributes.insert(b"user.empty".into(), Vec::new());
        let shared = self.file(format!("{top}/access list"), 50);
        shared.mode = 0o660;
        shared.attributes.insert(b"system.posix_acl_access".into(), access_list(6, 1000, 4));
        self.add(format!("{top}/default access list"), Body::Directory, 0o770)
            .attributes
            .insert(b"system.posix_acl_default".into(), access_list(7, 1000, 7));
    }
}

/// The kernel's form of `u::rw-,u:USER:…,g::r--,m::…,o::---`, `m` being the group bits of the mode.
fn access_list(mask: u16, user: u32, user_may: u16) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries =
        [(1, mask, nobody), (2, user_may, user), (4, 4, nobody), (0x10, mask, nobody), (0x20, 0, nobody)];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(permissions));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

/// `SplitMix64`: the same numbers on every machine and in every release of every crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }

    fn number(&mut self, limit: u32) -> i64 {
        i64::try_from(self.next() % u64::from(limit)).unwrap_or_default()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_tree_and_another_seed_another() {
        assert_eq!(expected(1).hash(), expected(1).hash());
        assert_ne!(expected(1).hash(), expected(2).hash());
        assert!(expected(1).entries.len() > 3_000);
    }

    #[test]
    fn what_is_written_is_what_was_expected() {
        if !crate::host::is_root() {
            // Owners cannot be set; the same is done in a box by the end-to-end tests.
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().join("music");
        write(&top, &pieces(7)).unwrap();
        let difference = expected(7).difference(&Tree::read(&top).unwrap());
        assert!(difference.is_empty(), "{}", difference.join("\n"));
    }
}
