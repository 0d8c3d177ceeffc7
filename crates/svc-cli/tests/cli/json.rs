//! Every document that `--json` prints is what its schema in `docs/schema` says.

use std::path::Path;

use serde_json::Value;

use crate::scene::Scene;

/// What a verb printed on stdout.
fn stdout(scene: &Scene, words: &[&str]) -> String {
    let said = scene.svc(words);
    let (_, rest) = said.split_once("--- stdout\n").unwrap();
    rest.split_once("--- stderr").unwrap().0.to_owned()
}

/// Checks a document against a schema of the tree.
fn assert_valid(schema: &str, document: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schema/{schema}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let document: Value =
        serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {document:#}");
}

#[test]
fn documents_are_what_their_schemas_say() {
    let scene = Scene::new();
    for (schema, words) in [
        ("list", &["list", "--json"][..]),
        ("list", &["--json"]),
        ("config-check", &["config", "check", "--json"]),
        ("config-show", &["config", "show", "--json"]),
        ("doctor", &["doctor", "--json"]),
        ("list-backups", &["list-backups", "local", "notes", "--json"]),
        ("plan", &["-n", "backup", "local", "notes", "--json"]),
        ("recover-nothing", &["recover", "--json"]),
        ("repo-check", &["repo", "check", "local", "--json"]),
        ("repo-prune", &["repo", "prune", "local", "--json"]),
        ("repo-stats", &["repo", "stats", "local", "--json"]),
        ("repo-unlock", &["repo", "unlock", "local", "--json"]),
        ("repo-dry-run", &["repo", "check", "local", "-n", "--json"]),
        ("repo-dry-run", &["repo", "prune", "local", "-n", "--json"]),
        ("runs", &["runs", "--json"]),
        ("status", &["status", "--json"]),
    ] {
        assert_valid(schema, &stdout(&scene, words));
    }
    scene.write("bin/EMPTY", "");
    assert_valid("repo-dry-run", &stdout(&scene, &["repo", "init", "local", "-n", "--json"]));
    assert_valid("repo-init", &stdout(&scene, &["repo", "init", "local", "--json"]));
}

#[test]
fn every_line_of_a_run_is_an_event_and_so_is_its_log() {
    let scene = Scene::new();
    let lines = stdout(&scene, &["backup", "local", "notes", "--json"]);
    assert!(lines.lines().count() > 5, "{lines}");
    lines.lines().for_each(|line| assert_valid("event", line));
    let runs: Value = serde_json::from_str(&stdout(&scene, &["runs", "--json"])).unwrap();
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_failure_is_a_document_too() {
    let scene = Scene::new();
    assert_valid("error", &stdout(&scene, &["start", "nots", "--json"]));
    scene.write("config/svc/services.json", "{}}");
    assert_valid("error", &stdout(&scene, &["list", "--json"]));
    assert_valid("error", &stdout(&scene, &["config", "check", "--json"]));
}
