//! Names that people type, looked up.

use super::suggest::closest;
use super::{Config, Repository, Service};
use crate::names::{RepositoryName, ServiceName, shown};

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} `{name}`")]
pub struct UnknownName {
    /// `service` or `repository`.
    pub kind: &'static str,
    /// The name as it was typed, control characters escaped, cut when long.
    pub name: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
    /// Whether the other kind has something of that name: two words are in each other's place.
    pub is_other_kind: bool,
}

impl Config {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Result<&Service, UnknownName> {
        self.services.get(name).ok_or_else(|| UnknownName {
            is_other_kind: self.repositories.contains_key(name),
            ..unknown("service", name, self.services.keys().map(ServiceName::as_str))
        })
    }

    /// The repository of this name, and the name as a type.
    pub fn repository(&self, name: &str) -> Result<(&RepositoryName, &Repository), UnknownName> {
        self.repositories.get_key_value(name).ok_or_else(|| UnknownName {
            is_other_kind: self.services.contains_key(name),
            ..unknown("repository", name, self.repositories.keys().map(RepositoryName::as_str))
        })
    }
}

impl Service {
    /// The repositories that it is backed up to, in the order of its list; without a list all, in the file's order.
    #[must_use]
    pub fn repositories<'c>(&self, config: &'c Config) -> Vec<(&'c RepositoryName, &'c Repository)> {
        let listed = &self.backup.repositories;
        if listed.is_empty() {
            return config.repositories.iter().collect();
        }
        listed.iter().filter_map(|name| config.repositories.get_key_value(name)).collect()
    }
}

fn unknown<'c>(kind: &'static str, name: &str, known: impl Iterator<Item = &'c str>) -> UnknownName {
    let suggestion = closest(name, known).map(str::to_owned);
    UnknownName { kind, name: shown(name), suggestion, is_other_kind: false }
}
