//! `svc status`.

use insta::assert_snapshot;

use crate::home::{Home, finished, service_started, started, stopped};

/// `notes` failed an hour ago, `music` is too old.
fn home() -> Home {
    let home = Home::new();
    home.record("notes", 3, Some("20261120T090000-1"));
    home.record("music", 100, None);
    let mut run = vec![started("backup")];
    run.extend(finished("unreachable", Some("the repository `local` cannot be reached")));
    home.run("20261120T090000-1", &run);
    home
}

#[test]
fn all_services_are_in_a_table_and_the_next_command_comes_last() {
    assert_snapshot!(home().svc("status --cached"), @r"
    exit 8
    --- stdout
      service  repository  backup   last good     size  took  downtime
      notes    local       failed   3 h ago    2.8 GiB  48 s      39 s  unreachable 1 h ago: the
                                                                        repository `local` cannot be
                                                                        reached
      music    local       overdue  4 d ago    2.8 GiB  48 s      39 s
    --- stderr
    hint: svc backup local notes
    ");
}

#[test]
fn one_service_is_told_in_full() {
    let text = home().svc("status --cached notes");
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[when]")]}, {
        assert_snapshot!(text, @r"
        exit 8
        --- stdout
        notes
          local  failed; last good 3 h ago ([when]), snapshot 4f1c9a2b, 12,400 files, 2.8 GiB,
                 31.0 MiB new, took 48 s, down for 39 s
                 unreachable 1 h ago: the repository `local` cannot be reached (svc runs 20261120T090000-1)
        --- stderr
        hint: svc backup local notes
        ");
    });
}

#[test]
fn everything_good_is_0_and_says_nothing_on_stderr() {
    let home = Home::new();
    home.record("notes", 3, None);
    home.record("music", 3, None);
    assert_snapshot!(home.svc("status --cached"), @r"
    exit 0
    --- stdout
      service  repository  backup  last good     size  took  downtime
      notes    local       good    3 h ago    2.8 GiB  48 s      39 s
      music    local       good    3 h ago    2.8 GiB  48 s      39 s
    --- stderr
    ");
}

#[test]
fn what_a_crashed_run_left_down_is_5() {
    let home = home();
    let run: Vec<_> = [started("backup"), service_started()].into_iter().chain(stopped()).collect();
    home.run("20261120T100000-1", &run);
    let text = home.svc("status --cached notes");
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[when]")]}, {
        assert_snapshot!(text, @r"
        exit 5
        --- stdout
        notes
          left   run 20261120T100000-1 crashed while stopping; down: notes.service
          local  failed; last good 3 h ago ([when]), snapshot 4f1c9a2b, 12,400 files, 2.8 GiB,
                 31.0 MiB new, took 48 s, down for 39 s
                 unreachable 1 h ago: the repository `local` cannot be reached (svc runs 20261120T090000-1)
        --- stderr
        hint: svc start notes
        ");
    });
    let cached: serde_json::Value =
        serde_json::from_slice(&home.command("status --cached --json").output().unwrap().stdout).unwrap();
    assert_eq!(cached["code"], "notResumed");
    assert_eq!(cached["services"][0]["left"][0]["down"][0]["unit"], "notes.service");
}

#[test]
fn without_systemd_what_is_unknown_is_no_success() {
    let home = Home::new();
    home.record("notes", 3, None);
    home.record("music", 3, None);
    assert_snapshot!(home.svc("status"), @r"
    exit 8
    --- stdout
      service  state    repository  backup  last good     size  took  downtime
      notes    unknown  local       good    3 h ago    2.8 GiB  48 s      39 s
      music    unknown  local       good    3 h ago    2.8 GiB  48 s      39 s

    unknown: systemd cannot be reached at `unix:path=[home]/bus`: No such file or directory (os
    error 2)
    --- stderr
    hint: svc doctor
    ");
}

#[test]
fn an_unknown_service_is_wrong_usage() {
    assert_snapshot!(home().svc("status nots"), @r"
    exit 2
    --- stdout
    --- stderr
    error: there is no service `nots`
    hint: did you mean `notes`?
    ");
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    assert_snapshot!(home().svc("status --cache"), @r"
    exit 2
    --- stdout
    --- stderr
    error: unexpected argument '--cache' found

      tip: a similar argument exists: '--cached'

    Usage: svc status --cached [SVC]

    hint: svc status --help
    ");
}
