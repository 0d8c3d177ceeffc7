//! Help is complete and stays as it is unless somebody means to change it.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn help_names_every_verb_with_examples() {
    let scene = Scene::new();
    assert_snapshot!("svc", scene.svc(&["--help"]));
    for verb in [
        "backup",
        "restore",
        "list",
        "start",
        "stop",
        "restart",
        "logs",
        "list-backups",
        "tui",
        "completions",
        "man",
    ] {
        assert_snapshot!(verb, scene.svc(&[verb, "--help"]));
    }
    for (verb, inner) in [("repo", "init"), ("config", "check")] {
        assert_snapshot!(format!("{verb}-{inner}"), scene.svc(&[verb, inner, "--help"]));
    }
}

#[test]
fn a_word_that_is_no_verb_is_a_usage_error_with_a_suggestion() {
    let scene = Scene::new();
    assert_snapshot!("no_such_verb", scene.svc(&["bakcup", "local", "all"]));
    assert_snapshot!("no_such_option", scene.svc(&["list", "--jsn"]));
    assert_snapshot!("missing_argument", scene.svc(&["backup", "local"]));
}

#[test]
fn completions_are_printed_for_known_shells_only() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.svc(&["completions", shell]);
        assert!(script.starts_with("exit 0\n") && script.contains("COMPLETE"), "{script}");
    }
    assert_snapshot!("no_such_shell", scene.svc(&["completions", "tcsh"]));
}
