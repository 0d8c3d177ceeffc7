//! `services.json` as types: loaded once, validated whole.

mod backup;
mod decode;
mod effective;
pub mod env_file;
mod health;
mod hook;
mod limits;
mod lookup;
mod notification;
mod overlap;
mod paths;
mod period;
mod policy;
mod position;
mod problem;
mod read;
mod references;
mod repository;
mod restore;
mod scalar;
mod schema;
pub mod secret_file;
mod service;
mod strict;
mod suggest;
mod syntax;
mod tag;

use std::path::PathBuf;

use indexmap::IndexMap;
use jsonc_parser::ast::Value;
use schemars::JsonSchema;
use serde::Serialize;

pub use backup::{Backup, Freeze, Quiesce, StopVia};
pub use effective::{Effective, Leaf, Origin, effective};
pub use health::{Health, Probe};
pub use hook::{Hook, HookAction, HookPlace, Hooks};
pub use limits::{IoClass, Limits};
pub use lookup::UnknownName;
pub use notification::{Channel, Notification, Occasion};
pub use paths::Paths;
pub use period::{Period, PeriodError};
pub use policy::Policy;
pub use problem::{ConfigError, ConfigErrorKind, Problem};
pub use read::{Defaults, MAX_SIZE, parse, read, read_places};
pub use repository::{Location, Password, Repository};
pub use restore::{Preseed, Restore};
pub use schema::schema;
pub use service::{Compose, Monitoring, Service};

use crate::names::{RepositoryName, ServiceName, UnitName};
use decode::{Decoder, Fields, Node, entries, name_key};
use scalar::{description, name, number, path, text, word};

/// All of `services.json`, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Version of the format; 1 is the only one.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// This machine's identity in the repositories; the hostname unless set.
    pub host: String,
    /// Where things lie.
    pub paths: Paths,
    /// Docker's settings.
    pub docker: Docker,
    /// What a backup may take of the machine.
    pub limits: Limits,
    /// Timers that `svc timers` shows beside its own.
    pub timers: Vec<Timer>,
    /// Repositories by name, in the order of the file.
    pub repositories: IndexMap<RepositoryName, Repository>,
    /// Services by name, in the order of the file.
    pub services: IndexMap<ServiceName, Service>,
    /// Who is told what.
    pub notifications: Vec<Notification>,
    /// What is odd in the file but keeps nothing from working; sorted by position.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

/// Docker's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Docker {
    /// The engine's socket; the scope's own unless set.
    pub socket: Option<PathBuf>,
}

/// A timer unit to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// What people call it.
    pub name: String,
    /// The unit.
    pub unit: UnitName,
    /// What it does.
    pub description: Option<String>,
}

impl Config {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let schema_version = f.get("schemaVersion", d, version).unwrap_or(VERSION);
        let host = f.get("host", d, host).unwrap_or_else(|| d.defaults.hostname.clone());
        let paths = f.get("paths", d, Paths::decode).unwrap_or_default();
        d.know(&paths);
        let docker = f.get("docker", d, Docker::decode).unwrap_or_default();
        let limits = f.get("limits", d, Limits::decode).unwrap_or_default();
        let timers = f.list("timers", d, Timer::decode);
        let repositories = repositories(&mut f, &paths, d);
        let services = f.get("services", d, services).unwrap_or_default();
        let notifications = f.list("notifications", d, Notification::decode);
        if let Some(Value::Object(none)) = f.node("repositories")
            && none.properties.is_empty()
            && services.values().any(|service| service.backup.enable)
        {
            d.problem(none.range.start, "there is a service to back up, but no repository", None);
        }
        f.finish(d);
        let warnings = Vec::new();
        Some(Self {
            schema_version,
            host,
            paths,
            docker,
            limits,
            timers,
            repositories,
            services,
            notifications,
            warnings,
        })
    }
}

/// The version of the format that this svc reads.
const VERSION: u32 = 1;

fn version(node: Node<'_>, d: &mut Decoder<'_>) -> Option<u32> {
    let version = number(0, u64::from(u32::MAX))(node, d)?;
    if version == VERSION {
        return Some(version);
    }
    let message = format!("version {version} of the format is not known: this svc reads version {VERSION}");
    d.refuse(node, message)
}

fn services(node: Node<'_>, d: &mut Decoder<'_>) -> Option<IndexMap<ServiceName, Service>> {
    entries(node, d, name_key, Service::decode)
}

fn repositories(
    f: &mut Fields<'_>,
    paths: &Paths,
    d: &mut Decoder<'_>,
) -> IndexMap<RepositoryName, Repository> {
    let Some(node) = f.node("repositories") else { return conventional(paths) };
    let decode = |name: &str, node, d: &mut Decoder<'_>| Some(Repository::decode(name, node, d));
    entries(node, d, name_key, decode).unwrap_or_default()
}

/// The two repositories of a file that describes none.
fn conventional(paths: &Paths) -> IndexMap<RepositoryName, Repository> {
    let repository =
        |name: &str| Some((name.parse().ok()?, Repository::by_convention(name, &paths.secrets_root)));
    ["local", "remote"].into_iter().filter_map(repository).collect()
}

/// A host as restic records it; an argument that no option is mistaken for.
fn host(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let host = word(node, d)?;
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.starts_with('-') || host.len() > 255 || !host.chars().all(allowed) {
        return d.refuse(node, "a host has letters, digits and . _ - in its name");
    }
    Some(host)
}

impl Docker {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let socket = f.get("socket", d, socket);
        f.finish(d);
        Some(Self { socket })
    }
}

fn socket(node: Node<'_>, d: &mut Decoder<'_>) -> Option<PathBuf> {
    match text(node, d)?.split_once("://") {
        Some(_) => d.refuse_hinting(node, "this is not a path", "write the socket's path, without `unix://`"),
        None => path(node, d),
    }
}

impl Timer {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let timer_name = f.require("name", d, word);
        let unit = f.require("unit", d, name);
        let description = f.get("description", d, description);
        f.finish(d);
        Some(Self { name: timer_name?, unit: unit?, description })
    }
}
