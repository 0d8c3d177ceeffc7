//! The command line of what looks after repositories.

use std::str::FromStr;

use clap::{Args as ClapArgs, Subcommand};
use svc_core::care::Reading;
use svc_core::config::Period;
use svc_core::restic::Subset;

use super::Watching;
use crate::complete;

/// How long others may hold a repository.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct LockArgs {
    /// How long to wait for a repository that somebody else has locked, before anything stops.
    #[arg(long, value_name = "SPAN", default_value = "10m")]
    pub(crate) wait_lock: Period,
}

/// Whose snapshots, and where.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc -n forget local paperless    which would go, which stay, and why
  svc forget local paperless")]
pub(crate) struct ForgetArgs {
    /// The repository.
    #[arg(value_name = "REPO", add = complete::repositories())]
    pub(crate) repository: String,
    /// Services, or `all` that are enabled.
    #[arg(value_name = "SVC", required = true, add = complete::services())]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) locks: LockArgs,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// What to do with a repository.
#[derive(Debug, ClapArgs)]
pub(crate) struct RepoArgs {
    #[command(subcommand)]
    pub(crate) verb: RepoVerb,
}

/// The verbs of `svc repo`.
#[derive(Debug, Subcommand)]
pub(crate) enum RepoVerb {
    /// Make a new, empty repository.
    #[command(after_help = "Example:\n  svc repo init local")]
    Init {
        /// The repository.
        #[arg(value_name = "REPO", add = complete::repositories())]
        repository: String,
    },
    /// Look whether a repository is sound. Damage is remembered: nothing is removed from it until a check lifts that.
    #[command(after_help = "\
Examples:
  svc repo check local                  whether everything is there; reads no data
  svc repo check local --subset auto    reads the part whose turn it is
  svc repo check local --subset all     reads everything")]
    Check {
        /// The repository.
        #[arg(value_name = "REPO", add = complete::repositories())]
        repository: String,
        /// Which data to read back, too: `auto`, `all`, or a part such as 3/12.
        #[arg(long, value_name = "PART")]
        subset: Option<SubsetWord>,
        #[command(flatten)]
        locks: LockArgs,
    },
    /// Free the space of what no snapshot needs any more.
    #[command(after_help = "Example:\n  svc repo prune local")]
    Prune {
        /// The repository.
        #[arg(value_name = "REPO", add = complete::repositories())]
        repository: String,
        #[command(flatten)]
        locks: LockArgs,
    },
    /// Remove locks that were left behind: only if their processes were svc's own and are dead, or after half an hour of silence.
    #[command(after_help = "Example:\n  svc repo unlock local")]
    Unlock {
        /// The repository.
        #[arg(value_name = "REPO", add = complete::repositories())]
        repository: String,
    },
    /// Show how much lies in a repository, and what checks have found.
    #[command(after_help = "Example:\n  svc repo stats local")]
    Stats {
        /// The repository.
        #[arg(value_name = "REPO", add = complete::repositories())]
        repository: String,
    },
}

/// `auto`, `all` or `3/12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubsetWord(pub(crate) Reading);

impl FromStr for SubsetWord {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let part = || {
            let (part, of) = word.split_once('/')?;
            let subset = Subset { part: part.parse().ok()?, of: of.parse().ok()? };
            // restic sorts packs by one byte of their names.
            (1..=256).contains(&subset.of).then_some(subset).filter(|one| (1..=one.of).contains(&one.part))
        };
        match word {
            "auto" => Ok(Self(Reading::Auto)),
            "all" => Ok(Self(Reading::Everything)),
            _ => part()
                .map(|part| Self(Reading::Part(part)))
                .ok_or_else(|| "`auto`, `all` or a part such as 3/12".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_by_its_number_of_how_many() {
        let part = |part, of| Ok(SubsetWord(Reading::Part(Subset { part, of })));
        assert_eq!("3/12".parse::<SubsetWord>(), part(3, 12));
        assert_eq!("256/256".parse::<SubsetWord>(), part(256, 256));
        assert_eq!("all".parse::<SubsetWord>(), Ok(SubsetWord(Reading::Everything)));
        for odd in ["0/3", "4/3", "1/257", "", "1", "-1/3", "10%"] {
            assert!(odd.parse::<SubsetWord>().is_err(), "{odd}");
        }
    }
}
