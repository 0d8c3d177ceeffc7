//! How a service is restored.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::Backup;
use super::decode::{Decoder, Fields, Node, Spotted, values};
use super::scalar::{argv, boolean, name, path};
use super::tag;
use crate::names::{RepositoryName, UnitName, VolumeName};

/// The restore part of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// The tag that snapshots from before svc carry.
    pub tag: Option<String>,
    /// Docker volumes, by name.
    pub volumes: Vec<VolumeName>,
    /// Absolute paths.
    pub paths: Vec<PathBuf>,
    /// Whether the service is stopped meanwhile.
    pub stop_compose: bool,
    /// The unit that brings the compose project up.
    pub compose_unit: Option<UnitName>,
    /// Where the snapshot's `/` goes.
    pub target: PathBuf,
    /// How a new machine is filled.
    pub preseed: Preseed,
    /// Commands that must succeed on restored data: argv each, no shell.
    pub verify: Vec<Vec<String>>,
}

/// How a new machine is filled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preseed {
    /// Repositories to try, in order.
    pub repositories: Vec<RepositoryName>,
    /// Whether starting with nothing is right.
    pub allow_empty: bool,
}

impl Restore {
    /// The restore of a service that says nothing about it: what is backed up comes back.
    pub(super) fn of(backup: &Backup) -> Self {
        Self {
            tag: None,
            volumes: backup.volumes.clone(),
            paths: backup.paths.clone(),
            stop_compose: true,
            compose_unit: None,
            target: PathBuf::from("/"),
            preseed: Preseed::default(),
            verify: Vec::new(),
        }
    }

    /// Reads the restore part of the service with this key.
    pub(super) fn decode(
        service: &str,
        backup: &Backup,
        node: Node<'_>,
        d: &mut Decoder<'_>,
    ) -> Option<Self> {
        let default = Self::of(backup);
        let mut f = Fields::open(node, d)?;
        let tag = f.spot("tag", d, |node, d| tag::decode(service, node, d));
        if let Some(tag) = &tag {
            d.references.restore_tag(service, tag.offset);
        }
        let (volumes, paths) = sources(&mut f, backup, d);
        let restore = Self {
            tag: tag.map(|tag| tag.value),
            volumes,
            paths,
            stop_compose: f.get("stopCompose", d, boolean).unwrap_or(default.stop_compose),
            compose_unit: f.get("composeUnit", d, name),
            target: f.get("target", d, path).unwrap_or(default.target),
            preseed: f.get("preseed", d, Preseed::decode).unwrap_or_default(),
            verify: f.list("verify", d, argv),
        };
        f.finish(d);
        Some(restore)
    }
}

/// What is restored: what is listed; with neither list there, what is backed up.
fn sources(f: &mut Fields<'_>, backup: &Backup, d: &mut Decoder<'_>) -> (Vec<VolumeName>, Vec<PathBuf>) {
    let listed = f.node("volumes").is_some() || f.node("paths").is_some();
    let volumes = f.set("volumes", d, name);
    let paths = f.set("paths", d, path);
    if !listed {
        return (backup.volumes.clone(), backup.paths.clone());
    }
    if backup.enable {
        warn_of_strangers(&volumes, &backup.volumes, d);
        warn_of_strangers(&paths, &backup.paths, d);
    }
    (values(volumes), values(paths))
}

fn warn_of_strangers<T: Eq + Hash>(restored: &[Spotted<T>], backed_up: &[T], d: &mut Decoder<'_>) {
    let backed_up: HashSet<&T> = backed_up.iter().collect();
    for source in restored.iter().filter(|source| !backed_up.contains(&source.value)) {
        d.warning(source.offset, "this is to be restored, but it is not backed up", None);
    }
}

impl Preseed {
    fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let repositories = f.set("repositories", d, name::<RepositoryName>);
        d.references.repositories(&repositories);
        let allow_empty = f.get("allowEmpty", d, boolean).unwrap_or(false);
        f.finish(d);
        Some(Self { repositories: values(repositories), allow_empty })
    }
}
