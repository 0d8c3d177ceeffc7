//! `svc status`.

use insta::assert_snapshot;

use crate::{Home, finished, service_started, started, stopped};

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
    assert_snapshot!(home().svc("status --cached"));
}

#[test]
fn one_service_is_told_in_full() {
    let text = home().svc("status --cached notes");
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[when]")]}, {
        assert_snapshot!(text);
    });
}

#[test]
fn everything_good_is_0_and_says_nothing_on_stderr() {
    let home = Home::new();
    home.record("notes", 3, None);
    home.record("music", 3, None);
    assert_snapshot!(home.svc("status --cached"));
}

#[test]
fn what_a_crashed_run_left_down_is_5() {
    let home = home();
    let run: Vec<_> = [started("backup"), service_started()].into_iter().chain(stopped()).collect();
    home.run("20261120T100000-1", &run);
    assert_snapshot!(home.svc("status --cached notes"),);
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
    assert_snapshot!(home.svc("status"));
}

#[test]
fn an_unknown_service_is_wrong_usage() {
    assert_snapshot!(home().svc("status nots"));
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    assert_snapshot!(home().svc("status --cache"));
}
