//! What each verb says when it cannot do what was asked: three ways at least, what is wrong and what to type next.

use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::scene::Scene;

/// One command line after the other, with what each says.
fn said(scene: &Scene, lines: &[&str]) -> String {
    let mut said = String::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let told = scene.svc(&words);
        assert!(!told.contains("\nexit 0\n") && told.contains("\nhint: "), "{told}");
        let _ = writeln!(said, "{told}");
    }
    said
}

/// A scene whose configuration cannot be read.
fn broken() -> Scene {
    let scene = Scene::new();
    scene.write("config/svc/services.json", "{\"services\": {\"notes\": {\"backup\": {\"enabel\": true}}}}");
    scene
}

#[test]
fn looking_at_everything_fails_in_words() {
    let scene = Scene::new();
    assert_snapshot!("fails_svc", said(&broken(), &["", "--jsn", "-c none.json"]));
    assert_snapshot!("fails_list", said(&broken(), &["list", "list notes", "list -c none.json"]));
    assert_snapshot!("fails_status", said(&scene, &["status nots", "status notes idle", "status local"]));
    assert_snapshot!("fails_timers", said(&scene, &["timers", "timers local", "timers --tail"]));
    assert_snapshot!(
        "fails_runs",
        said(&scene, &["runs latest", "runs --limit -1", "runs --limit 0", "runs notes"])
    );
    assert_snapshot!("fails_attach", said(&scene, &["attach", "attach notes", "attach latest 2"]));
    assert_snapshot!("fails_cancel", said(&scene, &["cancel", "cancel notes", "cancel --all"]));
    assert_snapshot!("fails_recover", said(&scene, &["recover latest", "recover notes", "recover --all"]));
    assert_snapshot!("fails_tui", said(&scene, &["tui", "tui notes", "tui -c none.json"]));
}

#[test]
fn starting_and_stopping_fails_in_words() {
    let scene = Scene::new();
    assert_snapshot!(
        "fails_start",
        said(&scene, &["start", "start notes", "start notes,idle", "start local"])
    );
    assert_snapshot!("fails_stop", said(&scene, &["stop", "stop notes", "stop all", "stop --all"]));
    assert_snapshot!("fails_restart", said(&scene, &["restart", "restart notes", "restart nots --recreate"]));
    assert_snapshot!("fails_logs", said(&scene, &["logs", "logs all", "logs notes idle"]));
}

#[test]
fn backups_fail_in_words() {
    let scene = Scene::new();
    assert_snapshot!(
        "fails_backup",
        said(&scene, &["backup all", "backup notes local", "backup local notes,idle"])
    );
    let restores =
        ["restore local", "restore local notes idle", "restore local notes abc", "restore local notes"];
    assert_snapshot!("fails_restore", said(&scene, &restores));
    assert_snapshot!(
        "fails_repo_init",
        said(&scene, &["repo", "repo init", "repo init notes", "init local"])
    );
    scene.write("bin/WRONG", "");
    let lists = ["list-backups local", "list-backups notes local", "list-backups local all"];
    assert_snapshot!("fails_list_backups", said(&scene, &lists));
}

#[test]
fn the_care_of_repositories_fails_in_words() {
    let scene = Scene::new();
    let checks = ["repo check", "repo check lokal", "repo check local --subset 0/3", "repo check lokal -n"];
    assert_snapshot!("fails_repo_check", said(&scene, &checks));
    let prunes = ["repo prune", "repo prune lokal", "repo prune local --wait-lock soon"];
    assert_snapshot!("fails_repo_prune", said(&scene, &prunes));
    let unlocks = ["repo unlock", "repo unlock notes", "repo unlock local --force"];
    assert_snapshot!("fails_repo_unlock", said(&scene, &unlocks));
    let stats = ["repo stats", "repo stats local remote", "repo stats lokal"];
    assert_snapshot!("fails_repo_stats", said(&scene, &stats));
}

#[test]
fn a_repository_in_a_bad_way_says_what_to_do() {
    let scene = Scene::new();
    let all = ["repo check local", "repo prune local", "repo stats local"];
    scene.write("bin/BROKEN", "echo 'Fatal: dial tcp: connection refused' >&2; exit 1");
    assert_snapshot!("fails_unreachable", said(&scene, &all));
    scene.write("bin/BROKEN", "echo 'write x: no space left on device' >&2; exit 1");
    assert_snapshot!("fails_without_space", said(&scene, &all));
    scene.write("bin/BROKEN", "echo 'pack abc: ciphertext verification failed' >&2; exit 1");
    assert_snapshot!("fails_damaged", said(&scene, &all));
    scene.remove("bin/BROKEN").write("bin/WRONG", "");
    assert_snapshot!("fails_wrong_password", said(&scene, &[&all[..], &["repo unlock local"]].concat()));
}

#[test]
fn a_password_that_is_not_there_or_not_for_this_user_says_what_to_do() {
    let scene = Scene::new();
    scene.remove("secret");
    assert_snapshot!(
        "fails_without_password",
        said(&scene, &["repo init local", "list-backups local notes", "backup local notes"])
    );
}

#[test]
fn the_small_verbs_fail_in_words() {
    let scene = Scene::new();
    assert_snapshot!("fails_doctor", said(&scene, &["doctor notes", "doctor --fix", "doctor -c none.json"]));
    let checks = ["config check -c none.json", "config check -c /", "config check services.json"];
    assert_snapshot!("fails_config_check", said(&scene, &checks));
    let shows = ["config show -c none.json", "config show -c /", "config show notes"];
    assert_snapshot!("fails_config_show", said(&scene, &shows));
    let schemas =
        ["config schema notes", "config schema --output x", "config schema --user=1", "config scheme"];
    assert_snapshot!("fails_config_schema", said(&scene, &schemas));
    let shells = ["completions", "completions ksh", "completions bash zsh"];
    assert_snapshot!("fails_completions", said(&scene, &shells));
    assert_snapshot!("fails_man", said(&scene, &["man /dev/null/x", "man a b", "man --html"]));
}
