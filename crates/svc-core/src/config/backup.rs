//! How a service is backed up.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::decode::{Decoder, Fields, Node, values};
use super::scalar::{argument, boolean, name, number, one_of, path, period, text};
use super::{Hooks, Period, Policy, overlap, tag};
use crate::names::{RepositoryName, VolumeName};

/// The backup part of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Whether it is backed up at all.
    pub enable: bool,
    /// Docker volumes, by name.
    pub volumes: Vec<VolumeName>,
    /// Absolute paths.
    pub paths: Vec<PathBuf>,
    /// Tags of its snapshots, besides `svc:<name>`.
    pub tags: Vec<String>,
    /// restic's exclude patterns.
    pub exclude: Vec<String>,
    /// Which snapshots are kept; nothing: all.
    pub policy: Option<Policy>,
    /// Where it goes; empty: every repository.
    pub repositories: Vec<RepositoryName>,
    /// What is done to the service meanwhile.
    pub quiesce: Quiesce,
    /// How its compose stack is stopped and started.
    pub stop_via: StopVia,
    /// Whether a frozen copy is read.
    pub freeze: Freeze,
    /// What runs before and after.
    pub hooks: Hooks,
    /// Database dumps that belong to its sources.
    pub dumps: Vec<PathBuf>,
    /// When to give up.
    pub timeout: Option<Period>,
    /// When the last good snapshot is too old; the repository's unless set.
    pub max_age: Option<Period>,
    /// Fewer files than this is a failed backup.
    pub min_files: u64,
    /// A snapshot that lost more than this of its files or bytes is a failed backup. Percent.
    #[schemars(range(max = 100))]
    pub max_shrink_percent: u8,
}

/// What is done to a service while its data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Quiesce {
    /// Nothing.
    None,
    /// It is paused.
    Pause,
    /// It is stopped.
    Stop,
}

/// How a compose stack behind a oneshot unit is stopped and started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StopVia {
    /// Container by container, through Docker.
    Auto,
    /// By its unit's jobs.
    Unit,
}

/// Whether restic reads a frozen copy instead of the live data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Freeze {
    /// Where it pays.
    Auto,
    /// Never.
    Never,
    /// Always; refused where it cannot be.
    Require,
}

const QUIESCE: [(&str, Quiesce); 3] =
    [("none", Quiesce::None), ("pause", Quiesce::Pause), ("stop", Quiesce::Stop)];
const STOP_VIA: [(&str, StopVia); 2] = [("auto", StopVia::Auto), ("unit", StopVia::Unit)];
const FREEZE: [(&str, Freeze); 3] =
    [("auto", Freeze::Auto), ("never", Freeze::Never), ("require", Freeze::Require)];

impl Backup {
    /// The backup of a service that has none.
    pub(super) fn disabled(service: &str) -> Self {
        Self {
            enable: false,
            volumes: Vec::new(),
            paths: Vec::new(),
            tags: vec![service.to_owned()],
            exclude: Vec::new(),
            policy: None,
            repositories: Vec::new(),
            quiesce: Quiesce::Stop,
            stop_via: StopVia::Auto,
            freeze: Freeze::Auto,
            hooks: Hooks::default(),
            dumps: Vec::new(),
            timeout: None,
            max_age: None,
            min_files: 1,
            max_shrink_percent: 50,
        }
    }

    /// Reads the backup part of the service with this key.
    pub(super) fn decode(service: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let before = d.problems.len();
        let default = Self::disabled(service);
        let mut f = Fields::open(node, d)?;
        let enable = f.get("enable", d, boolean).unwrap_or(false);
        let quiesce = quiesce(&mut f, d).unwrap_or(default.quiesce);
        let volumes = values(f.set("volumes", d, name::<VolumeName>));
        let paths = f.set("paths", d, path);
        overlap::warn(&paths, d);
        let dumps = f.set("dumps", d, path);
        let tags = f
            .node("tags")
            .is_some()
            .then(|| values(f.set("tags", d, |node, d| tag::decode(service, node, d))));
        let backup = Self {
            enable,
            quiesce,
            volumes,
            paths: values(paths),
            dumps: values(dumps),
            tags: tags.unwrap_or(default.tags),
            exclude: values(f.set("exclude", d, pattern)),
            policy: f.get("policy", d, Policy::decode),
            repositories: repositories(&mut f, d),
            stop_via: f.get("stopVia", d, one_of(&STOP_VIA)).unwrap_or(default.stop_via),
            freeze: f.get("freeze", d, one_of(&FREEZE)).unwrap_or(default.freeze),
            hooks: f.get("hooks", d, Hooks::decode).unwrap_or_default(),
            timeout: f.get("timeout", d, period),
            max_age: f.get("maxAge", d, period),
            min_files: f.get("minFiles", d, number(0, u64::MAX)).unwrap_or(default.min_files),
            max_shrink_percent: f
                .get("maxShrinkPercent", d, number(0, 100))
                .unwrap_or(default.max_shrink_percent),
        };
        // What cannot be read is not missing: no problem that only follows from another.
        if d.problems.len() == before && enable && backup.has_no_sources() {
            let hint = Some("give it `volumes` or `paths`, or set `enable` to false".to_owned());
            d.problem(f.offset(), "the backup is enabled, but there is nothing to back up", hint);
        }
        f.finish(d);
        Some(backup)
    }

    fn has_no_sources(&self) -> bool {
        self.volumes.is_empty() && self.paths.is_empty() && self.dumps.is_empty()
    }
}

/// `quiesce`, or what today's `needsServiceStopped` says; neither: stopped, which no data minds.
fn quiesce(f: &mut Fields<'_>, d: &mut Decoder<'_>) -> Option<Quiesce> {
    let stopped = f.get("needsServiceStopped", d, boolean);
    let quiesce = f.spot("quiesce", d, one_of(&QUIESCE));
    match (stopped, quiesce) {
        (None, None) => None,
        (Some(true), None) => Some(Quiesce::Stop),
        (Some(false), None) => Some(Quiesce::None),
        (stopped, Some(quiesce)) => {
            if stopped.is_some_and(|stopped| stopped != (quiesce.value == Quiesce::Stop)) {
                let hint = Some("leave `needsServiceStopped` out".to_owned());
                d.problem(quiesce.offset, "`quiesce` contradicts `needsServiceStopped`", hint);
            }
            Some(quiesce.value)
        }
    }
}

fn repositories(f: &mut Fields<'_>, d: &mut Decoder<'_>) -> Vec<RepositoryName> {
    let names = f.set("repositories", d, name::<RepositoryName>);
    d.references.repositories(&names);
    values(names)
}

fn pattern(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    match text(node, d)? {
        text if text.contains(['\n', '\r']) => d.refuse(node, "this pattern has a line break in it"),
        _ => argument(node, d),
    }
}
