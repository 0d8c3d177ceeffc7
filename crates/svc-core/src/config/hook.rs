//! What runs before and after a backup.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::decode::{Decoder, Fields, Node, entries};
use super::scalar::{any_argument, argument, argv, path, period, text};
use super::{Period, env_file};
use crate::names::{ContainerName, shown};

/// The hooks of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Before anything is quiesced.
    pub pre: Vec<Hook>,
    /// After the service is back; only those whose `pre` ran.
    pub post: Vec<Hook>,
    /// When the backup failed.
    pub on_failure: Vec<Hook>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// What it runs.
    #[serde(flatten)]
    pub action: HookAction,
    /// Where it runs.
    #[serde(rename = "in")]
    pub place: HookPlace,
    /// When it is ended.
    pub timeout: Period,
    /// Its variables.
    pub env: IndexMap<String, String>,
    /// More variables, in systemd's `EnvironmentFile=` format.
    pub env_file: Option<PathBuf>,
}

/// What a hook runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookAction {
    /// argv, no shell.
    Command(Vec<String>),
    /// A script for `/bin/sh`, written by the owner of the file.
    Script(String),
}

/// Where a hook runs; written `host` or `container:<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookPlace {
    /// On the host.
    Host,
    /// In the container of this name.
    Container(ContainerName),
}

impl fmt::Display for HookPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Container(name) => write!(f, "container:{name}"),
        }
    }
}

impl Serialize for HookPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for HookPlace {
    fn schema_name() -> Cow<'static, str> {
        "HookPlace".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(host|container:.+)$",
            "description": "Where a hook runs: `host` or `container:<name>`.",
        })
    }
}

impl Hooks {
    /// The files that hooks take variables from: secrets, as it may be.
    pub fn env_files(&self) -> impl Iterator<Item = &Path> {
        [&self.pre, &self.post, &self.on_failure]
            .into_iter()
            .flatten()
            .filter_map(|hook| hook.env_file.as_deref())
    }

    /// Reads the hooks of a service.
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let hooks = Self {
            pre: f.list("pre", d, Hook::decode),
            post: f.list("post", d, Hook::decode),
            on_failure: f.list("onFailure", d, Hook::decode),
        };
        f.finish(d);
        Some(hooks)
    }
}

impl Hook {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let action = HookAction::decode(&mut f, d);
        let place = f.get("in", d, HookPlace::decode).unwrap_or(HookPlace::Host);
        let timeout = f.get("timeout", d, period).unwrap_or(Period::seconds(60));
        let env = f.get("env", d, variables).unwrap_or_default();
        let env_file = f.get("envFile", d, path);
        f.finish(d);
        action.map(|action| Self { action, place, timeout, env, env_file })
    }
}

impl HookAction {
    fn decode(f: &mut Fields<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let written = (f.node("command").is_some(), f.node("script").is_some());
        let command = f.get("command", d, argv).map(Self::Command);
        let script = f.get("script", d, argument).map(Self::Script);
        match written {
            (true, true) => d.problem(f.offset(), "a hook has `command` or `script`, not both", None),
            (false, false) => d.problem(f.offset(), "a hook needs `command` or `script`", None),
            (true, false) | (false, true) => {}
        }
        command.or(script)
    }
}

impl HookPlace {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let place = text(node, d)?;
        if place == "host" {
            return Some(Self::Host);
        }
        let Some(container) = place.strip_prefix("container:") else {
            let message = format!("`{}` is neither `host` nor `container:<name>`", shown(place));
            return d.refuse(node, message);
        };
        match container.parse() {
            Ok(name) => Some(Self::Container(name)),
            Err(error) => d.refuse(node, error.to_string()),
        }
    }
}

/// Environment variables. Their values are never quoted in a message.
fn variables(node: Node<'_>, d: &mut Decoder<'_>) -> Option<IndexMap<String, String>> {
    entries(
        node,
        d,
        |key, offset, d| {
            if env_file::is_variable_name(key) {
                return Some(key.to_owned());
            }
            let hint = Some("letters, digits and _, not beginning with a digit".to_owned());
            d.problem(offset, format!("`{}` cannot name a variable", shown(key)), hint);
            None
        },
        |_, node, d| any_argument(node, d),
    )
}
