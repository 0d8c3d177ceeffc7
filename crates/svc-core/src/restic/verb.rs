//! The verbs of restic that svc runs.

use std::fmt;

/// One verb of restic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// `version`: which restic this is.
    Version,
    /// `cat config`: the repository's id.
    Cat,
    /// `init`: makes a repository.
    Init,
    /// `snapshots`: lists them.
    Snapshots,
    /// `backup`: saves files.
    Backup,
    /// `ls`: what a snapshot holds.
    Ls,
    /// `restore`: writes files.
    Restore,
}

impl Verb {
    /// restic's own word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Cat => "cat",
            Self::Init => "init",
            Self::Snapshots => "snapshots",
            Self::Backup => "backup",
            Self::Ls => "ls",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
