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
    /// `forget`: removes snapshots, or says which a policy would.
    Forget,
    /// `check`: looks whether a repository is sound.
    Check,
    /// `prune`: removes what no snapshot needs.
    Prune,
    /// `unlock`: removes stale locks.
    Unlock,
    /// `list locks`.
    List,
    /// `stats`: how much lies in a repository.
    Stats,
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
            Self::Forget => "forget",
            Self::Check => "check",
            Self::Prune => "prune",
            Self::Unlock => "unlock",
            Self::List => "list",
            Self::Stats => "stats",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
