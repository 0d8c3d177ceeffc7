//! `svc runs`.

use insta::assert_snapshot;

use crate::{Home, finished, service_started, started, stopped};

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
fn svc(home: &Home, line: &str) -> String {
    let text = home.svc(line);
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_inclusive(' ').collect();
        words.concat()
    });
    lines.collect::<Vec<_>>().join("\n")
}

const AGE: &str = r"(in )?\d+ (d|h|min|s)( ago)?  +|just now  +";

#[test]
fn runs_come_newest_first_and_a_crash_is_named() {
    insta::with_settings!({filters => vec![(AGE, "[age]  "), (r"age +verb", "age  verb")]}, {
        assert_snapshot!(svc(&home(), "runs"));
        assert_snapshot!(svc(&home(), "runs --limit 1"));
    });
}

#[test]
fn one_run_is_told_as_it_told_itself() {
    assert_snapshot!(home().svc("runs 20261119"));
}

#[test]
fn a_crashed_run_says_what_it_left() {
    assert_snapshot!(home().svc("runs latest"));
}

#[test]
fn before_the_first_run_there_is_none() {
    assert_snapshot!(Home::new().svc("runs"));
}

#[test]
fn a_word_that_names_no_run_or_several_is_wrong_usage() {
    assert_snapshot!(home().svc("runs 2025"));
    assert_snapshot!(home().svc("runs 2026"));
    assert_snapshot!(Home::new().svc("runs latest"));
}

#[test]
fn a_limit_that_is_no_number_is_wrong_usage() {
    assert_snapshot!(home().svc("runs --limit many"));
}

#[test]
fn as_json_a_run_is_one_document() {
    let output = home().command("runs latest --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["fate"], "crashed");
    assert_eq!(document["events"].as_array().unwrap().len(), 5);
}
