//! `svc runs`.

use insta::assert_snapshot;

use crate::home::{Home, finished, service_started, started, stopped};

fn home() -> Home {
    let home = Home::new();
    let run = |events: Vec<Vec<serde_json::Value>>| {
        let begin = vec![started("backup"), service_started()];
        [begin].into_iter().chain(events).flatten().collect::<Vec<_>>()
    };
    home.run("20261118T090000-1", &run(vec![finished("ok", None)]));
    home.run("20261119T090000-2", &run(vec![finished("failed", Some("restic ended with code 1"))]));
    home.run("20261120T090000-3", &run(vec![stopped()]));
    home
}

/// The age depends on the day.
const AGE: &str = r"(in )?\d+ (d|h|min|s)( ago)? +backup";

#[test]
fn runs_come_newest_first_and_a_crash_is_named() {
    insta::with_settings!({filters => vec![(AGE, "[age]  backup"), (r"age +verb", "age  verb")]}, {
        assert_snapshot!(home().svc("runs"), @r"
        exit 0
        --- stdout
          run                began             age  verb    result    took  downtime  services
          20261120T090000-3  2026-11-20 09:00  [age]  backup  crashed                   notes
          20261119T090000-2  2026-11-20 09:00  [age]  backup  failed   5.2 s     0.7 s  notes
          20261118T090000-1  2026-11-20 09:00  [age]  backup  ok       5.2 s     0.7 s  notes
        --- stderr
        ");
        assert_snapshot!(home().svc("runs --limit 1"), @r"
        exit 0
        --- stdout
          run                began             age  verb    result   services
          20261120T090000-3  2026-11-20 09:00  [age]  backup  crashed  notes
        --- stderr
        ");
    });
}

#[test]
fn one_run_is_told_as_it_told_itself() {
    assert_snapshot!(home().svc("runs 20261119"), @r"
    exit 0
    --- stdout
    20261119T090000-2, began 2026-11-20 09:00: failed

    Backup of notes to local

      service  plan
      notes    nothing

    notes  failed: restic ended with code 1
    notes  failed after 5.2 s, down for 0.7 s

      service  result  downtime   took
      notes    failed     0.7 s  5.2 s

    1 service: 1 failed, in 5.2 s
    --- stderr
    ");
}

#[test]
fn a_crashed_run_says_what_it_left() {
    assert_snapshot!(home().svc("runs latest"), @r"
    exit 0
    --- stdout
    20261120T090000-3, began 2026-11-20 09:00: crashed

    Backup of notes to local

      service  plan
      notes    nothing

    notes: crashed while stopping; down: notes.service
    --- stderr
    ");
}

#[test]
fn before_the_first_run_there_is_none() {
    assert_snapshot!(Home::new().svc("runs"), @r"
    exit 0
    --- stdout
    no runs yet
    --- stderr
    ");
}

#[test]
fn a_word_that_names_no_run_or_several_is_wrong_usage() {
    assert_snapshot!(home().svc("runs 2025"), @r"
    exit 2
    --- stdout
    --- stderr
    error: `2025` names no run
    hint: svc runs
    ");
    assert_snapshot!(home().svc("runs 2026"), @r"
    exit 2
    --- stdout
    --- stderr
    error: `2026` names 3 runs
    hint: svc runs
    ");
    assert_snapshot!(Home::new().svc("runs latest"), @r"
    exit 2
    --- stdout
    --- stderr
    error: `latest` names no run
    hint: svc runs
    ");
}

#[test]
fn a_limit_that_is_no_number_is_wrong_usage() {
    assert_snapshot!(home().svc("runs --limit many"), @r"
    exit 2
    --- stdout
    --- stderr
    error: invalid value 'many' for '--limit <N>': invalid digit found in string

    hint: svc runs --help
    ");
}

#[test]
fn as_json_a_run_is_one_document() {
    let output = home().command("runs latest --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["fate"], "crashed");
    assert_eq!(document["events"].as_array().unwrap().len(), 5);
}
