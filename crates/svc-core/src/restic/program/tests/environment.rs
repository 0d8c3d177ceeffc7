//! What restic's process gets to see, and what others get to see of it.

use super::*;
use crate::config::{Location, Password};

/// The environment of the script, without what the shell itself adds.
fn environment(wire: &Wire) -> BTreeMap<String, String> {
    let text = wire.file("env");
    let pairs = text.split('\0').filter_map(|line| line.split_once('='));
    let own = |(name, _): &(&str, &str)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name);
    pairs.filter(own).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_else() {
    let more = [("AWS_REGION", "eu"), ("LC_ALL", "de_DE.UTF-8"), ("RESTIC_CACHE_DIR", "/mine")];
    let wire = wire_with("env -0 > \"$HOME/env\"; exit 1", |_| {}, &more);
    let _ = wire.restic.repository_id(&local()).await;
    let home = wire.home.path().display().to_string();
    let expected = [
        ("AWS_REGION", "eu"),
        ("HOME", &home),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/usr/bin:/bin"),
        ("RESTIC_CACHE_DIR", "/mine"),
        ("RESTIC_PASSWORD", "canary-password"),
        ("RESTIC_PROGRESS_FPS", "2"),
        ("RESTIC_REPOSITORY", "/r"),
        ("TMPDIR", "/var/tmp"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(environment(&wire), BTreeMap::from(expected));
}

#[tokio::test]
async fn no_secret_is_among_the_arguments_of_any_verb() {
    let script = r#"printf '%s\n' "$@" >> "$HOME/argv"; exit 1"#;
    let change = |repository: &mut Repository| {
        repository.location = Some(Location::Repository("rest:https://host/place".to_owned()));
        repository.limit_upload = Some(7);
    };
    let wire = wire_with(script, change, &[("AWS_SECRET_ACCESS_KEY", "canary-key")]);
    let progress = watch::Sender::new(Progress::default());
    let restore =
        RestoreRequest { snapshot: ID.parse().unwrap(), include: vec!["/a".into()], target: "/s".into() };
    let cancel = CancellationToken::new();
    let _ = wire.restic.repository_id(&local()).await;
    let _ = wire.restic.init(&local()).await;
    let _ = wire.restic.snapshots(&local()).await;
    let _ = wire.restic.contents(&local(), &restore.snapshot, &["/a".into()]).await;
    let _ = wire.restic.restore(&local(), &restore, &progress, &cancel).await;
    let _ = wire.backup().await;
    let argv = wire.file("argv");
    assert_eq!(argv.matches("--limit-upload=7").count(), 6, "{argv}");
    assert!(!argv.contains("canary") && !argv.contains("place"), "{argv}");
    assert_eq!(wire.file("calls"), "version\ncat\ninit\nsnapshots\nls\nrestore\nbackup\n");
}

#[tokio::test]
async fn a_password_file_is_named_and_not_read() {
    let change = |repository: &mut Repository| {
        repository.password = Some(Password::PasswordFile("/etc/pw".into()));
    };
    let wire = wire_with("env -0 > \"$HOME/env\"; exit 1", change, &[]);
    let _ = wire.restic.repository_id(&local()).await;
    let environment = environment(&wire);
    assert_eq!(environment["RESTIC_PASSWORD_FILE"], "/etc/pw");
    assert!(!environment.contains_key("RESTIC_PASSWORD"));
}

#[tokio::test]
async fn secrets_are_struck_out_of_what_restic_says() {
    let script = r#"echo "bad $RESTIC_PASSWORD at http://me:url-canary@host/" >&2; exit 1"#;
    let error = wire(script).restic.repository_id(&local()).await.unwrap_err();
    let ResticError::Failed { text, .. } = &error else { panic!("{error}") };
    assert_eq!(text, "bad *** at http://me:***@host/\n");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn stdin_is_empty_or_the_list_of_sources() {
    let script = format!(
        "[ $1 = cat ] && readlink /proc/$$/fd/0 > \"$HOME/stdin\" && exit 1; cat > \"$HOME/stdin\"; summary {ID}"
    );
    let wire = wire(&script);
    let _ = wire.restic.repository_id(&local()).await;
    assert_eq!(wire.file("stdin"), "/dev/null\n");
    wire.backup().await.unwrap();
    assert_eq!(wire.file("stdin"), "/data\0");
}

#[tokio::test]
async fn it_runs_in_a_process_group_of_its_own() {
    let wire = wire("cut -d' ' -f5 /proc/$$/stat > \"$HOME/group\"; echo $$ > \"$HOME/pid\"; exit 1");
    let _ = wire.restic.repository_id(&local()).await;
    assert!(!wire.file("pid").is_empty());
    assert_eq!(wire.file("group"), wire.file("pid"));
}

#[tokio::test]
async fn an_old_or_absent_restic_is_told_before_anything_is_run() {
    let wire = wire("exit 0");
    std::fs::write(wire.home.path().join("version"), "restic 0.14.0 compiled with go1.19.8\n").unwrap();
    let old = ResticError::TooOld { found: "0.14.0".to_owned(), needed: "0.17.1" };
    assert_eq!(wire.restic.version().await, Err(old.clone()));
    assert_eq!(wire.restic.repository_id(&local()).await, Err(old));
    assert_eq!(wire.file("calls"), "version\nversion\n");

    let settings =
        ResticSettings { program: "restic".into(), path: "/nowhere".into(), ..wire.restic.settings.clone() };
    let absent = ResticProgram::new(settings, wire.restic.repositories.clone());
    let missing = ResticError::Missing { program: "restic".to_owned() };
    assert_eq!(absent.snapshots(&local()).await, Err(missing));
}

#[tokio::test]
async fn the_version_is_asked_once() {
    let wire = wire("exit 1");
    assert_eq!(wire.restic.version().await.unwrap(), "0.18.0");
    assert_eq!(wire.restic.version().await.unwrap(), "0.18.0");
    let _ = wire.restic.repository_id(&local()).await;
    assert_eq!(wire.file("calls"), "version\ncat\n");
}

#[tokio::test]
async fn an_unmounted_disk_is_told_and_nothing_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let mount_point = directory.path().to_owned();
    let change = |repository: &mut Repository| repository.mount_point = Some(mount_point.clone());
    let wire = wire_with("exit 0", change, &[]);
    let error = ResticError::NotMounted { repository: "local".to_owned(), mount_point: mount_point.clone() };
    assert_eq!(wire.restic.repository_id(&local()).await, Err(error.clone()));
    assert_eq!(wire.restic.init(&local()).await, Err(error.clone()));
    assert_eq!(wire.backup().await, Err(error));
    assert_eq!(wire.file("calls"), "");
}

#[tokio::test]
async fn a_repository_that_cannot_be_used_leaves_the_others_alone() {
    let wire = wire(&format!("printf '{{\"id\":\"{ID}\"}}'"));
    let loose = ResticError::LooseSecret { path: "/pw".into(), fault: "is open to everyone".to_owned() };
    let remote: RepositoryName = "remote".parse().unwrap();
    let mut repositories = wire.restic.repositories.clone();
    repositories.insert(remote.clone(), Err(loose.clone()));
    let restic = ResticProgram::new(wire.restic.settings.clone(), repositories);
    assert_eq!(restic.repository_id(&remote).await, Err(loose));
    assert_eq!(restic.repository_id(&local()).await, Ok(ID.to_owned()));
    let unknown = restic.repository_id(&"other".parse().unwrap()).await;
    assert!(matches!(unknown, Err(ResticError::Settings { .. })));
}

#[tokio::test]
async fn it_steps_back_by_svcs_own_binary_unless_a_service_waits_for_it() {
    let mut wire = wire(&format!("summary {ID}"));
    let helper = wire.home.path().join("helper");
    std::fs::write(&helper, "#!/bin/sh\nwhile [ \"$1\" != -- ]; do echo \"$1\" >> \"$HOME/told\"; shift; done\nshift; exec \"$@\"\n")
        .unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    wire.restic.settings.helper = Some(helper);
    wire.restic.settings.priority.nice = 3;
    let progress = watch::Sender::new(Progress::default());
    let waited_for = BackupRequest { is_waited_for: true, ..request() };
    wire.restic.backup(&local(), &waited_for, &progress, &CancellationToken::new()).await.unwrap();
    assert_eq!(wire.file("told"), "");
    wire.backup().await.unwrap();
    assert_eq!(wire.file("told"), "become\n--nice=3\n--io-class=best-effort\n--io-priority=7\n");
}
