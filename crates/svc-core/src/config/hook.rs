//! What runs before and after a backup.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

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

/// Where a hook runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookPlace {
    /// On the host.
    Host,
    /// In the container of this name.
    Container(String),
}
