//! What a person or a timer asked for, in resolved names.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{RepositoryName, ServiceName};
use crate::when;

/// What a run is to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "camelCase")]
pub enum Goal {
    /// Snapshots of these services in these repositories.
    Backup {
        /// Where to.
        repositories: Vec<RepositoryName>,
        /// Of what.
        services: Vec<ServiceName>,
    },
    /// These services' data as a snapshot has it.
    Restore {
        /// Where from.
        repository: RepositoryName,
        /// Of what.
        services: Vec<ServiceName>,
        /// Which snapshot.
        snapshot: SnapshotChoice,
        /// Start the services afterwards, also those that were off.
        start: bool,
    },
    /// These services' snapshots as their policies want them.
    Forget {
        /// Where.
        repository: RepositoryName,
        /// Whose.
        services: Vec<ServiceName>,
    },
    /// These services run.
    Start {
        /// Which.
        services: Vec<ServiceName>,
    },
    /// These services are off.
    Stop {
        /// Which.
        services: Vec<ServiceName>,
    },
    /// These services run, started anew.
    Restart {
        /// Which.
        services: Vec<ServiceName>,
        /// Make their containers anew, too.
        recreate: bool,
    },
}

impl Goal {
    /// The services it is about, in the order they were named.
    #[must_use]
    pub fn services(&self) -> &[ServiceName] {
        match self {
            Self::Backup { services, .. }
            | Self::Restore { services, .. }
            | Self::Forget { services, .. }
            | Self::Start { services }
            | Self::Stop { services }
            | Self::Restart { services, .. } => services,
        }
    }

    /// The same for none but these services.
    #[must_use]
    pub fn only(mut self, wanted: &[ServiceName]) -> Self {
        match &mut self {
            Self::Backup { services, .. }
            | Self::Restore { services, .. }
            | Self::Forget { services, .. }
            | Self::Start { services }
            | Self::Stop { services }
            | Self::Restart { services, .. } => services.retain(|service| wanted.contains(service)),
        }
        self
    }

    /// The repositories it is about.
    #[must_use]
    pub fn repositories(&self) -> &[RepositoryName] {
        match self {
            Self::Backup { repositories, .. } => repositories,
            Self::Restore { repository, .. } | Self::Forget { repository, .. } => {
                std::slice::from_ref(repository)
            }
            Self::Start { .. } | Self::Stop { .. } | Self::Restart { .. } => &[],
        }
    }

    /// Whether it takes the data of its services as it is: saves it, or runs on it.
    pub(crate) const fn uses_data(&self) -> bool {
        match self {
            Self::Backup { .. } | Self::Start { .. } | Self::Restart { .. } => true,
            Self::Restore { .. } | Self::Forget { .. } | Self::Stop { .. } => false,
        }
    }

    /// Whether it is about what runs: then also that nothing is to be done is true only while nobody else is at work.
    pub(crate) const fn is_lifecycle(&self) -> bool {
        match self {
            Self::Start { .. } | Self::Restart { .. } | Self::Stop { .. } => true,
            Self::Backup { .. } | Self::Restore { .. } | Self::Forget { .. } => false,
        }
    }

    /// Its verb, as it is typed.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::Restore { .. } => "restore",
            Self::Forget { .. } => "forget",
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
        }
    }
}

/// Which snapshot is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotChoice {
    /// The newest good one that is not from the future.
    Latest,
    /// The one whose id begins so: at least four hexadecimal digits, lower case.
    Id(String),
    /// The newest at or before this moment.
    At(#[schemars(with = "String")] Timestamp),
}

/// A word that names no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` names no snapshot")]
pub struct SnapshotWordError {
    /// What was typed.
    pub word: String,
}

impl SnapshotChoice {
    /// Reads `latest`, an id prefix, a date, a time, or a span such as `2 days ago`; dates mean their end.
    ///
    /// # Errors
    /// When the word is none of these.
    pub fn parse(word: &str, now: &jiff::Zoned) -> Result<Self, SnapshotWordError> {
        let word = word.trim();
        let is_id = (4..=64).contains(&word.len()) && word.bytes().all(|c| c.is_ascii_hexdigit());
        if word == "latest" {
            Ok(Self::Latest)
        } else if is_id {
            Ok(Self::Id(word.to_ascii_lowercase()))
        } else {
            when::until(word, now)
                .map(Self::At)
                .ok_or_else(|| SnapshotWordError { word: word.escape_debug().to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> jiff::Zoned {
        "2026-11-20T09:00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn a_snapshot_is_chosen_by_word_id_date_time_or_age() {
        let at = |text: &str| SnapshotChoice::At(text.parse().unwrap());
        for (word, choice) in [
            ("latest", SnapshotChoice::Latest),
            ("ABCD1234", SnapshotChoice::Id("abcd1234".into())),
            ("2 days ago", at("2026-11-18T09:00:00Z")),
            ("2026-11-01", at("2026-11-01T23:59:59Z")),
            ("2026-11-01 08:30", at("2026-11-01T08:30:00Z")),
            ("2026-11-01T08:30:00Z", at("2026-11-01T08:30:00Z")),
            ("yesterday", at("2026-11-19T23:59:59Z")),
        ] {
            assert_eq!(SnapshotChoice::parse(word, &now()), Ok(choice), "{word}");
        }
    }

    #[test]
    fn other_words_name_no_snapshot() {
        for word in ["", "abc", "newest", "-5", "../x", "2026-13-01", "5 parsecs ago"] {
            assert!(SnapshotChoice::parse(word, &now()).is_err(), "{word}");
        }
    }
}
