//! `svc config`.

use insta::assert_snapshot;

use crate::Home;

const BROKEN: &str = r#"{
  "hots": "a",
  "services": {
    "notes": {"units": "notes.service", "backup": {"enabel": true, "paths": ["rel"], "repositories": ["lokal"]}}
  }
}"#;

const SMALL: &str = r#"{
  "host": "home",
  "repositories": {"local": {"repository": "/srv/restic", "passwordFile": "/etc/password"}},
  "notifications": [{"url": "https://ntfy.example/very-secret"}],
  "services": {
    "notes": {"backup": {"enable": true, "needsServiceStopped": false, "paths": ["/srv/notes"],
                         "hooks": {"pre": [{"command": ["dump"], "env": {"PGPASSWORD": "hunter2"}}]}}}
  }
}"#;

#[test]
fn check_says_what_it_read() {
    assert_snapshot!(Home::new().svc("config check"));
}

#[test]
fn check_names_every_problem_with_place_and_hint() {
    let home = Home::new();
    home.configure(BROKEN);
    assert_snapshot!(home.svc("config check"));
}

#[test]
fn check_as_json_has_every_problem_as_a_value() {
    let home = Home::new();
    home.configure(BROKEN);
    let output = home.command("config check --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["problems"].as_array().unwrap().len(), output.status.code()), (5, Some(6)));
    assert_eq!(document["problems"][0]["hint"], "did you mean `host`?");
}

#[test]
fn check_warns_of_what_is_odd_and_takes_the_file_all_the_same() {
    let home = Home::new();
    home.configure(r#"{"services": {"a": {"units": ["a.service", "a.service"]}}}"#);
    assert_snapshot!(home.svc("config check"));
}

#[test]
fn show_tells_where_each_value_comes_from_and_no_secret() {
    let home = Home::new();
    home.configure(SMALL);
    assert_snapshot!(home.svc("config show"));
    let json = home.svc("config show --json -v");
    assert!(!json.contains("hunter2") && !json.contains("very-secret"), "{json}");
}

#[test]
fn show_refuses_a_broken_file() {
    let home = Home::new();
    home.configure(BROKEN);
    assert_snapshot!(home.svc("config show"));
}

#[test]
fn a_file_that_is_none_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("dir")).unwrap();
    assert_snapshot!(home.svc("config check -c dir"));
    assert_snapshot!(home.svc("config"));
}

#[test]
fn the_schema_is_one_document_without_any_file() {
    let output = Home::new().command("config schema -c none.json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["title"].as_str(), output.status.code()), (Some("services.json"), Some(0)));
}
