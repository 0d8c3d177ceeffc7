//! Where things lie.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::decode::{Decoder, Fields, Node};
use super::scalar::path;

/// Where things lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paths {
    /// Holds `restic/<repository>.env`.
    pub secrets_root: PathBuf,
    /// Holds the compose projects.
    pub deploy_root: PathBuf,
    /// Docker's volumes root, as Nix knows it. A note only: Docker itself says where a volume is.
    pub docker_volumes_root: Option<PathBuf>,
    /// Run logs, records, manifests, locks; the scope's own unless set.
    pub state_dir: Option<PathBuf>,
    /// restic's cache; the scope's own unless set.
    pub cache_dir: Option<PathBuf>,
    /// Where `svc metrics` writes its text file.
    pub metrics_dir: Option<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            secrets_root: "/var/lib/secrets".into(),
            deploy_root: "/var/lib/docker-services".into(),
            docker_volumes_root: None,
            state_dir: None,
            cache_dir: None,
            metrics_dir: None,
        }
    }
}

impl Paths {
    /// Reads where things lie.
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let default = Self::default();
        let mut f = Fields::open(node, d)?;
        let paths = Self {
            secrets_root: f.get("secretsRoot", d, path).unwrap_or(default.secrets_root),
            deploy_root: f.get("deployRoot", d, path).unwrap_or(default.deploy_root),
            docker_volumes_root: f.get("dockerVolumesRoot", d, path),
            state_dir: f.get("stateDir", d, path),
            cache_dir: f.get("cacheDir", d, path),
            metrics_dir: f.get("metricsDir", d, path),
        };
        f.finish(d);
        Some(paths)
    }
}
