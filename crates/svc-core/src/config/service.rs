//! One service of `services.json`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use jsonc_parser::ast::Value;

use super::decode::{Decoder, Fields, Node, values};
use super::scalar::{argument, description, name, path, text};
use super::{Backup, Health, Restore};
use crate::names::{NameError, RepositoryName, ServiceName, UnitName, shown};

/// One service: what belongs to it and how it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name; the same as its key.
    pub name: ServiceName,
    /// One line about it.
    pub description: Option<String>,
    /// Its units in the order in which they start; services or targets. Empty: its compose unit and containers, as found.
    pub units: Vec<UnitName>,
    /// Its compose project.
    pub compose: Compose,
    /// Services that start before it.
    pub after: Vec<ServiceName>,
    /// What its logs should be searched for.
    pub monitoring: Monitoring,
    /// When it counts as healthy.
    pub health: Health,
    /// How it is backed up.
    pub backup: Backup,
    /// How it is restored.
    pub restore: Restore,
}

/// A compose project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compose {
    /// Its name; the service's unless set.
    pub project: String,
    /// Its file.
    pub file: Option<PathBuf>,
}

/// Patterns to look for in the logs: regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Lines that are errors.
    pub error_patterns: Vec<String>,
    /// Lines that are warnings.
    pub warning_patterns: Vec<String>,
    /// Lines to pass over.
    pub ignore_patterns: Vec<String>,
}

impl Service {
    /// Whether its backups go to this repository.
    #[must_use]
    pub fn uses(&self, repository: &RepositoryName) -> bool {
        self.backup.repositories.is_empty() || self.backup.repositories.contains(repository)
    }

    /// Reads the service with this key. A wrong key is the caller's to tell; the content is read all the same.
    pub(super) fn decode(key: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let Some(mut f) = Fields::open(node, d) else {
            // Its name exists all the same for those who refer to it.
            return Self::bare(key);
        };
        f.get("name", d, |node, d| inner_name(key, node, d));
        let description = f.get("description", d, description);
        let after = f.set("after", d, name::<ServiceName>);
        d.references.after(key, &after);
        let units = values(f.set("units", d, startable));
        let compose = f.get("compose", d, |node, d| Compose::decode(key, node, d));
        let monitoring = f.get("monitoring", d, Monitoring::decode).unwrap_or_default();
        let health = f.get("health", d, Health::decode).unwrap_or_else(Health::unsaid);
        let backup = f.get("backup", d, |node, d| Backup::decode(key, node, d));
        let backup = backup.unwrap_or_else(|| Backup::disabled(key));
        let restore = f.get("restore", d, |node, d| Restore::decode(key, &backup, node, d));
        let restore = restore.unwrap_or_else(|| Restore::of(&backup));
        f.finish(d);
        let compose = compose.unwrap_or_else(|| Compose::of(key));
        let after = values(after);
        let name = key.parse().ok()?;
        Some(Self { name, description, units, compose, after, monitoring, health, backup, restore })
    }

    /// The service of which nothing is said.
    fn bare(key: &str) -> Option<Self> {
        let backup = Backup::disabled(key);
        Some(Self {
            name: key.parse().ok()?,
            description: None,
            units: Vec::new(),
            compose: Compose::of(key),
            after: Vec::new(),
            monitoring: Monitoring::default(),
            health: Health::unsaid(),
            restore: Restore::of(&backup),
            backup,
        })
    }
}

fn inner_name(key: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Option<()> {
    if text(node, d)? != key {
        let hint = format!("its key is `{}`: give it the same name, or leave `name` out", shown(key));
        return d.refuse_hinting(node, "`name` differs from the service's key", hint);
    }
    Some(())
}

/// A unit that can be started and stopped as part of a service.
fn startable(node: Node<'_>, d: &mut Decoder<'_>) -> Option<UnitName> {
    if let Some((error, meant)) = without_suffix(node) {
        return d.refuse_hinting(node, error.to_string(), format!("did you mean `{meant}`?"));
    }
    let unit: UnitName = name(node, d)?;
    let stem = unit.as_str().strip_suffix(".service").or_else(|| unit.as_str().strip_suffix(".target"));
    match stem {
        Some(stem) if stem.ends_with('@') => d.refuse_hinting(
            node,
            format!("`{unit}` is a template"),
            "name an instance of it: put something between `@` and the suffix",
        ),
        Some(_) => Some(unit),
        None => d.refuse(node, format!("`{unit}` is neither a service nor a target")),
    }
}

/// What `systemctl` would take for a service.
fn without_suffix(node: Node<'_>) -> Option<(NameError, UnitName)> {
    let Value::StringLit(typed) = node else { return None };
    let error = typed.value.parse::<UnitName>().err()?;
    Some((error, format!("{}.service", typed.value).parse().ok()?))
}

impl Compose {
    fn of(service: &str) -> Self {
        Self { project: service.to_owned(), file: None }
    }

    fn decode(service: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let project = f.get("project", d, project).map(str::to_owned);
        let file = f.get("file", d, path);
        f.finish(d);
        Some(Self { project: project.unwrap_or_else(|| service.to_owned()), file })
    }
}

/// Compose's rule for project names, and dots: the default is the service's name, which may have some.
fn project<'t>(node: Node<'t>, d: &mut Decoder<'_>) -> Option<&'t str> {
    let project = text(node, d)?;
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if project.len() <= 255
        && project.starts_with(first)
        && project.chars().all(|c| first(c) || matches!(c, '.' | '_' | '-'))
    {
        return Some(project);
    }
    d.refuse(
        node,
        "a compose project has a-z 0-9 . _ - in its name (255 at most) and begins with a letter or digit",
    )
}

impl Monitoring {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let monitoring = Self {
            error_patterns: f.list("errorPatterns", d, argument),
            warning_patterns: f.list("warningPatterns", d, argument),
            ignore_patterns: f.list("ignorePatterns", d, argument),
        };
        f.finish(d);
        Some(monitoring)
    }
}
