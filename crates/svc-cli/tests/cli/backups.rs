//! `svc backup` and `svc restore` of a service that has only paths.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn a_backup_says_what_it_will_do_and_what_it_did() {
    let scene = Scene::new();
    assert_snapshot!("backup_dry", scene.svc(&["-n", "backup", "local", "notes"]));
    assert_snapshot!("backup", scene.svc(&["backup", "local", "all"]));
    let json = scene.svc(&["backup", "local", "notes", "--json"]);
    let lines: Vec<&str> = json.lines().filter(|line| line.starts_with('{')).collect();
    assert!(
        lines.len() > 5 && lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{json}"
    );
}

#[test]
fn a_backup_that_fails_says_what_to_type_next() {
    let scene = Scene::new();
    scene.write("bin/FAIL", "echo 'Fatal: unable to save: disk trouble' >&2; exit 1");
    assert_snapshot!("restic_fails", scene.svc(&["backup", "local", "notes"]));
    scene.remove("bin/FAIL").write("bin/WRONG", "");
    assert_snapshot!("wrong_password", scene.svc(&["backup", "local", "notes"]));
    scene.remove("bin/WRONG").remove("notes");
    assert_snapshot!("missing_path", scene.svc(&["backup", "local", "notes"]));
    scene.remove("bin/restic");
    assert_snapshot!("without_restic", scene.svc(&["backup", "local", "notes"]));
}

#[test]
fn words_that_mean_no_backup_are_usage_errors() {
    let scene = Scene::new();
    assert_snapshot!("disabled", scene.svc(&["backup", "local", "idle"]));
    assert_snapshot!("unknown_repository", scene.svc(&["backup", "lokal", "notes"]));
    assert_snapshot!("unknown_service_backup", scene.svc(&["backup", "local", "note"]));
}

#[test]
fn a_restore_that_cannot_be_touches_nothing() {
    let scene = Scene::new();
    // Nobody can say whether something runs on the data that would be exchanged.
    assert_snapshot!("restore_without_docker", scene.svc(&["restore", "local", "notes", "--yes"]));
    assert_snapshot!("restore_no_snapshot_word", scene.svc(&["restore", "local", "notes", "5 parsecs ago"]));
    assert_snapshot!("restore_all_with_one_id", scene.svc(&["restore", "all", "notes", "abcd", "--yes"]));
    assert_snapshot!("restore_unknown_service", scene.svc(&["restore", "local", "nots"]));
    assert!(scene.path("notes/a").exists());
}
