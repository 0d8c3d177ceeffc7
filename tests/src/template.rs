//! What a box is cloned from: a directory of the store with a root subvolume, disks and a description. A box is a
//! directory of the same shape.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::store::Store;

/// A template, or the disks of a box, in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    directory: PathBuf,
}

/// What cannot be read off the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The host name; a box without one is called by its own name.
    pub hostname: Option<String>,
    /// Names of its extra disks: `data` is the file `data.img`, and `/dev/box-data` in the box.
    pub disks: Vec<String>,
}

impl Template {
    /// A directory of the store that is, or shall become, a template.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Whether it was finished.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.description_file().exists()
    }

    /// The directory in the store.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The subvolume that is the box's root file system.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// The file behind one of its disks.
    #[must_use]
    pub fn disk(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.img"))
    }

    /// Reads the description.
    pub fn describe(&self) -> Result<Description> {
        let path = self.description_file();
        let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes the description, which is what finishes a template: do it last.
    pub fn finish(&self, description: &Description) -> Result<()> {
        Ok(fs::write(self.description_file(), serde_json::to_vec_pretty(description)?)?)
    }

    /// Clones it; both share all blocks that neither writes to. Disks that only the description names are for the
    /// caller to make.
    pub fn clone_to(&self, store: &Store, directory: &Path, description: &Description) -> Result<Self> {
        let copy = Self::at(directory.into());
        store.snapshot(&self.root(), &copy.root())?;
        for disk in description.disks.iter().filter(|disk| self.disk(disk).exists()) {
            store.reflink(&self.disk(disk), &copy.disk(disk))?;
        }
        copy.finish(description)?;
        Ok(copy)
    }

    fn description_file(&self) -> PathBuf {
        self.directory.join("box.json")
    }
}
