//! `svc doctor`.

use insta::assert_snapshot;

use crate::home::Home;

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
    assert_snapshot!(svc(&home, "doctor"), @r"
    exit 8
    --- stdout
      check
      configuration     good     `[home]/services.json` is good
      restic            good     version 0.18.0
      systemd           problem  systemd cannot be reached at `unix:path=[home]/bus`: No such
                                 file or directory (os error 2)
                                 fix: systemctl is-system-running
      docker            skipped  it does not answer, and no service needs it
      leftovers         warning  `[home]/state/stages/.svc-stage-notes-1` is a stage that no
                                 record names
                                 fix: look what is in it, then: rm -r
                                 [home]/state/stages/.svc-stage-notes-1
      repository local  good     it opens, with id 4f1c9a2b
      timers            skipped  not looked at, for want of systemd

    1 problem, 1 warning
    --- stderr
    hint: systemctl is-system-running
    ");
}

#[test]
fn a_machine_without_restic_says_so_once() {
    assert_snapshot!(svc(&Home::new(), "doctor"), @r"
    exit 8
    --- stdout
      check
      configuration     good     `[home]/services.json` is good
      restic            problem  restic is not installed: `restic` was not found
                                 fix: install restic 0.17.1 or newer
      systemd           problem  systemd cannot be reached at `unix:path=[home]/bus`: No such
                                 file or directory (os error 2)
                                 fix: systemctl is-system-running
      docker            skipped  it does not answer, and no service needs it
      leftovers         good     none
      repository local  skipped  not looked at, for want of restic
      timers            skipped  not looked at, for want of systemd

    2 problems
    --- stderr
    hint: systemctl is-system-running
    ");
}

#[test]
fn a_password_that_everyone_can_read_is_refused_with_the_command_that_mends_it() {
    let home = Home::new();
    home.restic();
    home.write("password", "secret\n", 0o644);
    assert_snapshot!(svc(&home, "doctor"), @r"
    exit 8
    --- stdout
      check
      configuration     good     `[home]/services.json` is good
      restic            good     version 0.18.0
      systemd           problem  systemd cannot be reached at `unix:path=[home]/bus`: No such
                                 file or directory (os error 2)
                                 fix: systemctl is-system-running
      docker            skipped  it does not answer, and no service needs it
      leftovers         good     none
      repository local  problem  secret file `[home]/password` is open to everyone (mode 0644)
                                 fix: chmod 600 [home]/password
      timers            skipped  not looked at, for want of systemd

    2 problems
    --- stderr
    hint: systemctl is-system-running
    ");
}

#[test]
fn a_broken_configuration_comes_before_any_doctor() {
    let home = Home::new();
    home.configure("{");
    assert_snapshot!(home.svc("doctor"), @r"
    exit 6
    --- stdout
    --- stderr
    error: `[home]/services.json` has 1 problem
    caused by: 1:2: the file ends while parsing an object (was it cut off?)
    hint: svc config check -c [home]/services.json
    ");
}

#[test]
fn as_json_it_is_one_document_with_the_same_exit_code() {
    let output = Home::new().command("doctor --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["code"].as_str(), output.status.code()), (Some("unhealthy"), Some(8)));
}
