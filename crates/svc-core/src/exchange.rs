//! Trees that change places: all of them, or none.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, XattrFlags, renameat_with};

use crate::durable::sync_directory;
use crate::plan::ExchangePair;

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

/// Puts each staged tree in the place of its live one, durably. On failure all are as they were.
///
/// # Errors
/// When one could not; `stuck` names those that could not be put back either.
pub fn exchange(pairs: &[ExchangePair]) -> Result<(), ExchangeError> {
    for (index, pair) in pairs.iter().enumerate() {
        let (done, result) = match forward(pair) {
            // In place, but perhaps not durably: it goes back with the others.
            Ok(()) => (index + 1, sync_parents(&pair.staged, &pair.live)),
            Err(error) => (index, Err(error)),
        };
        if let Err(source) = result {
            let stuck = put_back(pairs.get(..done).unwrap_or_default());
            return Err(ExchangeError { path: pair.live.clone(), source, stuck });
        }
    }
    Ok(())
}

/// Puts the old trees back, last first; returns the live paths where that failed.
#[must_use]
pub fn put_back(pairs: &[ExchangePair]) -> Vec<PathBuf> {
    let failed = |pair: &&ExchangePair| {
        let result = back(pair);
        // A disk that cannot sync leaves the old tree in place all the same.
        let _ = sync_parents(&pair.staged, &pair.live);
        result.is_err()
    };
    pairs.iter().rev().filter(failed).map(|pair| pair.live.clone()).collect()
}

fn forward(pair: &ExchangePair) -> io::Result<()> {
    if is_there(&pair.live)? {
        swap(pair)
    } else {
        make_parents(pair)?;
        place(&pair.staged, &pair.live)
    }
}

/// Where nothing was before, the tree goes back to the stage; otherwise the old one is there to change with.
fn back(pair: &ExchangePair) -> io::Result<()> {
    if is_there(&pair.staged)? { swap(pair) } else { place(&pair.live, &pair.staged) }
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

fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
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
        exchange(&pairs).unwrap();
        assert_eq!(text(&pairs[0].live).as_deref(), Some("new a"));
        assert_eq!(text(&pairs[0].staged).as_deref(), Some("old a"));
        assert_eq!(text(&pairs[1].live).as_deref(), Some("new b"));
        assert!(put_back(&pairs).is_empty());
        assert_eq!(text(&pairs[0].live).as_deref(), Some("old a"));
        assert_eq!(text(&pairs[1].live), None);
        assert_eq!(text(&pairs[1].staged).as_deref(), Some("new b"));
    }

    #[test]
    fn one_failure_puts_all_back() {
        let trees = Trees::new();
        let good = trees.pair("a", Some("old a"), "new a");
        let bad = ExchangePair {
            staged: trees.0.path().join("stage/missing"),
            ..trees.pair("b", Some("old b"), "x")
        };
        let error = exchange(&[good.clone(), bad.clone()]).unwrap_err();
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
        exchange(std::slice::from_ref(&pair)).unwrap();
        let made = fs::metadata(pair.live.parent().unwrap()).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o2751);
        assert_eq!(text(&pair.live).as_deref(), Some("new"));
    }
}
