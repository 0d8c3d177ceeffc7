//! `svc repo init` and `svc list-backups`.

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
fn snapshots_are_listed_newest_first() {
    let scene = Scene::new();
    assert_snapshot!("list_backups", scene.svc(&["list-backups", "local", "notes"]));
    assert_snapshot!("list_backups_json", scene.svc(&["list-backups", "local", "notes", "--json"]));
    assert_snapshot!("list_backups_unknown", scene.svc(&["list-backups", "local", "note"]));
    scene.remove("bin/restic");
    assert_snapshot!("list_backups_without_restic", scene.svc(&["list-backups", "local", "notes"]));
}
