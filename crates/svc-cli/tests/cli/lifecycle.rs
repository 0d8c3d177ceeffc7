//! `svc`, `list`, `start`, `stop` and `restart` where there is neither systemd nor Docker.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn the_list_says_what_cannot_be_known_and_why() {
    let scene = Scene::new();
    assert_snapshot!("list", scene.svc(&["list"]));
    assert_snapshot!("list_json", scene.svc(&["list", "--json"]));
    assert_snapshot!("home", scene.svc(&[]));
}

#[test]
fn services_that_cannot_be_reached_are_named() {
    let scene = Scene::new();
    assert_snapshot!("start", scene.svc(&["start", "notes"]));
    assert_snapshot!("stop_dry", scene.svc(&["stop", "notes", "-n"]));
    assert_snapshot!("restart_json", scene.svc(&["restart", "notes", "--json", "-n"]));
}

#[test]
fn unknown_services_are_usage_errors() {
    let scene = Scene::new();
    assert_snapshot!("unknown_service", scene.svc(&["start", "nots"]));
    assert_snapshot!("unknown_service_json", scene.svc(&["stop", "zebra", "--json"]));
    assert_snapshot!("stop_all_asks", scene.svc(&["restart", "../../etc"]));
}
