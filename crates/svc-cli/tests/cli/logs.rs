//! `svc logs` where there is neither systemd nor Docker, but a journal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::scene::Scene;

/// Two entries: one coloured, one with a line's end in it.
const JOURNALCTL: &str = r#"#!/bin/sh
[ -e "${0%/*}/CLOSED" ] && { echo "No journal files were opened due to insufficient permissions." >&2; exit 1; }
printf '%s\n' '{"__REALTIME_TIMESTAMP":"1795171544783863","_SYSTEMD_USER_UNIT":"diary.service","PRIORITY":"6","MESSAGE":[27,91,51,49,109,114,101,100]}'
printf '%s\n' '{"__REALTIME_TIMESTAMP":"1795171545000000","_SYSTEMD_USER_UNIT":"diary.service","PRIORITY":"3","MESSAGE":"one\ntwo"}'
"#;

/// A service with a unit, and a journal.
fn diary() -> Scene {
    let scene = Scene::new();
    let config = scene.path("config/svc/services.json");
    let diary = r#""diary": {"name": "diary", "units": ["diary.service"], "backup": {"enable": false},
        "restore": {"stopCompose": false}}, "idle":"#;
    let text = fs::read_to_string(config).unwrap().replace(r#""idle":"#, diary);
    scene.write("config/svc/services.json", &text).write("bin/journalctl", JOURNALCTL);
    fs::set_permissions(scene.path("bin/journalctl"), fs::Permissions::from_mode(0o755)).unwrap();
    scene
}

#[test]
fn the_journal_is_shown_where_nothing_else_can_be_asked() {
    let scene = diary();
    assert_snapshot!("logs", scene.svc(&["logs", "diary", "--no-follow", "--timestamps"]));
    assert_snapshot!("logs_json", scene.svc(&["logs", "diary", "--no-follow", "--json"]));
    assert_snapshot!("logs_grep", scene.svc(&["logs", "diary", "--no-follow", "--grep", "^one$|two"]));
}

#[test]
fn logs_that_cannot_be_shown_say_why() {
    let scene = diary();
    assert_snapshot!("unknown_service", scene.svc(&["logs", "dairy"]));
    assert_snapshot!("odd_pattern", scene.svc(&["logs", "diary", "--grep", "a(b"]));
    assert_snapshot!("odd_moment", scene.svc(&["logs", "diary", "--since", "soon"]));
    assert_snapshot!("odd_number_json", scene.svc(&["logs", "diary", "--tail", "many", "--json"]));
    assert_snapshot!("without_docker", scene.svc(&["logs", "notes", "--no-follow"]));
    scene.write("bin/CLOSED", "");
    assert_snapshot!("closed_journal", scene.svc(&["logs", "diary", "--no-follow"]));
}
