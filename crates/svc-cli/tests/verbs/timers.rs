//! `svc timers` where there is no systemd.

use insta::assert_snapshot;

use crate::home::Home;

#[test]
fn without_systemd_there_is_nothing_to_list() {
    assert_snapshot!(Home::new().svc("timers"), @r"
    exit 18
    --- stdout
    --- stderr
    error: systemd cannot be reached at `unix:path=[home]/bus`: No such file or directory (os error 2)
    hint: systemctl is-system-running
    ");
}

#[test]
fn as_json_the_failure_is_the_document() {
    let output = Home::new().command("timers --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (document["error"]["code"].as_str(), output.status.code()),
        (Some("managerUnreachable"), Some(18))
    );
}

#[test]
fn a_word_too_many_is_wrong_usage() {
    assert_snapshot!(Home::new().svc("timers all"), @r"
    exit 2
    --- stdout
    --- stderr
    error: unexpected argument 'all' found

    Usage: svc timers [OPTIONS]

    hint: svc timers --help
    ");
}

#[test]
fn a_missing_user_scope_says_which_variable_it_needs() {
    assert_snapshot!(Home::new().svc("timers --user"), @r"
    exit 2
    --- stdout
    --- stderr
    error: `XDG_RUNTIME_DIR` is not set, so there is no user scope
    hint: export XDG_RUNTIME_DIR=/run/user/$(id -u)
    ");
}
