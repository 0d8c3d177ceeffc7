//! A restic repository of `services.json`.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

/// A restic repository and how to reach it. Holds paths of secrets, never a secret.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Where it is; nothing: the environment file says.
    pub location: Option<Location>,
    /// Where its password is; nothing: the environment file says.
    pub password: Option<Password>,
    /// Variables for restic, in systemd's `EnvironmentFile=` format.
    pub environment_file: Option<PathBuf>,
    /// The repository id that must be found there.
    pub id: Option<String>,
    /// A directory that must be a mount point.
    pub mount_point: Option<PathBuf>,
    /// restic's `-o` options.
    pub options: IndexMap<String, String>,
    /// KiB/s up.
    pub limit_upload: Option<u32>,
    /// KiB/s down.
    pub limit_download: Option<u32>,
    /// In how many checks every byte is read.
    pub check_subsets: u32,
    /// When a service's last good snapshot is too old.
    pub max_age: Period,
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    /// A path or a URL without a password in it.
    Repository(String),
    /// A file that holds it.
    RepositoryFile(PathBuf),
}

/// Where a repository's password is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Password {
    /// A file that holds it.
    PasswordFile(PathBuf),
}
