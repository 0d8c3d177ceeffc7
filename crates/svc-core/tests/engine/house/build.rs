//! What the house is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use svc_core::config::{
    Backup, Compose, Config, Docker, Freeze, Health, Hooks, Limits, Monitoring, Paths, Period, Preseed,
    Quiesce, Repository, Restore, Service, StopVia,
};
use svc_core::docker::Volume;
use svc_core::scope::{Scope, ScopeKind};
use svc_core::testing::{FakeContainer, FakeDocker, FakeSystemd, FakeUnit, volume_name};
use tempfile::TempDir;

use super::{STACK, repository, service};

pub(super) const FILES: [&str; 10] = [
    "docker/volumes/paperless_db/_data/table",
    "docker/volumes/paperless_db/_data/deep/index",
    "docker/volumes/paperless_data/_data/scan.pdf",
    "docker/volumes/archive_data/_data/box",
    "docker/volumes/caddy_data/_data/cert",
    "docker/volumes/x_data/_data/x.db",
    "srv/paperless/media/page",
    "srv/music/one.flac",
    "srv/music/two.flac",
    "lib/notes/notes.db",
];

pub(super) fn systemd() -> FakeSystemd {
    FakeSystemd::new()
        .with(FakeUnit::compose(STACK).active())
        .with(FakeUnit::compose("docker-compose-archive.service"))
        .with(FakeUnit::compose("docker-compose-caddy.service").active())
        .with(FakeUnit::new("docker-x.service").active())
        .with(FakeUnit::new("notes.service").active())
}

pub(super) fn docker(dir: &Path, systemd: &FakeSystemd) -> FakeDocker {
    let docker = FakeDocker::new();
    for name in ["paperless_db", "paperless_data", "archive_data", "caddy_data", "x_data"] {
        docker.add_volume(volume(dir, name));
    }
    let healthy_soon = Duration::from_secs(3);
    docker.add(
        FakeContainer::compose("paperless", "db")
            .volume("paperless_db")
            .healthy_after(healthy_soon)
            .running(),
    );
    docker.add(FakeContainer::compose("paperless", "cache").running());
    let web = FakeContainer::compose("paperless", "web").depends_on("db").depends_on("cache");
    docker.add(web.volume("paperless_data").healthy_after(healthy_soon).running());
    docker.add(FakeContainer::compose("archive", "app").volume("archive_data").exited(0));
    docker.add(FakeContainer::compose("caddy", "web").volume("caddy_data").running());
    docker.add(FakeContainer::new("x").volume("x_data").running());
    for project in ["paperless", "archive", "caddy"] {
        docker.behind(systemd, &format!("docker-compose-{project}.service"), project);
    }
    docker.in_foreground_of(systemd, "docker-x.service", "x");
    docker
}

pub(crate) fn volume(dir: &Path, name: &str) -> Volume {
    Volume {
        name: volume_name(name),
        driver: "local".to_owned(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        mountpoint: dir.join("docker/volumes").join(name).join("_data"),
    }
}

pub(super) fn config(dir: &Path) -> Config {
    let services = [
        compose("paperless", &["paperless_db", "paperless_data"], &[dir.join("srv/paperless/media")]),
        Service {
            units: vec!["notes.service".parse().unwrap()],
            ..data("notes", &[], &[dir.join("lib/notes")], Quiesce::Stop)
        },
        Service {
            units: vec!["docker-x.service".parse().unwrap()],
            ..data("x", &["x_data"], &[], Quiesce::Stop)
        },
        data("music", &[], &[dir.join("srv/music")], Quiesce::None),
        compose("archive", &["archive_data"], &[]),
        data("caddy", &["caddy_data"], &[], Quiesce::None),
    ];
    Config {
        schema_version: 1,
        host: "home".to_owned(),
        paths: Paths {
            secrets_root: dir.join("secrets"),
            deploy_root: dir.join("deploy"),
            docker_volumes_root: None,
            state_dir: None,
            cache_dir: None,
            metrics_dir: None,
        },
        docker: Docker::default(),
        limits: Limits::default(),
        timers: Vec::new(),
        repositories: ["local", "remote"].map(|name| (repository(name), plain_repository())).into(),
        services: services.map(|service| (service.name.clone(), service)).into(),
        notifications: Vec::new(),
        warnings: Vec::new(),
    }
}

fn compose(name: &str, volumes: &[&str], paths: &[PathBuf]) -> Service {
    data(name, volumes, paths, Quiesce::Stop)
}

/// A service with these data and no units of its own.
pub(crate) fn data(name: &str, volumes: &[&str], paths: &[PathBuf], quiesce: Quiesce) -> Service {
    let volumes: Vec<_> = volumes.iter().map(|name| volume_name(name)).collect();
    Service {
        name: service(name),
        description: None,
        units: Vec::new(),
        compose: Compose { project: name.to_owned(), file: None },
        after: Vec::new(),
        monitoring: Monitoring::default(),
        health: Health { timeout: Period::seconds(120), probe: None },
        backup: Backup {
            enable: true,
            volumes: volumes.clone(),
            paths: paths.to_vec(),
            tags: vec![name.to_owned()],
            exclude: vec!["*.log".to_owned()],
            policy: None,
            repositories: Vec::new(),
            quiesce,
            stop_via: StopVia::Auto,
            freeze: Freeze::Auto,
            hooks: Hooks::default(),
            dumps: Vec::new(),
            timeout: None,
            max_age: None,
            min_files: 1,
            max_shrink_percent: 50,
        },
        restore: Restore {
            tag: Some(name.to_owned()),
            volumes,
            paths: paths.to_vec(),
            stop_compose: quiesce == Quiesce::Stop,
            compose_unit: None,
            target: "/".into(),
            preseed: Preseed::default(),
            verify: Vec::new(),
        },
    }
}

fn plain_repository() -> Repository {
    Repository {
        location: None,
        password: None,
        environment_file: None,
        id: None,
        mount_point: None,
        options: IndexMap::new(),
        limit_upload: None,
        limit_download: None,
        check_subsets: 12,
        max_age: Period::seconds(93_600),
    }
}

pub(super) fn scope(dir: &Path) -> Scope {
    Scope {
        kind: ScopeKind::System,
        bus_address: "fake:bus".to_owned(),
        engine_socket: "fake:docker.sock".into(),
        config_file: dir.join("services.json"),
        state_dir: dir.join("state"),
        cache_dir: dir.join("cache"),
    }
}

/// Memory where there is any: a test of many runs need not wear a disk.
pub(super) fn temp() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
