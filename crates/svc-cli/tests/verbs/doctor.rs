//! `svc doctor`.

use insta::assert_snapshot;

use crate::Home;

/// The room on the machine that runs the test is its own.
fn svc(home: &Home, line: &str) -> String {
    let text = home.svc(line);
    let lines = text.lines().filter(|line| !line.starts_with("  state") && !line.contains("only root can"));
    lines.filter(|line| !line.contains("fix: sudo svc doctor")).map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn every_finding_comes_with_its_fix() {
    let home = Home::new();
    home.restic();
    home.write("state/stages/.svc-stage-notes-1/data", "", 0o600);
    assert_snapshot!(svc(&home, "doctor"));
}

#[test]
fn a_machine_without_restic_says_so_once() {
    assert_snapshot!(svc(&Home::new(), "doctor"));
}

#[test]
fn a_password_that_everyone_can_read_is_refused_with_the_command_that_mends_it() {
    let home = Home::new();
    home.restic();
    home.write("password", "secret\n", 0o644);
    assert_snapshot!(svc(&home, "doctor"));
}

#[test]
fn a_broken_configuration_comes_before_any_doctor() {
    let home = Home::new();
    home.configure("{");
    assert_snapshot!(home.svc("doctor"));
}

#[test]
fn as_json_it_is_one_document_with_the_same_exit_code() {
    let output = Home::new().command("doctor --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["code"].as_str(), output.status.code()), (Some("unhealthy"), Some(8)));
}
