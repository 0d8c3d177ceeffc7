//! A restic repository of `services.json`.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;
use super::decode::{Decoder, Fields, Node, entries};
use super::scalar::{any_argument, number, path, period, word};
use crate::names::shown;

/// A restic repository and how to reach it. Holds paths of secrets, never a secret.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Where it is; nothing: the environment file says.
    #[serde(flatten)]
    pub location: Option<Location>,
    /// Where its password is; nothing: the environment file says.
    #[serde(flatten)]
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
    #[schemars(range(min = 1))]
    pub limit_upload: Option<u32>,
    /// KiB/s down.
    #[schemars(range(min = 1))]
    pub limit_download: Option<u32>,
    /// In how many checks every byte is read.
    #[schemars(range(min = 1, max = MOST_SUBSETS))]
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

/// restic's own limit on `--read-data-subset=n/t`.
const MOST_SUBSETS: u64 = 256;

impl Repository {
    /// The repository of this name when the file does not describe it: all is in its environment file.
    pub(super) fn by_convention(name: &str, secrets_root: &Path) -> Self {
        Self {
            location: None,
            password: None,
            environment_file: Some(secrets_root.join("restic").join(format!("{name}.env"))),
            id: None,
            mount_point: None,
            options: IndexMap::new(),
            limit_upload: None,
            limit_download: None,
            check_subsets: 12,
            max_age: Period::seconds(26 * 3600),
        }
    }

    /// Reads the repository with this key.
    pub(super) fn decode(name: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Self {
        let before = d.problems.len();
        let default = Self::by_convention(name, &d.secrets_root);
        let Some(mut f) = Fields::open(node, d) else {
            // Its name exists all the same for those who refer to it.
            return default;
        };
        let mut repository = Self {
            location: location(&mut f, d),
            password: f.get("passwordFile", d, path).map(Password::PasswordFile),
            environment_file: f.get("environmentFile", d, path),
            id: f.get("id", d, id),
            mount_point: f.get("mountPoint", d, path),
            options: f.get("options", d, options).unwrap_or_default(),
            limit_upload: f.get("limitUpload", d, number(1, u64::from(u32::MAX))),
            limit_download: f.get("limitDownload", d, number(1, u64::from(u32::MAX))),
            check_subsets: f.get("checkSubsets", d, number(1, MOST_SUBSETS)).unwrap_or(default.check_subsets),
            max_age: f.get("maxAge", d, period).unwrap_or(default.max_age),
        };
        if repository.environment_file.is_none() && d.problems.len() == before {
            match (&repository.location, &repository.password) {
                (None, None) => repository.environment_file = default.environment_file,
                (Some(_), Some(_)) => {}
                (Some(_), None) => incomplete(&f, d, "where its password is", "`passwordFile`"),
                (None, Some(_)) => incomplete(&f, d, "where it is", "`repository` or `repositoryFile`"),
            }
        }
        f.finish(d);
        repository
    }
}

fn incomplete(f: &Fields<'_>, d: &mut Decoder<'_>, what: &str, keys: &str) {
    let hint = Some(format!("give it {keys}, or an `environmentFile` that says it"));
    d.problem(f.offset(), format!("this repository does not say {what}"), hint);
}

fn location(f: &mut Fields<'_>, d: &mut Decoder<'_>) -> Option<Location> {
    let repository = f.get("repository", d, address).map(Location::Repository);
    let file = f.spot("repositoryFile", d, path);
    if let (Some(_), Some(file)) = (&repository, &file) {
        d.problem(file.offset, "a repository has `repository` or `repositoryFile`, not both", None);
    }
    repository.or(file.map(|file| Location::RepositoryFile(file.value)))
}

/// A path or one of restic's URLs. Never quoted: it could hold a password after all.
fn address(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let address = word(node, d)?;
    let authority = address.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let login = authority.and_then(|authority| authority.rsplit_once('@')).map(|(login, _)| login);
    if login.is_some_and(|login| login.contains(':')) {
        let hint = "put the address into a `repositoryFile` or an `environmentFile`";
        return d.refuse_hinting(
            node,
            "this address has a password in it, and everyone can read this file",
            hint,
        );
    }
    if address.starts_with('/') {
        return path(node, d).map(|path| path.display().to_string());
    }
    let known = address
        .split_once(':')
        .is_some_and(|(backend, rest)| BACKENDS.contains(&backend) && !rest.is_empty());
    if known {
        Some(address)
    } else {
        d.refuse_hinting(
            node,
            "this is neither an absolute path nor one of restic's addresses",
            "for example `/srv/restic`, `sftp:user@host:/srv/restic` or `rest:https://host/`",
        )
    }
}

const BACKENDS: [&str; 9] = ["azure", "b2", "gs", "local", "rclone", "rest", "s3", "sftp", "swift"];

fn id(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let id = word(node, d)?;
    if id.len() == 64 && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
        return Some(id);
    }
    d.refuse_hinting(node, "a repository id has 64 hexadecimal digits", "`restic cat config` shows it")
}

fn options(node: Node<'_>, d: &mut Decoder<'_>) -> Option<IndexMap<String, String>> {
    let key = |key: &str, offset, d: &mut Decoder<'_>| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if key.starts_with(|c: char| c.is_ascii_alphanumeric()) && key.chars().all(allowed) {
            return Some(key.to_owned());
        }
        d.problem(offset, format!("`{}` is not an option of restic such as `sftp.args`", shown(key)), None);
        None
    };
    entries(node, d, key, |_, node, d| any_argument(node, d))
}
