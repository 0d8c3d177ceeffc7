//! `svc repo` and `svc list-backups`.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn a_repository_is_made_where_there_is_none_and_never_twice() {
    let scene = Scene::new();
    scene.write("bin/EMPTY", "");
    assert_snapshot!("init_dry", scene.svc(&["repo", "init", "local", "-n"]));
    assert_snapshot!("init", scene.svc(&["repo", "init", "local"]));
    assert_snapshot!("init_again", scene.svc(&["repo", "init", "local"]));
}

#[test]
fn a_repository_that_cannot_be_opened_is_not_made_anew() {
    let scene = Scene::new();
    scene.write("bin/WRONG", "");
    assert_snapshot!("init_wrong_password", scene.svc(&["repo", "init", "local"]));
    assert_snapshot!("init_unknown", scene.svc(&["repo", "init", "locl"]));
    assert_snapshot!("init_several", scene.svc(&["repo", "init", "local,lokal"]));
}

#[test]
fn a_repository_is_checked_pruned_and_counted() {
    let scene = Scene::new();
    assert_snapshot!("check_dry", scene.svc(&["repo", "check", "local", "-n"]));
    assert_snapshot!("check_dry_json", scene.svc(&["repo", "check", "local", "-n", "--json"]));
    assert_snapshot!("check", scene.svc(&["repo", "check", "local"]));
    assert_snapshot!("check_part", scene.svc(&["repo", "check", "local", "--subset", "auto"]));
    assert_snapshot!("check_all", scene.svc(&["repo", "check", "local", "--subset", "all"]));
    assert_snapshot!("prune_dry", scene.svc(&["repo", "prune", "local", "-n"]));
    assert_snapshot!("prune", scene.svc(&["repo", "prune", "local"]));
    assert_snapshot!("stats", scene.svc(&["repo", "stats", "local"]));
}

#[test]
fn locks_are_removed_only_if_nobody_can_hold_them() {
    let scene = Scene::new();
    let locked = |time: &str| {
        let lock = format!(r#"{{"time":"{time}","exclusive":true,"hostname":"elsewhere","pid":4711}}"#);
        scene.write("bin/LOCK", &lock);
    };
    assert_snapshot!("unlock_free", scene.svc(&["repo", "unlock", "local"]));
    // Nobody has heard of it for longer than restic lets a lock stand.
    locked("2025-11-01T02:00:00Z");
    assert_snapshot!("unlock_dry", scene.svc(&["repo", "unlock", "local", "-n"]));
    assert_snapshot!("unlock", scene.svc(&["repo", "unlock", "local"]));
    locked(&jiff::Timestamp::now().to_string());
    assert_snapshot!("unlock_held", scene.svc(&["repo", "unlock", "local"]));
    scene.write("bin/BROKEN", "echo 'Fatal: repository is already locked' >&2; exit 11");
    assert_snapshot!("check_locked", scene.svc(&["repo", "check", "local", "--wait-lock", "1s"]));
    assert_snapshot!("prune_locked", scene.svc(&["repo", "prune", "local", "--wait-lock", "1s"]));
}

#[test]
fn snapshots_are_listed_newest_first() {
    let scene = Scene::new();
    assert_snapshot!("list_backups", scene.svc(&["list-backups", "local", "notes"]));
    assert_snapshot!("list_backups_json", scene.svc(&["list-backups", "local", "notes", "--json"]));
    assert_snapshot!("list_backups_unknown", scene.svc(&["list-backups", "local", "note"]));
    scene.remove("bin/restic");
    assert_snapshot!("list_backups_without_restic", scene.svc(&["list-backups", "local", "notes"]));
}
