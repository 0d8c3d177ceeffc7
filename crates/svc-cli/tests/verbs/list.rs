//! `svc list` on a machine where nothing answers.

use insta::assert_snapshot;

use crate::home::Home;

#[test]
fn what_cannot_be_known_is_said_once() {
    let home = Home::new();
    home.record("notes", 3, None);
    assert_snapshot!(home.svc("list"), @r"
    exit 0
    --- stdout
      service  state    last good backup
      notes    unknown  local 3 h
      music    unknown  local never

    unknown: systemd cannot be reached at `unix:path=[home]/bus`: No such file or directory (os
    error 2)
    --- stderr
    ");
}

#[test]
fn a_word_too_many_is_wrong_usage() {
    assert_snapshot!(Home::new().svc("list notes"), @r"
    exit 2
    --- stdout
    --- stderr
    error: unexpected argument 'notes' found

    Usage: svc list [OPTIONS]

    hint: svc list --help
    ");
}

#[test]
fn a_broken_configuration_names_its_problems_and_the_next_command() {
    let home = Home::new();
    home.configure(r#"{"services": {"a": {"unit": ["a.service"]}}}"#);
    assert_snapshot!(home.svc("list"), @r"
    exit 6
    --- stdout
    --- stderr
    error: `[home]/services.json` has 1 problem
    caused by: 1:21: services.a.unit: unknown key `unit` (did you mean `units`?)
    hint: svc config check -c [home]/services.json
    ");
}

#[test]
fn a_missing_configuration_comes_with_one_to_begin_with() {
    assert_snapshot!(Home::new().svc("list -c none.json"), @r#"
    exit 6
    --- stdout
    --- stderr
    error: `[home]/none.json` does not exist
    hint: begin with this, changed to what is on this machine, then:
    {
      "services": {
        "notes": {
          "units": ["notes.service"],
          "backup": {"enable": true, "paths": ["/var/lib/notes"]}
        }
      },
      "repositories": {"local": {"repository": "/mnt/backup/restic", "passwordFile": "/etc/svc/restic.password"}}
    }
    svc config check -c [home]/none.json
    "#);
}
