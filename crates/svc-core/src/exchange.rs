//! Trees that change places: all of them, or none. Every step can be done again: which tree is where is told by inode.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, XattrFlags, renameat_with};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::durable::sync_directory;
use crate::plan::ExchangePair;

/// A pair, and which trees lay there before anything changed places. Both are on one file system, so that the number
/// of the inode tells them apart, also after a reboot that numbers devices anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// The two places.
    #[serde(flatten)]
    pub pair: ExchangePair,
    /// Inode of the live tree; nothing: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<u64>,
    /// Inode of the staged tree.
    pub new: u64,
}

/// An exchange failed.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not change places with its staged copy")]
pub struct ExchangeError {
    /// The live path it failed at.
    pub path: PathBuf,
    /// What the file system said.
    #[source]
    pub source: io::Error,
    /// Live paths that could not be put back: the service must not run on this mixture. Usually empty.
    pub stuck: Vec<PathBuf>,
}

/// Looks which trees are to change places.
///
/// # Errors
/// When a staged tree is missing or a live one cannot be looked at.
pub fn look(pairs: &[ExchangePair]) -> Result<Vec<Tree>, ExchangeError> {
    let one = |pair: &ExchangePair| {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let new = inode(&pair.staged).and_then(|inode| inode.ok_or_else(missing));
        let trees = new.and_then(|new| Ok((inode(&pair.live)?, new)));
        let failed = |source| ExchangeError { path: pair.live.clone(), source, stuck: Vec::new() };
        trees.map(|(old, new)| Tree { pair: pair.clone(), old, new }).map_err(failed)
    };
    pairs.iter().map(one).collect()
}

/// Puts each staged tree in the place of its live one, durably; those that are there already stay. On failure all are
/// as they were. `each` is told of every tree that is in its place.
///
/// # Errors
/// When one could not; `stuck` names those that could not be put back either.
pub fn exchange(trees: &[Tree], each: &dyn Fn()) -> Result<(), ExchangeError> {
    for tree in trees {
        // In place, but perhaps not durably: it goes back with the others.
        let result = forward(tree).inspect(|()| each());
        let result = result.and_then(|()| sync_parents(&tree.pair.staged, &tree.pair.live));
        if let Err(source) = result {
            return Err(ExchangeError { path: tree.pair.live.clone(), source, stuck: put_back(trees) });
        }
    }
    Ok(())
}

/// Puts the old trees back, last first; those that are there already stay. Returns the live paths where that failed.
#[must_use]
pub fn put_back(trees: &[Tree]) -> Vec<PathBuf> {
    let failed = |tree: &&Tree| {
        let result = back(tree);
        // A disk that cannot sync leaves the old tree in place all the same.
        let _ = sync_parents(&tree.pair.staged, &tree.pair.live);
        result.is_err()
    };
    trees.iter().rev().filter(failed).map(|tree| tree.pair.live.clone()).collect()
}

fn forward(tree: &Tree) -> io::Result<()> {
    match inode(&tree.pair.live)? {
        Some(live) if live == tree.new => Ok(()),
        Some(live) if Some(live) == tree.old => swap(&tree.pair),
        None if tree.old.is_none() => {
            make_parents(&tree.pair)?;
            place(&tree.pair.staged, &tree.pair.live)
        }
        _ => Err(another()),
    }
}

/// Where nothing was before, the tree goes back to the stage; otherwise the old one is there to change with.
fn back(tree: &Tree) -> io::Result<()> {
    match (inode(&tree.pair.live)?, tree.old) {
        (live, old) if live == old => Ok(()),
        (Some(live), Some(_)) if live == tree.new => swap(&tree.pair),
        (Some(live), None) if live == tree.new => place(&tree.pair.live, &tree.pair.staged),
        _ => Err(another()),
    }
}

fn another() -> io::Error {
    io::Error::other("another tree lies there by now")
}

fn swap(pair: &ExchangePair) -> io::Result<()> {
    Ok(renameat_with(CWD, &pair.staged, CWD, &pair.live, RenameFlags::EXCHANGE)?)
}

fn place(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

fn sync_parents(one: &Path, other: &Path) -> io::Result<()> {
    [one, other].into_iter().filter_map(Path::parent).try_for_each(sync_directory)
}

/// The inode that lies there; nothing: none does.
fn inode(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the directories above the live path that are missing, like the staged ones.
fn make_parents(pair: &ExchangePair) -> io::Result<()> {
    let (Some(live), Some(staged)) = (pair.live.parent(), pair.staged.parent()) else { return Ok(()) };
    let missing: Vec<&Path> = live.ancestors().take_while(|directory| !directory.exists()).collect();
    let models: Vec<&Path> = staged.ancestors().take(missing.len()).collect();
    for (directory, model) in missing.iter().zip(models).rev() {
        fs::DirBuilder::new().mode(0o700).create(directory)?;
        copy_attributes(model, directory)?;
        sync_parents(directory, directory)?;
    }
    Ok(())
}

/// Owner, extended attributes (ACLs among them) and mode; the mode last, for chown clears bits of it.
fn copy_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    std::os::unix::fs::lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    for name in attribute_names(from)? {
        let mut value = vec![0; 65_536];
        let length = rustix::fs::lgetxattr(from, name.as_str(), &mut value)?;
        rustix::fs::lsetxattr(
            to,
            name.as_str(),
            value.get(..length).unwrap_or_default(),
            XattrFlags::empty(),
        )?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))
}

fn attribute_names(path: &Path) -> io::Result<Vec<String>> {
    let mut list = vec![0_u8; 65_536];
    let length = match rustix::fs::llistxattr(path, &mut list) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let names = list.get(..length).unwrap_or_default().split(|&byte| byte == 0);
    Ok(names.filter(|name| !name.is_empty()).map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Trees(tempfile::TempDir);

    impl Trees {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn pair(&self, name: &str, live: Option<&str>, staged: &str) -> ExchangePair {
            let pair = ExchangePair {
                live: self.0.path().join(format!("live/{name}")),
                staged: self.0.path().join(format!("stage/{name}")),
            };
            for (path, text) in [(&pair.live, live), (&pair.staged, Some(staged))] {
                if let Some(text) = text {
                    fs::create_dir_all(path).unwrap();
                    fs::write(path.join("data"), text).unwrap();
                }
            }
            pair
        }
    }

    fn text(path: &Path) -> Option<String> {
        fs::read_to_string(path.join("data")).ok()
    }

    #[test]
    fn trees_change_places_and_back() {
        let trees = Trees::new();
        let pairs = [trees.pair("a", Some("old a"), "new a"), trees.pair("b", None, "new b")];
        let found = look(&pairs).unwrap();
        // Twice: what is done already stays done.
        for _ in 0..2 {
            exchange(&found, &|| ()).unwrap();
            assert_eq!(text(&pairs[0].live).as_deref(), Some("new a"));
            assert_eq!(text(&pairs[0].staged).as_deref(), Some("old a"));
            assert_eq!(text(&pairs[1].live).as_deref(), Some("new b"));
        }
        for _ in 0..2 {
            assert!(put_back(&found).is_empty());
            assert_eq!(text(&pairs[0].live).as_deref(), Some("old a"));
            assert_eq!(text(&pairs[1].live), None);
            assert_eq!(text(&pairs[1].staged).as_deref(), Some("new b"));
        }
    }

    #[test]
    fn an_exchange_that_was_cut_off_between_two_trees_goes_on_or_back() {
        for goes_on in [true, false] {
            let trees = Trees::new();
            let pairs = [trees.pair("a", Some("old"), "new"), trees.pair("b", Some("old"), "new")];
            let found = look(&pairs).unwrap();
            swap(&pairs[0]).unwrap();
            let expected = if goes_on {
                exchange(&found, &|| ()).unwrap();
                "new"
            } else {
                assert!(put_back(&found).is_empty());
                "old"
            };
            assert!(pairs.iter().all(|pair| text(&pair.live).as_deref() == Some(expected)), "{goes_on}");
        }
    }

    #[test]
    fn a_tree_that_somebody_else_put_there_is_left_alone_and_named() {
        let trees = Trees::new();
        let pair = trees.pair("a", Some("old"), "new");
        let found = look(std::slice::from_ref(&pair)).unwrap();
        fs::rename(&pair.live, pair.live.with_extension("away")).unwrap();
        fs::create_dir(&pair.live).unwrap();
        let error = exchange(&found, &|| ()).unwrap_err();
        assert_eq!(error.stuck, std::slice::from_ref(&pair.live));
        assert_eq!(text(&pair.staged).as_deref(), Some("new"));
    }

    #[test]
    fn one_failure_puts_all_back() {
        let trees = Trees::new();
        let good = trees.pair("a", Some("old a"), "new a");
        let bad = trees.pair("b", Some("old b"), "new b");
        let found = look(&[good.clone(), bad.clone()]).unwrap();
        fs::rename(&bad.staged, bad.staged.with_extension("away")).unwrap();
        let error = exchange(&found, &|| ()).unwrap_err();
        assert_eq!((error.path, error.stuck), (bad.live.clone(), Vec::new()));
        assert_eq!(text(&good.live).as_deref(), Some("old a"));
        assert_eq!(text(&bad.live).as_deref(), Some("old b"));
    }

    #[test]
    fn missing_parents_are_made_like_the_staged_ones() {
        let trees = Trees::new();
        let pair = trees.pair("deep/er/a", None, "new");
        let model = pair.staged.parent().unwrap();
        fs::set_permissions(model, fs::Permissions::from_mode(0o2751)).unwrap();
        exchange(&look(std::slice::from_ref(&pair)).unwrap(), &|| ()).unwrap();
        let made = fs::metadata(pair.live.parent().unwrap()).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o2751);
        assert_eq!(text(&pair.live).as_deref(), Some("new"));
    }
}
