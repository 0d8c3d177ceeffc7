//! What `--json` prints where no type of core stands for it. The schemas of all documents are in `docs/schema`.

use schemars::JsonSchema;
use serde::Serialize;
use svc_core::config::Problem;
use svc_core::event::Event;
use svc_core::failure::Failure;
use svc_core::history::RunSummary;
use svc_core::names::{RepositoryName, RunId};
use svc_core::restic::Snapshot;

/// Any verb that could not do what was asked.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorDocument<'a> {
    /// Why.
    pub(crate) error: &'a Failure,
    /// Every problem of the configuration; `config check` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problems: Option<&'a [Problem]>,
}

/// `svc config check` of a good file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckDocument<'a> {
    /// How many services there are.
    pub(crate) services: usize,
    /// How many repositories there are.
    pub(crate) repositories: usize,
    /// What is odd, but keeps nothing from working.
    pub(crate) warnings: &'a [Problem],
}

/// `svc repo init`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitDocument<'a> {
    /// Which repository.
    pub(crate) repository: &'a RepositoryName,
    /// Its new id.
    pub(crate) id: &'a str,
}

/// `svc repo init`, `check` and `prune` with `--dry-run`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrialDocument<'a> {
    /// Which repository.
    pub(crate) repository: &'a RepositoryName,
    /// What would become of it, in words.
    pub(crate) would: &'a str,
}

/// A run that `--detach` leaves to itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DetachedDocument<'a> {
    /// Its id, for `svc attach`.
    #[schemars(with = "String")]
    pub(crate) run: &'a RunId,
}

/// `svc recover` when no run owes anything; else the events of each run that does.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NothingOwedDocument {
    /// The runs that were brought to their end: none.
    pub(crate) recovered: [String; 0],
}

/// `svc runs RUN`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunDocument<'a> {
    /// How it went.
    pub(crate) summary: &'a RunSummary,
    /// All that is in its log.
    pub(crate) events: &'a [Event],
}

/// A snapshot, and what is known of it besides.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListedSnapshot<'a> {
    #[serde(flatten)]
    pub(crate) snapshot: &'a Snapshot,
    /// Whether the repository was found damaged: then nothing proves that it can be restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unproven: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use schemars::{Schema, schema_for};
    use svc_core::care::{CheckReport, PruneReport, StatsReport, UnlockReport};
    use svc_core::config::Effective;
    use svc_core::doctor::Diagnosis;
    use svc_core::overview::Overview;
    use svc_core::plan::Plan;
    use svc_core::standing::Standing;
    use svc_core::timers::TimerOverview;

    use super::*;

    /// The schema of each document, by the name of its file in `docs/schema`.
    fn schemas() -> Vec<(&'static str, Schema)> {
        vec![
            ("config-check", schema_for!(CheckDocument<'_>)),
            ("config-show", schema_for!(Effective)),
            ("detached", schema_for!(DetachedDocument<'_>)),
            ("doctor", schema_for!(Diagnosis)),
            ("error", schema_for!(ErrorDocument<'_>)),
            ("event", schema_for!(Event)),
            ("list", schema_for!(Overview)),
            ("list-backups", schema_for!(Vec<ListedSnapshot<'_>>)),
            ("plan", schema_for!(Plan)),
            ("recover-nothing", schema_for!(NothingOwedDocument)),
            ("repo-init", schema_for!(InitDocument<'_>)),
            ("repo-check", schema_for!(CheckReport)),
            ("repo-prune", schema_for!(PruneReport)),
            ("repo-dry-run", schema_for!(TrialDocument<'_>)),
            ("repo-stats", schema_for!(StatsReport)),
            ("repo-unlock", schema_for!(UnlockReport)),
            ("run", schema_for!(RunDocument<'_>)),
            ("runs", schema_for!(Vec<RunSummary>)),
            ("services", svc_core::config::schema()),
            ("status", schema_for!(Standing)),
            ("timers", schema_for!(Vec<TimerOverview>)),
        ]
    }

    #[test]
    fn the_schemas_in_the_tree_are_those_of_the_documents() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
        let text = |schema: &Schema| serde_json::to_string_pretty(schema).unwrap() + "\n";
        let expected: BTreeMap<String, String> =
            schemas().iter().map(|(name, schema)| (format!("{name}.json"), text(schema))).collect();
        if std::env::var_os("SVC_BLESS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            for (name, text) in &expected {
                std::fs::write(directory.join(name), text).unwrap();
            }
        }
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        };
        let in_tree: BTreeMap<String, String> = std::fs::read_dir(directory).unwrap().map(read).collect();
        assert!(in_tree.keys().eq(expected.keys()), "SVC_BLESS=1 writes them anew: {:?}", in_tree.keys());
        for (name, text) in &expected {
            assert!(in_tree[name] == *text, "`{name}` is old: SVC_BLESS=1 writes it anew");
        }
    }
}
