//! `svc forget` of a service that has only paths.

use std::fs;

use insta::assert_snapshot;

use crate::scene::Scene;

/// Two snapshots of `notes`, of which its policy keeps the newer one.
fn scene() -> Scene {
    let scene = Scene::new();
    let snapshot = |digit: &str, time: &str| {
        let id = digit.repeat(64);
        format!(r#"{{"id":"{id}","time":"{time}","hostname":"home","tags":["svc:notes"],"paths":["/n"]}}"#)
    };
    let (new, old) = (snapshot("b", "2025-11-02T02:00:00Z"), snapshot("d", "2025-11-01T02:00:00Z"));
    scene.write("bin/snapshots.json", &format!("[{old},{new}]"));
    let why = format!(r#"[{{"snapshot":{new},"matches":["last snapshot"]}}]"#);
    let preview = format!(r#"[{{"keep":[{new}],"remove":[{old}],"reasons":{why}}}]"#);
    scene.write("bin/forget.json", &preview);
    let config = fs::read_to_string(scene.path("config/svc/services.json")).unwrap();
    let policy = r#""policy": {"last": 1}, "needsServiceStopped""#;
    scene.write("config/svc/services.json", &config.replace(r#""needsServiceStopped""#, policy));
    scene
}

#[test]
fn a_forget_says_what_goes_and_what_stays() {
    let scene = scene();
    assert_snapshot!("forget_dry", scene.svc(&["forget", "local", "notes", "-n"]));
    assert_snapshot!("forget", scene.svc(&["forget", "local", "notes", "--yes"]));
}

#[test]
fn nothing_is_forgotten_in_doubt() {
    let scene = scene();
    assert_snapshot!("forget_asks", scene.svc(&["forget", "local", "notes"]));
    assert_snapshot!("forget_unknown", scene.svc(&["forget", "lokal", "notes"]));
    assert_snapshot!("forget_disabled", scene.svc(&["forget", "local", "idle"]));
    assert_snapshot!("forget_nobody", scene.svc(&["forget", "local"]));
    scene.write("bin/BROKEN", "echo 'Fatal: unable to remove: (403): 403 Forbidden' >&2; exit 1");
    assert_snapshot!("forget_refused", scene.svc(&["forget", "local", "notes", "--yes"]));
    scene.write("bin/FAIL", "exit 1");
    scene.svc(&["backup", "local", "notes"]);
    assert_snapshot!("forget_after_a_bad_backup", scene.svc(&["forget", "local", "notes", "--yes"]));
}
