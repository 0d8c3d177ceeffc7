//! The words of the command line: which repositories and services they mean.

use crate::config::{Config, Service, UnknownName};
use crate::names::{RepositoryName, ServiceName};

/// Means every one there is.
const ALL: &str = "all";

/// A word that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Nothing is called so.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Several where one is needed.
    #[error("`{words}` means several repositories, and this takes one")]
    OneRepository {
        /// What was typed.
        words: String,
    },
    /// The service's backup is switched off.
    #[error("the backup of `{service}` is switched off (`backup.enable` is false)")]
    Disabled {
        /// The service.
        service: ServiceName,
    },
    /// None of the repositories is in the service's list.
    #[error("`{service}` is not backed up to `{repositories}`: its `backup.repositories` names others")]
    NotThere {
        /// The service.
        service: ServiceName,
        /// The repositories that were named.
        repositories: String,
    },
    /// Nothing is left to do.
    #[error("no service is meant by `all`: {why}")]
    Nobody {
        /// Why.
        why: &'static str,
    },
}

/// The repositories of a name, a comma list or `all`.
///
/// # Errors
/// When one is unknown.
pub fn repositories(config: &Config, words: &str) -> Result<Vec<RepositoryName>, WordError> {
    if words == ALL {
        return Ok(config.repositories.keys().cloned().collect());
    }
    let mut names: Vec<RepositoryName> = Vec::new();
    for word in words.split(',') {
        let (name, _) = config.repository(word.trim())?;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// Exactly one repository.
///
/// # Errors
/// When it is unknown, or more than one.
pub fn repository(config: &Config, words: &str) -> Result<RepositoryName, WordError> {
    match repositories(config, words)?.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(WordError::OneRepository { words: words.to_owned() }),
    }
}

/// Services by name; `all`: every one.
///
/// # Errors
/// When one is unknown.
pub fn services(config: &Config, words: &[String]) -> Result<Vec<ServiceName>, WordError> {
    named(config, words, |_| true, "none is configured")
}

/// Services to back up; `all`: those that are enabled and go to one of these repositories.
///
/// # Errors
/// When one is unknown, or cannot be backed up there.
pub fn services_to_back_up(
    config: &Config,
    words: &[String],
    repositories: &[RepositoryName],
) -> Result<Vec<ServiceName>, WordError> {
    let goes_there = |service: &Service| repositories.iter().any(|repository| service.uses(repository));
    let meant = |service: &Service| service.backup.enable && goes_there(service);
    let names = named(config, words, meant, "no backup is enabled for these repositories")?;
    for service in names.iter().filter_map(|name| config.services.get(name)) {
        if !service.backup.enable {
            return Err(WordError::Disabled { service: service.name.clone() });
        }
        if !goes_there(service) {
            let repositories = repositories.iter().map(RepositoryName::as_str).collect::<Vec<_>>().join(",");
            return Err(WordError::NotThere { service: service.name.clone(), repositories });
        }
    }
    Ok(names)
}

/// Services to restore; `all`: those whose backup is enabled.
///
/// # Errors
/// When one is unknown.
pub fn services_to_restore(config: &Config, words: &[String]) -> Result<Vec<ServiceName>, WordError> {
    named(config, words, |service| service.backup.enable, "no backup is enabled")
}

fn named(
    config: &Config,
    words: &[String],
    meant_by_all: impl Fn(&Service) -> bool,
    why: &'static str,
) -> Result<Vec<ServiceName>, WordError> {
    let mut names: Vec<ServiceName> = Vec::new();
    for word in words {
        let found: Vec<&Service> = match word.as_str() {
            ALL => config.services.values().filter(|service| meant_by_all(service)).collect(),
            name => vec![config.service(name)?],
        };
        for service in found {
            if !names.contains(&service.name) {
                names.push(service.name.clone());
            }
        }
    }
    if names.is_empty() { Err(WordError::Nobody { why }) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Defaults, parse};
    use crate::scope::{Environment, Scope};

    fn config() -> Config {
        let text = r#"{
            "repositories": {"local": {"repository": "/r", "passwordFile": "/p"},
                             "remote": {"repository": "/s", "passwordFile": "/p"}},
            "services": {
                "notes": {"name": "notes", "backup": {"enable": true, "paths": ["/n"]}},
                "music": {"name": "music", "backup": {"enable": true, "paths": ["/m"], "repositories": ["local"]}},
                "idle": {"name": "idle", "backup": {"enable": false}}
            }
        }"#;
        let defaults = Defaults::of(&Scope::system(&Environment::default()), "home");
        parse(text.as_bytes(), &defaults).unwrap()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn to_back_up(services: &[&str], repository: &str) -> Result<Vec<String>, WordError> {
        let config = config();
        let repositories = repositories(&config, repository)?;
        let names = services_to_back_up(&config, &words(services), &repositories)?;
        Ok(names.into_iter().map(String::from).collect())
    }

    #[test]
    fn repositories_are_a_name_a_list_or_all() {
        let config = config();
        let names = |word| repositories(&config, word).map(|names| names.len());
        assert_eq!(names("local"), Ok(1));
        assert_eq!(names("local, remote,local"), Ok(2));
        assert_eq!(names("all"), Ok(2));
        assert!(matches!(names("locl"), Err(WordError::Unknown(_))));
        assert!(matches!(repository(&config, "all"), Err(WordError::OneRepository { .. })));
    }

    #[test]
    fn all_means_what_is_enabled_and_goes_there() {
        assert_eq!(to_back_up(&["all"], "remote"), Ok(words(&["notes"])));
        assert_eq!(to_back_up(&["all", "notes"], "local"), Ok(words(&["notes", "music"])));
    }

    #[test]
    fn what_is_named_but_cannot_be_backed_up_there_is_a_usage_error() {
        assert!(matches!(to_back_up(&["idle"], "local"), Err(WordError::Disabled { .. })));
        assert!(matches!(to_back_up(&["music"], "remote"), Err(WordError::NotThere { .. })));
        assert!(matches!(to_back_up(&["nots"], "local"), Err(WordError::Unknown(_))));
    }

    #[test]
    fn lifecycle_verbs_take_every_service() {
        assert_eq!(services(&config(), &words(&["all"])).unwrap().len(), 3);
        assert_eq!(services_to_restore(&config(), &words(&["idle"])).unwrap().len(), 1);
    }
}
