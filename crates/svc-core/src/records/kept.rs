//! How records lie on disk. One that cannot be read may hold a warning: it is kept, and holds back what removes anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::durable;
use crate::failure::Failure;

/// What was known once, and is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Lost {
    /// Earlier files that could not be read. While one of them is there, nothing is removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept_aside: Vec<PathBuf>,
    /// The file cannot be read now.
    #[serde(skip)]
    pub unreadable: Option<Unreadable>,
}

/// A file that is there and tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which.
    pub file: PathBuf,
    /// Why.
    pub why: String,
}

impl Lost {
    pub(super) const fn now(unreadable: Unreadable) -> Self {
        Self { kept_aside: Vec::new(), unreadable: Some(unreadable) }
    }

    /// Why nothing may be removed; nothing: all that was known is known.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        if let Some(Unreadable { file, why }) = &self.unreadable {
            let message = format!("the record `{}` cannot be read, so nothing is removed", file.display());
            let hint = format!("ls -l {}   # the next backup or check keeps it aside", file.display());
            return Some(Failure::new(Code::Refused, message).because(why.clone()).hint(hint));
        }
        let aside = self.kept_aside.iter().find(|aside| aside.symlink_metadata().is_ok())?;
        let message =
            format!("a record that could not be read is kept as `{}`: nothing is removed", aside.display());
        let why = "it may say what is damaged or not good";
        let hint = format!("see what it says, then: rm {}", aside.display());
        Some(Failure::new(Code::Refused, message).because(why).hint(hint))
    }

    /// The same once the file is kept under another name; nothing is lost when svc dies meanwhile.
    fn kept(&self, now: Timestamp) -> io::Result<Self> {
        let is_there = |aside: &&PathBuf| aside.symlink_metadata().is_ok();
        let mut kept_aside: Vec<PathBuf> = self.kept_aside.iter().filter(is_there).cloned().collect();
        if let Some(Unreadable { file, .. }) = &self.unreadable {
            let mut name = file.clone().into_os_string();
            name.push(format!(".unreadable-{}", now.strftime("%Y%m%dT%H%M%S")));
            let aside = PathBuf::from(name);
            fs::hard_link(file, &aside)?;
            kept_aside.push(aside);
        }
        Ok(Self { kept_aside, unreadable: None })
    }
}

/// A record.
pub(super) trait Record: Serialize + DeserializeOwned + Default {
    fn lost(&mut self) -> &mut Lost;
}

/// What a file says: nothing where there is none, and that it is lost where it cannot be read.
pub(super) fn load<T: Record>(file: &Path) -> T {
    let mut record = T::default();
    let why = match fs::read(file) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(record) => return record,
            Err(error) => error.to_string(),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return record,
        Err(error) => error.to_string(),
    };
    *record.lost() = Lost::now(Unreadable { file: file.to_path_buf(), why });
    record
}

/// Writes a record, durably and all at once; a file that could not be read is kept.
pub(super) fn save<T: Record>(record: &mut T, file: &Path, now: Timestamp) -> io::Result<()> {
    let kept = record.lost().kept(now)?;
    *record.lost() = kept;
    let text = serde_json::to_vec_pretty(record)?;
    durable::replace(file, &text, 0o644)
}
