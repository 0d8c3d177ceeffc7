//! What a service is made of, saved with its data so that a restore on a new machine can make it again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Service};
use crate::durable;
use crate::failure::Failure;
use crate::names::{ServiceName, UnitName};
use crate::observe;
use crate::outside::Outside;

/// What a service is made of. Changes only when that does: an unchanged one costs a backup nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The service.
    pub service: ServiceName,
    /// The host it ran on.
    pub host: String,
    /// Its volumes, by name.
    pub volumes: BTreeMap<String, ManifestVolume>,
    /// Its declared paths.
    pub paths: Vec<PathBuf>,
    /// Its units.
    pub units: Vec<UnitName>,
    /// Its containers' images, by container name.
    pub images: BTreeMap<String, String>,
}

/// A volume as it must be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestVolume {
    /// Its driver.
    pub driver: String,
    /// Its driver's options.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where its data was.
    pub mountpoint: PathBuf,
}

impl Manifest {
    /// Asks the outside systems what the service is made of.
    ///
    /// # Errors
    /// When the service has volumes and Docker cannot tell about them.
    pub async fn gather(service: &Service, config: &Config, outside: &Outside) -> Result<Self, Failure> {
        let parts = observe::parts(config, outside, std::slice::from_ref(&service.name)).await;
        let parts = parts.into_iter().next().unwrap_or_default();
        let mut volumes = BTreeMap::new();
        if !service.backup.volumes.is_empty() {
            let known = outside.docker.volumes().await.map_err(|error| Failure::from(&error))?;
            for volume in known.into_iter().filter(|volume| service.backup.volumes.contains(&volume.name)) {
                let (driver, options, labels) = (volume.driver, volume.options, volume.labels);
                let mountpoint = volume.mountpoint;
                volumes.insert(volume.name.into(), ManifestVolume { driver, options, labels, mountpoint });
            }
        }
        Ok(Self {
            format: 1,
            service: service.name.clone(),
            host: config.host.clone(),
            volumes,
            paths: service.backup.paths.clone(),
            units: parts.units.iter().map(|(unit, _)| unit.name.clone()).collect(),
            images: parts.containers.into_iter().map(|container| (container.name, container.image)).collect(),
        })
    }

    /// Writes it, unless the same is there already: restic would see a new file every night.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        if std::fs::read(path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        durable::make_directory(path.parent().unwrap_or(path), 0o750)?;
        durable::replace(path, &text, 0o640)
    }
}
