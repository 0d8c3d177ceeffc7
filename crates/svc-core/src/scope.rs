//! Whose services: the whole system's, or one user's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the bus of this machine's system is unless the environment says otherwise.
pub(crate) const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// Which managers svc talks to and where it keeps its things; passed in, never looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// System or user.
    pub kind: ScopeKind,
    /// D-Bus address of the manager's bus.
    pub bus_address: String,
    /// Socket of the Docker (or Podman) engine.
    pub engine_socket: PathBuf,
    /// `services.json`.
    pub config_file: PathBuf,
    /// Run logs, records, manifests, locks.
    pub state_dir: PathBuf,
    /// restic's cache.
    pub cache_dir: PathBuf,
}

/// The system's services or one user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScopeKind {
    /// The system manager and root's paths.
    System,
    /// `--user`: the session manager and XDG paths.
    User,
}

/// The environment values that shape a scope, as the caller found them.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `DBUS_SYSTEM_BUS_ADDRESS` or, for a user scope, `DBUS_SESSION_BUS_ADDRESS`.
    pub bus_address: Option<String>,
    /// `DOCKER_HOST`; only `unix://` addresses are heeded.
    pub docker_host: Option<String>,
}

/// The environment lacks what a user scope stands on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` is not set, so there is no user scope")]
pub struct NoUserScope {
    /// The variable that is missing.
    pub variable: &'static str,
}

impl Scope {
    /// The system's scope.
    #[must_use]
    pub fn system(env: &Environment) -> Self {
        Self {
            kind: ScopeKind::System,
            bus_address: env.bus_address.clone().unwrap_or_else(|| SYSTEM_BUS.to_owned()),
            engine_socket: engine_socket(env).unwrap_or_else(|| "/run/docker.sock".into()),
            config_file: "/etc/svc/services.json".into(),
            state_dir: "/var/lib/svc".into(),
            cache_dir: "/var/cache/svc".into(),
        }
    }

    /// The scope of the user whose environment this is.
    ///
    /// # Errors
    /// When `HOME` or `XDG_RUNTIME_DIR` is not set.
    pub fn user(env: &Environment) -> Result<Self, NoUserScope> {
        let home = env.home.clone().ok_or(NoUserScope { variable: "HOME" })?;
        let runtime = env.runtime_dir.clone().ok_or(NoUserScope { variable: "XDG_RUNTIME_DIR" })?;
        let below = |set: &Option<PathBuf>, default: &str| {
            set.clone().unwrap_or_else(|| home.join(default)).join("svc")
        };
        Ok(Self {
            kind: ScopeKind::User,
            bus_address: env
                .bus_address
                .clone()
                .unwrap_or_else(|| format!("unix:path={}", runtime.join("bus").display())),
            engine_socket: engine_socket(env).unwrap_or_else(|| runtime.join("docker.sock")),
            config_file: below(&env.config_home, ".config").join("services.json"),
            state_dir: below(&env.state_home, ".local/state"),
            cache_dir: below(&env.cache_home, ".cache"),
        })
    }

    /// Where the logs of the runs are.
    #[must_use]
    pub fn runs_dir(&self) -> PathBuf {
        self.state_dir.join("runs")
    }

    /// Where the records of each service are.
    #[must_use]
    pub fn records_dir(&self) -> PathBuf {
        self.state_dir.join("records")
    }

    /// Where the manifests are.
    #[must_use]
    pub fn manifests_dir(&self) -> PathBuf {
        self.state_dir.join("manifests")
    }

    /// Where frozen copies of sources lie while they are read, if those are on the same file system.
    #[must_use]
    pub fn frozen_dir(&self) -> PathBuf {
        self.state_dir.join("frozen")
    }

    /// Where restored data is on its way in, and replaced data afterwards, if it lies on the same file system.
    #[must_use]
    pub fn stages_dir(&self) -> PathBuf {
        self.state_dir.join("stages")
    }

    /// Where the locks are.
    #[must_use]
    pub fn locks_dir(&self) -> PathBuf {
        self.state_dir.join("locks")
    }
}

fn engine_socket(env: &Environment) -> Option<PathBuf> {
    let host = env.docker_host.as_deref()?;
    host.strip_prefix("unix://").map(Path::new).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_scope_lives_in_xdg_paths() {
        let env = Environment {
            home: Some("/home/a".into()),
            runtime_dir: Some("/run/user/1000".into()),
            state_home: Some("/home/a/state".into()),
            ..Environment::default()
        };
        let scope = Scope::user(&env).unwrap();
        assert_eq!(scope.bus_address, "unix:path=/run/user/1000/bus");
        assert_eq!(scope.engine_socket, Path::new("/run/user/1000/docker.sock"));
        assert_eq!(scope.config_file, Path::new("/home/a/.config/svc/services.json"));
        assert_eq!(scope.state_dir, Path::new("/home/a/state/svc"));
    }

    #[test]
    fn a_user_scope_without_a_home_says_what_is_missing() {
        assert_eq!(Scope::user(&Environment::default()), Err(NoUserScope { variable: "HOME" }));
    }
}
