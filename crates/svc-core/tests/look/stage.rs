//! What the tests look at: a scope, a configuration, the outside.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use svc_core::config::{Config, Defaults, parse};
use svc_core::outside::Outside;
use svc_core::restic::fake::FakeRestic;
use svc_core::scope::{Environment, Scope};
use svc_core::testing::{FakeDocker, FakeFreezer, FakeSystemd};

pub(crate) fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// A user's scope, in which nothing depends on who runs the test.
pub(crate) fn scope(state_dir: &Path) -> Scope {
    let env = Environment {
        home: Some("/home/a".into()),
        runtime_dir: Some("/run/a".into()),
        ..Environment::default()
    };
    Scope { state_dir: state_dir.to_path_buf(), ..Scope::user(&env).unwrap() }
}

pub(crate) fn config(text: &str) -> Config {
    parse(text.as_bytes(), &Defaults::of(&scope(Path::new("/nonexistent")), "home")).unwrap()
}

pub(crate) fn outside(systemd: &FakeSystemd, docker: &FakeDocker, restic: FakeRestic) -> Outside {
    Outside {
        systemd: Arc::new(systemd.clone()),
        docker: Arc::new(docker.clone()),
        restic: Arc::new(restic),
        freezer: Arc::<FakeFreezer>::default(),
    }
}
