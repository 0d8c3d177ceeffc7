//! Help is complete and stays as it is unless somebody means to change it.

use insta::assert_snapshot;

use crate::every_verb::verbs;
use crate::scene::Scene;

#[test]
fn help_names_every_verb_with_examples() {
    let scene = Scene::new();
    for verb in verbs(&scene) {
        let words: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
        let name = if verb.is_empty() { "svc".to_owned() } else { verb.replace(' ', "-") };
        assert_snapshot!(name, scene.svc(&words));
    }
    assert_snapshot!("repo", scene.svc(&["repo", "--help"]));
    assert_snapshot!("config", scene.svc(&["config", "--help"]));
}

#[test]
fn help_as_a_word_is_help_as_an_option() {
    let scene = Scene::new();
    let without_user = |words: &[&str]| String::from_utf8(scene.output(words).stdout).unwrap();
    assert_eq!(without_user(&["help"]), without_user(&["--help"]));
    assert_eq!(without_user(&["help", "repo", "init"]), without_user(&["repo", "init", "--help"]));
    assert_eq!(scene.output(["help", "bakcup"]).status.code(), Some(2));
}

#[test]
fn a_word_that_is_no_verb_is_a_usage_error_with_a_suggestion() {
    let scene = Scene::new();
    assert_snapshot!("no_such_verb", scene.svc(&["bakcup", "local", "all"]));
    assert_snapshot!("a_verb_of_another_tool", scene.svc(&["snapshots", "local"]));
    assert_snapshot!("no_such_verb_json", scene.svc(&["backup", "--json"]));
    assert_snapshot!("no_such_option", scene.svc(&["list", "--jsn"]));
    assert_snapshot!("missing_argument", scene.svc(&["backup", "local"]));
}

#[test]
fn completions_are_printed_for_known_shells_only() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        assert_snapshot!(format!("completions_{shell}"), scene.svc(&["completions", shell]));
    }
    assert_snapshot!("no_such_shell", scene.svc(&["completions", "tcsh"]));
}
