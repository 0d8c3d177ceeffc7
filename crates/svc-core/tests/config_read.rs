//! What stands in `services.json`, what need not, and which files are not read at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use svc_core::config::{
    Config, ConfigError, ConfigErrorKind, Defaults, Freeze, HookPlace, MAX_SIZE, Occasion, Period, Quiesce,
    parse, read,
};
use svc_core::names::ServiceName;

const EXAMPLE: &str = include_str!("data/services.example.json");

fn defaults() -> Defaults {
    Defaults { hostname: "box".into(), state_dir: "/var/lib/svc".into(), cache_dir: "/var/cache/svc".into() }
}

fn load(text: &str) -> Config {
    parse(text.as_bytes(), &defaults()).unwrap()
}

/// The configuration of one service `a` with these fields.
fn with_service(fields: &str) -> Config {
    load(&format!("{{\"services\": {{\"a\": {{{fields}}}}}}}"))
}

fn refused(path: &Path) -> ConfigError {
    let started = Instant::now();
    let error = read(path, &defaults()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    error
}

#[test]
fn todays_services_keep_their_meaning() {
    let config = load(EXAMPLE);
    let names: Vec<&str> = config.services.keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["nextcloud", "music", "watchtower"]);
    let nextcloud = config.service("nextcloud").unwrap();
    assert_eq!(nextcloud.backup.quiesce, Quiesce::Stop);
    assert_eq!(nextcloud.backup.volumes.len(), 3);
    let policy = nextcloud.backup.policy.as_ref().unwrap();
    assert_eq!((policy.last, policy.daily, policy.yearly), (None, Some(90), None));
    assert_eq!(nextcloud.restore.compose_unit.as_ref().unwrap().as_str(), "docker-compose-nextcloud.service");
    assert_eq!(config.service("music").unwrap().backup.quiesce, Quiesce::None);
    let watchtower = config.service("watchtower").unwrap();
    assert!(!watchtower.backup.enable && watchtower.backup.policy.is_none());
    assert_eq!(config.paths.docker_volumes_root, Some("/data/docker-data/volumes".into()));
}

#[test]
fn without_repositories_there_are_local_and_remote_from_their_environment_files() {
    let config = load(r#"{"paths": {"secretsRoot": "/run/secrets/"}}"#);
    let files: Vec<(&str, Option<PathBuf>)> = config
        .repositories
        .iter()
        .map(|(name, repository)| (name.as_str(), repository.environment_file.clone()))
        .collect();
    assert_eq!(
        files,
        [
            ("local", Some("/run/secrets/restic/local.env".into())),
            ("remote", Some("/run/secrets/restic/remote.env".into()))
        ]
    );
    let (_, local) = config.repository("local").unwrap();
    assert_eq!((local.check_subsets, local.max_age), (12, Period::seconds(26 * 3600)));
}

#[test]
fn an_empty_file_in_json_has_the_documented_defaults() {
    let config = load("{}");
    assert_eq!(config.host, "box");
    assert_eq!(config.schema_version, 1);
    assert_eq!(config.paths.secrets_root, Path::new("/var/lib/secrets"));
    assert_eq!(config.paths.deploy_root, Path::new("/var/lib/docker-services"));
    assert_eq!(config.paths.state_dir, None);
    assert!(config.services.is_empty() && config.notifications.is_empty() && config.timers.is_empty());
}

#[test]
fn a_service_of_which_nothing_is_said_has_the_documented_defaults() {
    let config = with_service("");
    let service = config.service("a").unwrap();
    assert_eq!(service.compose.project, "a");
    assert_eq!(service.health.timeout, Period::seconds(120));
    assert_eq!(service.restore.target, Path::new("/"));
    let backup = &service.backup;
    assert!(!backup.enable);
    assert_eq!(backup.tags, ["a"]);
    assert_eq!((backup.freeze, backup.min_files, backup.max_shrink_percent), (Freeze::Auto, 1, 50));
    let config = with_service(r#""backup": {"hooks": {"pre": [{"script": "x"}]}}"#);
    let hook = &config.service("a").unwrap().backup.hooks.pre[0];
    assert_eq!((hook.timeout, &hook.place), (Period::seconds(60), &HookPlace::Host));
    let config = load(r#"{"notifications": [{"url": "https://a/"}]}"#);
    assert_eq!(config.notifications[0].on, [Occasion::Failure, Occasion::Overdue]);
}

#[test]
fn quiesce_follows_from_the_older_key_and_stops_when_nothing_is_said() {
    for (fields, quiesce) in [
        ("", Quiesce::Stop),
        (r#""needsServiceStopped": true"#, Quiesce::Stop),
        (r#""needsServiceStopped": false"#, Quiesce::None),
        (r#""needsServiceStopped": null, "quiesce": "pause""#, Quiesce::Pause),
        (r#""needsServiceStopped": true, "quiesce": "stop""#, Quiesce::Stop),
        (r#""needsServiceStopped": false, "quiesce": "none""#, Quiesce::None),
    ] {
        let config = with_service(&format!("\"backup\": {{{fields}}}"));
        assert_eq!(config.service("a").unwrap().backup.quiesce, quiesce, "{fields}");
    }
}

#[test]
fn what_is_backed_up_is_restored_unless_the_restore_lists_something() {
    let backup = r#""backup": {"volumes": ["v"], "paths": ["/p"]}"#;
    for (restore, volumes, paths) in [
        ("", 1, 1),
        (r#", "restore": null"#, 1, 1),
        (r#", "restore": {"tag": "a"}"#, 1, 1),
        (r#", "restore": {"volumes": ["v"]}"#, 1, 0),
        (r#", "restore": {"volumes": [], "paths": []}"#, 0, 0),
    ] {
        let config = with_service(&format!("{backup}{restore}"));
        let restored = &config.service("a").unwrap().restore;
        assert_eq!((restored.volumes.len(), restored.paths.len()), (volumes, paths), "{restore}");
    }
}

#[test]
fn equal_paths_are_equal_however_many_slashes_they_have() {
    let config = with_service(r#""backup": {"paths": ["/data//music/"]}"#);
    assert_eq!(config.service("a").unwrap().backup.paths, [PathBuf::from("/data/music")]);
    assert_eq!(config.service("a").unwrap().backup.paths[0].as_os_str(), "/data/music");
}

#[test]
fn a_policy_that_would_keep_nothing_keeps_all() {
    for policy in ["null", "{}", r#"{"daily": null}"#, r#"{"daily": 0}"#] {
        let config = with_service(&format!("\"backup\": {{\"policy\": {policy}}}"));
        assert_eq!(config.service("a").unwrap().backup.policy, None, "{policy}");
    }
}

#[test]
fn a_service_goes_to_its_repositories_or_to_all() {
    let config = load(
        r#"{"repositories": {"x": {}, "y": {}, "z": {}},
            "services": {"a": {}, "b": {"backup": {"repositories": ["z", "x"]}}}}"#,
    );
    let names = |service: &str| -> Vec<String> {
        let repositories = config.service(service).unwrap().repositories(&config);
        repositories.into_iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names("a"), ["x", "y", "z"]);
    assert_eq!(names("b"), ["z", "x"]);
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_one() {
    let config = load(EXAMPLE);
    let unknown = config.service("nextclod").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no service `nextclod`");
    assert_eq!(unknown.suggestion.as_deref(), Some("nextcloud"));
    let unknown = config.repository("\u{1b}[2J").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no repository `\\u{1b}[2J`");
    assert_eq!(unknown.suggestion, None);
}

#[test]
fn a_file_is_read_through_links() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("real"), EXAMPLE).unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    assert_eq!(read(&dir.path().join("link"), &defaults()).unwrap().services.len(), 3);
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let missing = refused(&dir.path().join("x"));
    assert!(matches!(missing.kind, ConfigErrorKind::Missing), "{missing:?}");
    assert_eq!(missing.to_string(), format!("`{}` does not exist", dir.path().join("x").display()));
    assert!(matches!(refused(dir.path()).kind, ConfigErrorKind::NotAFile));
    assert!(matches!(refused(Path::new("/dev/zero")).kind, ConfigErrorKind::NotAFile));
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(refused(&pipe).kind, ConfigErrorKind::NotAFile), "a pipe that nobody writes to");
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(matches!(refused(&socket).kind, ConfigErrorKind::NotAFile));
    assert!(matches!(refused(&dir.path().join("socket/x")).kind, ConfigErrorKind::Unreadable(_)));
}

#[test]
fn a_gigabyte_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("services.json");
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    let error = refused(&path);
    assert!(matches!(error.kind, ConfigErrorKind::TooLarge));
    assert_eq!(error.to_string(), format!("`{}` is larger than 16 MiB", path.display()));
}

#[test]
fn sixteen_mebibytes_are_read_and_one_byte_more_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("services.json");
    let size = usize::try_from(MAX_SIZE).unwrap();
    fs::write(&path, format!("{{}}{}", " ".repeat(size - 2))).unwrap();
    assert!(read(&path, &defaults()).is_ok());
    fs::write(&path, format!("{{}}{}", " ".repeat(size - 1))).unwrap();
    assert!(matches!(read(&path, &defaults()).unwrap_err().kind, ConfigErrorKind::TooLarge));
}

#[test]
fn problems_come_with_the_file_that_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("services.json");
    fs::write(&path, r#"{"a": 1, "b": 2}"#).unwrap();
    let error = refused(&path);
    assert_eq!(error.to_string(), format!("`{}` has 2 problems", path.display()));
    assert_eq!(error.problems().len(), 2);
    let problem = serde_json::to_value(&error.problems()[0]).unwrap();
    assert_eq!((&problem["line"], &problem["column"], &problem["path"]), (&1.into(), &2.into(), &"a".into()));
}
