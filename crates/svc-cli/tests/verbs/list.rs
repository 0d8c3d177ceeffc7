//! `svc list` on a machine where nothing answers.

use insta::assert_snapshot;

use crate::Home;

#[test]
fn what_cannot_be_known_is_said_once() {
    let home = Home::new();
    home.record("notes", 3, None);
    assert_snapshot!(home.svc("list"));
}

#[test]
fn a_word_too_many_is_wrong_usage() {
    assert_snapshot!(Home::new().svc("list notes"));
}

#[test]
fn a_broken_configuration_names_its_problems_and_the_next_command() {
    let home = Home::new();
    home.configure(r#"{"services": {"a": {"unit": ["a.service"]}}}"#);
    assert_snapshot!(home.svc("list"));
}

#[test]
fn a_missing_configuration_comes_with_one_to_begin_with() {
    assert_snapshot!(Home::new().svc("list -c none.json"));
}
