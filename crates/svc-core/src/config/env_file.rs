//! Files in systemd's `EnvironmentFile=` format, read as systemd 257 reads them.
//!
//! The source of every rule is systemd's `src/basic/env-file.c`, and `strv_env_clean` for what is dropped. No message
//! shows any text of the file, and neither does `Debug`: what is in it is secret.

mod parser;

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::read::{ReadFault, limited};
pub use parser::parse;

/// A larger file is no environment file: a process cannot be started with so much.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// The variables of a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// The variables, in the order of their first appearance; of two with one name the last value counts.
    pub variables: IndexMap<String, String>,
    /// Lines that systemd passes over, sorted.
    pub odd_lines: Vec<OddLine>,
}

/// A line that systemd passes over or reads otherwise than its author may think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct OddLine {
    /// The line, from 1.
    pub line: usize,
    /// What is odd about it.
    pub fault: LineFault,
}

/// What is odd about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// No `=`; ignored.
    #[error("has no `=` and is ignored")]
    NoAssignment,
    /// The name is none, for example because of `export`; ignored.
    #[error("assigns to something that is not a variable's name and is ignored")]
    BadName,
    /// A quotation mark opens here and never closes; the value runs to the end of the file.
    #[error("opens a quotation mark that is never closed")]
    OpenQuote,
}

/// A file that cannot be used at all.
#[derive(Debug)]
pub struct EnvFileError {
    /// The file.
    pub file: PathBuf,
    /// What is the matter with it.
    pub fault: EnvFileFault,
}

/// What is the matter with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileFault {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// A directory, a pipe, a socket or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// It cannot be opened or read.
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// More than any process can be started with.
    #[error("is larger than 4 MiB")]
    TooLarge,
    /// A NUL byte, at which systemd refuses the file.
    #[error("has a NUL in line {line}")]
    Nul {
        /// The line, from 1.
        line: usize,
    },
    /// An assignment that is not UTF-8, at which systemd refuses the file.
    #[error("is not UTF-8 in line {line}")]
    NotUtf8 {
        /// The line on which the assignment begins, from 1.
        line: usize,
    },
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment file `{}` {}", self.file.display(), self.fault)
    }
}

impl std::error::Error for EnvFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The fault itself is in the text already.
        self.fault.source()
    }
}

impl From<ReadFault> for EnvFileFault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Missing => Self::Missing,
            ReadFault::NotAFile => Self::NotAFile,
            ReadFault::TooLarge => Self::TooLarge,
            ReadFault::Unreadable(error) => Self::Unreadable(error),
        }
    }
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("EnvFile").field("names", &names).field("odd_lines", &self.odd_lines).finish()
    }
}

/// Reads a file.
pub fn read(path: &Path) -> Result<EnvFile, EnvFileError> {
    let error = |fault| EnvFileError { file: path.to_owned(), fault };
    let bytes = limited(path, MAX_SIZE).map_err(|fault| error(fault.into()))?;
    parse(&bytes).map_err(error)
}

/// The text of a file that gives exactly these variables.
#[must_use]
pub fn text(variables: &IndexMap<String, String>) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        text.extend([name.as_str(), "=\""]);
        for c in value.chars() {
            if matches!(c, '"' | '\\' | '`' | '$') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push_str("\"\n");
    }
    text
}

/// Whether systemd takes this as the name of a variable.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    let rest = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    name.bytes().next().is_some_and(|c| rest(c) && !c.is_ascii_digit()) && name.bytes().all(rest)
}
