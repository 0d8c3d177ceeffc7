//! `svc runs`, `status`, `attach`, `cancel` and `recover`: runs of another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::scene::Scene;

/// Is at work until it is told to end, or its scene is gone: like restic it outlives a svc that dies.
const ENDLESS: &str = ": > BEGUN; while [ -e FAIL ]; do sleep 0.05; done; exit 1";

/// Begins a backup whose restic is at work until it is ended.
fn backup(scene: &Scene) -> Child {
    scene.write("bin/FAIL", ENDLESS);
    let mut command = scene.command(["backup", "local", "notes", "--user"]);
    let mut backup = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(backup.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("backing up to local")), "the backup does not begin");
    // Until then the process that becomes restic is a part of svc, and holds what svc holds.
    let (begun, waited) = (scene.path("bin/BEGUN"), Instant::now());
    while !begun.exists() && waited.elapsed() < Duration::from_secs(30) {
        std::thread::yield_now();
    }
    assert!(begun.exists(), "restic does not begin");
    backup
}

#[test]
fn a_run_that_has_ended_is_shown_as_it_ended() {
    let scene = Scene::new();
    scene.svc(&["backup", "local", "notes"]);
    assert_snapshot!("runs", scene.svc(&["runs"]));
    assert_snapshot!("runs_latest", scene.svc(&["runs", "latest"]));
    assert_snapshot!("attach", scene.svc(&["attach", "latest"]));
    assert_snapshot!("cancel_ended", scene.svc(&["cancel", "latest"]));
    assert_snapshot!("status_cached", scene.svc(&["status", "--cached"]));
}

#[test]
fn a_run_at_work_is_cancelled_by_another_process() {
    let scene = Scene::new();
    let mut backup = backup(&scene);
    assert_snapshot!("cancel", scene.svc(&["cancel"]));
    assert_eq!(backup.wait().unwrap().code(), Some(143));
    assert_snapshot!("attach_cancelled", scene.svc(&["attach", "latest"]));
}

#[test]
fn runs_are_shown_and_cancelled_under_a_configuration_that_cannot_be_read() {
    let scene = Scene::new();
    scene.svc(&["backup", "local", "notes"]);
    let good = scene.svc(&["runs"]);
    scene.write("config/svc/services.json", "{");
    assert_snapshot!("runs_broken", scene.svc(&["runs"]));
    let broken = scene.svc(&["runs"]);
    assert_eq!(broken.split("--- stderr").next(), good.split("--- stderr").next());
    for (words, code) in [(["runs", "latest"], 0), (["attach", "latest"], 0), (["cancel", "latest"], 2)] {
        let told = scene.svc(&words);
        assert!(told.contains(&format!("\nexit {code}\n")) && told.contains("warning: "), "{told}");
    }
}

#[test]
fn a_run_that_died_is_recovered_once() {
    let scene = Scene::new();
    let mut backup = backup(&scene);
    backup.kill().unwrap();
    backup.wait().unwrap();
    assert_snapshot!("recover", scene.svc(&["recover"]));
    assert_snapshot!("recover_nothing", scene.svc(&["recover"]));
}

#[test]
fn a_recovery_of_nothing_is_one_json_document_too() {
    let output = Scene::new().output(["recover", "--json", "--user"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document, output.status.code()), (serde_json::json!({"recovered": []}), Some(0)));
}
