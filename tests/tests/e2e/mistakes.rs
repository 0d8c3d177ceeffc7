//! What the tool before svc did wrong, and ours must not. Each line's test fails with the old behaviour:
//!
//! | #  | it did                                             | test |
//! |----|----------------------------------------------------|------|
//! | 1  | exit 0 when restic failed                          | `backup::a_failing_restic_is_never_a_success` |
//! |    | … when Ctrl-C came                                 | `backup::ctrl_c_leaves_every_service_as_it_was` |
//! |    | … when a restore restored nothing                  | `restore::a_snapshot_without_a_target_touches_nothing` |
//! | 2  | a restore deleted what the snapshot did not hold   | here: `a_restore_keeps_what_the_snapshot_does_not_hold` |
//! | 3  | verified nothing before it stopped the service     | `restore::a_snapshot_without_a_target_touches_nothing` |
//! | 4  | a start that failed was a warning                  | here: `a_service_that_does_not_come_back_is_5` |
//! | 5  | a service stayed off when it was killed            | `kills::fault_01_a_backup_with_a_long_stop_or_a_restart_killed_at_any_step_leaves_nothing_down` |
//! |    | … or its terminal went                            | `faults_runs::fault_44_a_terminal_that_goes_changes_nothing_about_the_run` |
//! | 6  | one failed stop ended the run without a report     | here: `one_that_does_not_stop_does_not_end_the_run` |
//! | 7  | two timers in one minute stopped the same units    | `timers::mistake_07_timers_of_two_repositories_that_fire_in_the_same_minute_never_save_one_service_at_once` |
//! | 8  | was down also while it forgot and pruned           | `retention::mistake_08_a_service_is_up_again_before_anything_is_forgotten` |
//! | 9  | trusted `active`: started what was stopped by hand | here: `what_an_admin_stopped_stays_off` |
//! |    | … and saved what ran "cold"                        | here: `what_somebody_started_by_hand_is_stopped_too` |
//! | 10 | guessed the path of a volume without Docker        | `backup::without_docker_what_needs_none_is_saved_and_the_rest_is_named` |
//! |    | … and saved volumes that are binds empty           | `foreign_units::units_of_any_kind_are_stopped_while_they_are_saved_and_run_as_before` |
//! | 11 | forgot a neighbour's snapshots (OR), leaked others | `retention::mistake_11_old_snapshots_expire_and_a_neighbours_never` |
//! | 12 | kept the quotes of environment files               | here: `an_environment_file_means_what_it_means_to_systemd` |
//! | 14 | showed one unit's result for every service         | here: `each_service_has_its_own_result_in_each_repository` |
//! | 15 | said OK to a dry run, and to whatever doctor found | here: `a_dry_run_says_what_would_be_and_changes_nothing` |
//! |    | … failed on services without units                 | here: `services_without_units_are_skipped` |
//! | 16 | looked for programs in one place                   | here: `restic_is_found_wherever_path_leads` |

use anyhow::{Context as _, Result};
use serde_json::Value;
use svc_tests::{Homeserver, processes};

#[test]
fn each_mistake_has_a_test_that_is_there() {
    let here = include_str!("mistakes.rs");
    let others = [
        ("backup", include_str!("backup.rs")),
        ("restore", include_str!("restore.rs")),
        ("retention", include_str!("retention.rs")),
        ("kills", include_str!("kills.rs")),
        ("faults_runs", include_str!("faults_runs.rs")),
        ("foreign_units", include_str!("foreign_units.rs")),
        ("timers", include_str!("timers.rs")),
    ];
    let rows = here.lines().filter_map(|line| line.strip_prefix("//! |")).filter(|row| row.contains('`'));
    let tests: Vec<&str> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert!(tests.len() >= 21, "{tests:?}");
    for test in tests {
        let file = |name: &str| others.iter().find(|(file, _)| *file == name).map(|(_, text)| *text);
        let (text, function) = match test.split_once("::") {
            Some((name, function)) => (file(name).unwrap_or_default(), function),
            None => (here, test),
        };
        assert!(text.contains(&format!("fn {function}(")), "`{test}` is gone");
        assert!(text != here || here.matches(function).count() >= 3, "nobody calls `{test}`");
    }
}

#[test]
fn a_service_that_does_not_stop_or_start_is_told_and_all_others_are_saved() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    one_that_does_not_stop_does_not_end_the_run(&server)?;
    a_service_that_does_not_come_back_is_5(&server)
}

fn one_that_does_not_stop_does_not_end_the_run(server: &Homeserver) -> Result<()> {
    let drop_in = "/run/systemd/system/notes.service.d/stubborn.conf";
    server.home.write(drop_in, "[Unit]\nRefuseManualStop=yes\n")?;
    server.home.check("systemctl daemon-reload")?;
    let before = server.runs()?;
    let backup = server.svc("backup local all")?;
    assert_eq!(backup.code, 17, "{backup}");
    for service in ["paperless", "caddy", "music"] {
        assert_eq!(server.snapshots("local", service)?, 1, "{service}");
        let result = backup.stdout.lines().rfind(|line| line.trim_start().starts_with(service));
        assert!(result.is_some_and(|line| line.contains("ok")), "{service} in {backup}");
    }
    assert_eq!(server.snapshots("local", "notes")?, 0);
    assert!(backup.stderr.contains("notes.service"), "{backup}");
    assert_eq!(server.runs()?, before);
    server.home.check(&format!("rm {drop_in}; systemctl daemon-reload")).map(drop)
}

fn a_service_that_does_not_come_back_is_5(server: &Homeserver) -> Result<()> {
    server.freeze_nothing()?;
    server.make_backups_fail("mv -f /opt/notes/notes.py /opt/notes/broken 2> /dev/null")?;
    let backup = server.svc("backup local notes caddy")?;
    assert_eq!(backup.code, 5, "{backup}");
    assert!(backup.stderr.contains("notes.service"), "{backup}");
    assert_eq!((server.snapshots("local", "notes")?, server.snapshots("local", "caddy")?), (1, 2));
    assert_eq!(server.state_of("caddy")?, "running");
    Ok(())
}

#[test]
fn containers_tell_what_runs_whatever_their_unit_says() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    what_an_admin_stopped_stays_off(&server)?;
    what_somebody_started_by_hand_is_stopped_too(&server)?;
    a_restore_keeps_what_the_snapshot_does_not_hold(&server)
}

fn what_an_admin_stopped_stays_off(server: &Homeserver) -> Result<()> {
    server.home.check("systemctl start docker-compose-archive && docker stop archive-archive-1")?;
    let before = server.runs()?;
    let backup = server.svc("backup local archive")?;
    assert_eq!((backup.code, server.runs()?), (0, before), "{backup}");
    assert_eq!(server.snapshots("local", "archive")?, 1);
    Ok(())
}

fn what_somebody_started_by_hand_is_stopped_too(server: &Homeserver) -> Result<()> {
    let by_hand = "cd /var/lib/docker-services/archive && docker compose up --detach";
    server.home.check(&format!("systemctl stop docker-compose-archive && {by_hand}"))?;
    assert_eq!(server.state_of("archive")?, "by hand");
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.watch_backups("docker ps --format '{{.Names}} runs' | grep archive")?;
    let backup = server.svc("backup local archive")?;
    assert_eq!((backup.code, server.runs()?), (0, before), "{backup}");
    assert_eq!(server.seen_meanwhile()?, "");
    Ok(())
}

fn a_restore_keeps_what_the_snapshot_does_not_hold(server: &Homeserver) -> Result<()> {
    let data = "/var/lib/docker/volumes/archive_files/_data";
    let neighbours = || {
        server.home.check(
            "find /var/lib/docker/volumes -maxdepth 3 ! -path '*/archive_files/*' ! -path '*/.svc-*' | sort",
        )
    };
    server.home.check(&format!("echo later > {data}/later; echo changed > {data}/numbers"))?;
    let before = neighbours()?;
    let restore = server.svc("restore local archive --yes")?;
    assert_eq!(restore.code, 0, "{restore}");
    assert_eq!(server.home.check(&format!("ls {data}; tail -1 {data}/numbers"))?, "numbers\n1000\n");
    assert_eq!(neighbours()?, before);
    let kept = server.home.check("find / -xdev -path '*.svc-stage-*' -name later -exec cat {} +")?;
    assert_eq!(kept, "later\n");
    Ok(())
}

#[test]
fn looking_tells_what_is_and_changes_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    a_dry_run_says_what_would_be_and_changes_nothing(&server)?;
    an_environment_file_means_what_it_means_to_systemd(&server)?;
    restic_is_found_wherever_path_leads(&server)?;
    each_service_has_its_own_result_in_each_repository(&server)?;
    services_without_units_are_skipped(&server)
}

fn a_dry_run_says_what_would_be_and_changes_nothing(server: &Homeserver) -> Result<()> {
    let before = server.runs_since()?;
    let (asked, plan) = processes::started(&server.home, "svc --dry-run backup all all", "restic")?;
    assert_eq!(plan.code, 0, "{plan}");
    // A lock would be written into the repository.
    let is_harmless = |line: &&String| line.ends_with("restic version") || line.contains(" --no-lock");
    assert!(asked.len() >= 4 && asked.iter().all(|line| is_harmless(&line)), "{asked:#?}");
    assert!(plan.stdout.contains("stop `notes.service`"), "{plan}");
    assert!(!plan.stdout.split_whitespace().any(|word| word.eq_ignore_ascii_case("ok")), "{plan}");
    let restore = server.svc("--dry-run restore local notes")?;
    assert_ne!(restore.code, 0, "there is no snapshot: {restore}");
    // No timer is enabled: nobody would make backups, and no green tick may say otherwise.
    assert_eq!(server.svc("doctor")?.code, 8);
    assert_eq!(server.runs_since()?, before);
    assert_eq!(server.snapshots("local", "notes")? + server.snapshots("remote", "notes")?, 0);
    assert_eq!(server.home.check("find /var/lib/svc -type f 2> /dev/null; true")?, "");
    Ok(())
}

fn an_environment_file_means_what_it_means_to_systemd(server: &Homeserver) -> Result<()> {
    let file = "/var/lib/secrets/restic/local.env";
    let quoted = r#"
        # "A comment
        ; and 'another
        RESTIC_REPOSITORY="/mnt/backup/a \"b\" \\c 'd' $HOME"
        RESTIC_PASSWORD_FILE='/var/lib/secrets'"/restic/pass\
word"
    "#;
    server.home.write(file, quoted)?;
    let init = server.svc("repo init local")?;
    assert_eq!(init.code, 0, "{init}");
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 0, "{backup}");
    let listed = server.home.check(&format!(
        "systemd-run --quiet --wait --pipe -p EnvironmentFile={file} restic snapshots --json | jq length"
    ))?;
    assert_eq!(listed, "1\n");
    Ok(())
}

fn restic_is_found_wherever_path_leads(server: &Homeserver) -> Result<()> {
    server.home.check("mkdir /opt/tools && mv /usr/bin/restic /opt/tools/restic")?;
    let list =
        |path: &str| server.home.run(&format!("PATH={path} /usr/local/bin/svc list-backups local notes"));
    assert_eq!(list("/usr/bin:/opt/tools")?.code, 0);
    let absent = list("/usr/bin:/bin")?;
    assert_eq!(absent.code, 6, "{absent}");
    assert!(absent.stderr.contains("restic"), "{absent}");
    server.home.check("mv /opt/tools/restic /usr/bin/restic").map(drop)
}

fn each_service_has_its_own_result_in_each_repository(server: &Homeserver) -> Result<()> {
    server.make_backups_fail(r#"case "$RESTIC_REPOSITORY" in rest:*) exit 1 ;; esac"#)?;
    assert_eq!(server.svc("backup all caddy")?.code, 4);
    let list: Value = serde_json::from_str(&server.home.check("svc list --json")?)?;
    let services = list["services"].as_array().context("`svc list --json` has no services")?;
    // Whether the last good backup and the last attempt are known, for `local` and `remote`.
    let known = |name: &str| {
        let service = services.iter().find(|service| service["name"] == name);
        let backups = service.and_then(|service| service["backups"].as_array());
        let is = |value: &Value| !value.is_null();
        backups.map(|all| {
            all.iter().map(|one| (is(&one["lastGood"]), is(&one["lastAttempt"]))).collect::<Vec<_>>()
        })
    };
    assert_eq!(known("caddy"), Some(vec![(true, true), (false, true)]));
    assert_eq!(known("notes"), Some(vec![(true, true), (false, false)]));
    assert_eq!(known("paperless"), Some(vec![(false, false), (false, false)]));
    let plain = server.svc("list")?.stdout;
    let line =
        |name: &str| plain.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    assert!(line("caddy").contains("remote never (failed since)"), "{plain}");
    assert!(!line("caddy").contains("local never") && !line("notes").contains("failed"), "{plain}");
    assert!(line("paperless").contains("local never"), "{plain}");
    Ok(())
}

fn services_without_units_are_skipped(server: &Homeserver) -> Result<()> {
    let start = server.svc("start all")?;
    assert_eq!(start.code, 0, "{start}");
    let music = start.stdout.lines().rfind(|line| line.trim_start().starts_with("music"));
    assert!(music.is_some_and(|line| line.contains("data only")), "{start}");
    assert_eq!(server.state_of("nextcloud")?, "running");
    Ok(())
}
