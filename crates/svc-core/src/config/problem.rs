//! What can be wrong with `services.json`, as values with positions.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing wrong in the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the document, for example `services.paperless.backup.volumes[2]`; empty: the document itself.
    pub path: String,
    /// What is wrong: a lowercase fragment without a full stop.
    pub message: String,
    /// What a person can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    /// `line:column: path: message`, so that `file:` before it makes a place that editors and terminals open.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// `services.json` could not be loaded.
#[derive(Debug)]
pub struct ConfigError {
    /// The file that was asked for.
    pub file: PathBuf,
    /// What is the matter with it.
    pub kind: ConfigErrorKind,
}

/// What is the matter with `services.json`.
#[derive(Debug)]
pub enum ConfigErrorKind {
    /// There is no such file.
    Missing,
    /// It cannot be opened or read.
    Unreadable(std::io::Error),
    /// A directory, a pipe, a socket or a device.
    NotAFile,
    /// More than [`super::MAX_SIZE`] bytes.
    TooLarge,
    /// Its content is wrong; sorted by position, never empty.
    Problems(Vec<Problem>),
}

impl ConfigError {
    /// The problems of the content; none when it was never read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match &self.kind {
            ConfigErrorKind::Problems(problems) => problems,
            ConfigErrorKind::Missing
            | ConfigErrorKind::Unreadable(_)
            | ConfigErrorKind::NotAFile
            | ConfigErrorKind::TooLarge => &[],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.file.display().to_string().escape_debug())?;
        match &self.kind {
            ConfigErrorKind::Missing => f.write_str("does not exist"),
            ConfigErrorKind::Unreadable(_) => f.write_str("cannot be read"),
            ConfigErrorKind::NotAFile => f.write_str("is not a regular file"),
            ConfigErrorKind::TooLarge => f.write_str("is larger than 16 MiB"),
            ConfigErrorKind::Problems(problems) if problems.len() == 1 => f.write_str("has 1 problem"),
            ConfigErrorKind::Problems(problems) => write!(f, "has {} problems", problems.len()),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ConfigErrorKind::Unreadable(error) => Some(error),
            ConfigErrorKind::Missing
            | ConfigErrorKind::NotAFile
            | ConfigErrorKind::TooLarge
            | ConfigErrorKind::Problems(_) => None,
        }
    }
}
