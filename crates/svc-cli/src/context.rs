//! What every verb stands on: the scope, the configuration, the outside systems. The environment is read here only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use svc_core::code::Code;
use svc_core::config::{self, Config, ConfigError, ConfigErrorKind, Defaults, Period};
use svc_core::docker;
use svc_core::failure::Failure;
use svc_core::freeze::HostFreezer;
use svc_core::goal::Goal;
use svc_core::observe::hook_warnings;
use svc_core::order::Order;
use svc_core::outside::Outside;
use svc_core::restic::{self, ResticSettings, SecretWarning};
use svc_core::scope::{Environment, Scope};
use svc_core::systemd::Bus;

use crate::args::GlobalArgs;
use crate::render::RenderChoice;
use crate::run::say;

/// What every verb stands on.
pub(crate) struct Context {
    pub(crate) global: GlobalArgs,
    pub(crate) scope: Arc<Scope>,
    pub(crate) config: Arc<Config>,
    pub(crate) outside: Outside,
    /// Where programs are looked for.
    pub(crate) path: OsString,
    /// What is odd about the secret files.
    pub(crate) warnings: Vec<SecretWarning>,
}

/// How long restic may stand still, and how long it has to end. Tests only, and heeded by debug builds only.
pub(crate) const HASTE: &str = "SVC_HASTE";

/// Where programs are looked for when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// This very binary, also when another one lies in its place by now.
const OWN: &str = "/proc/self/exe";

/// A verb that needs the configuration names no more problems than this; `svc config check` names all.
const MOST_PROBLEMS: usize = 5;

/// The shortest file that does something; shown where there is none.
const SAMPLE: &str = r#"{
  "services": {
    "notes": {
      "units": ["notes.service"],
      "backup": {"enable": true, "paths": ["/var/lib/notes"]}
    }
  },
  "repositories": {"local": {"repository": "/mnt/backup/restic", "passwordFile": "/etc/svc/restic.password"}}
}"#;

impl Context {
    /// Reads the configuration and prepares the outside systems; nothing is connected yet.
    pub(crate) fn load(global: GlobalArgs) -> Result<Self, Failure> {
        let scope = scope(&global)?;
        let config = read(&scope)?;
        Ok(Self::of(global, scope, config))
    }

    /// The same for what needs only svc's own directories, and so works also when the configuration does not: what was
    /// stopped is started all the same, and a run at work is shown and ended. `then`: what is done without it, for a warning.
    pub(crate) fn load_leniently(global: GlobalArgs, then: &str) -> Result<Self, Failure> {
        let scope = scope(&global)?;
        let config = match try_read(&scope) {
            Ok(config) => config,
            Err(error) => {
                say(&format!("warning: {error}; {then}\n"));
                config::read_places(&scope.config_file, &defaults(&scope))
                    .map_err(|error| config_failure(&scope, &error))?
            }
        };
        Ok(Self::of(global, scope, config))
    }

    fn of(global: GlobalArgs, mut scope: Scope, config: Config) -> Self {
        adopt(&mut scope, &config);
        let (outside, warnings) = outside(&scope, &config);
        let (scope, config) = (Arc::new(scope), Arc::new(config));
        Self { global, scope, config, outside, path: search_path(), warnings }
    }

    /// What a run in a unit of its own stands on: the places that it was handed, and the configuration that lies there.
    pub(crate) fn of_order(global: GlobalArgs, order: &Order) -> Result<Self, Failure> {
        let scope = order.scope.clone();
        let config = read(&scope)?;
        let settings = ResticSettings {
            program: "restic".into(),
            path: order.path.clone().into(),
            home: order.home.clone(),
            cache_dir: scope.cache_dir.join("restic"),
            temp_dir: order.temp_dir.clone(),
            helper: Some(OWN.into()),
            priority: config.limits.clone(),
        };
        let (outside, warnings) = connect(&scope, &config, settings);
        let path = order.path.clone().into();
        Ok(Self { global, scope: Arc::new(scope), config: Arc::new(config), outside, path, warnings })
    }

    /// Whether the shipped unit files find what this process works with.
    pub(crate) fn is_at_usual_place(&self) -> bool {
        let usual = Scope::system(&Environment::default());
        self.scope.kind == usual.kind && self.scope.config_file == usual.config_file
    }

    /// How things are shown on this process's terminal.
    pub(crate) fn choice(&self) -> RenderChoice {
        RenderChoice::detect(self.global.output())
    }

    /// Says on stderr what is odd about the secret files.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            say(&format!("warning: {}\n", warning.text));
        }
    }

    /// The same about the files of the hooks that are to run.
    pub(crate) fn warn_of_hooks(&self, goal: &Goal) {
        for warning in hook_warnings(&self.config, goal, credentials().as_deref()) {
            say(&format!("warning: {}\n", warning.text));
        }
    }

    /// Refuses a verb that changes something to a user who may not.
    pub(crate) fn require_root(&self, verb: &str) -> Result<(), Failure> {
        let is_root = rustix::process::geteuid().is_root();
        if is_root || self.scope.kind == svc_core::scope::ScopeKind::User {
            return Ok(());
        }
        let failure =
            Failure::new(Code::Permission, format!("`{verb}` needs root, and you are somebody else"));
        Err(failure.hint(sudo_line()))
    }
}

/// The line of this process, as it is typed once more.
pub(crate) fn again_line() -> String {
    std::env::args().skip(1).fold("svc".to_owned(), |line, word| format!("{line} {}", quoted(&word)))
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:=@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The same as root would type it.
pub(crate) fn sudo_line() -> String {
    format!("sudo {}", again_line())
}

/// The scope that the options ask for.
pub(crate) fn scope(global: &GlobalArgs) -> Result<Scope, Failure> {
    let env = environment(global.user);
    let mut scope = if global.user {
        Scope::user(&env).map_err(|error| {
            let hint = match error.variable {
                "XDG_RUNTIME_DIR" => "export XDG_RUNTIME_DIR=/run/user/$(id -u)".to_owned(),
                variable => format!("set `{variable}`"),
            };
            Failure::from_error(Code::Usage, &error).hint(hint)
        })?
    } else {
        Scope::system(&env)
    };
    if let Some(file) = &global.config {
        scope.config_file = absolute(file)?;
    }
    Ok(scope)
}

/// A file by its whole path: a run's unit works in another directory, and so may whoever types a hint.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file).map_err(|error| {
        let message = format!("where `{}` is cannot be told", file.display());
        Failure::new(Code::Usage, message).because(error.to_string())
    })
}

/// What the machine says where the configuration does not.
pub(crate) fn defaults(scope: &Scope) -> Defaults {
    Defaults::of(scope, rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// Reads the configuration of a scope.
pub(crate) fn try_read(scope: &Scope) -> Result<Config, ConfigError> {
    config::read(&scope.config_file, &defaults(scope))
}

fn read(scope: &Scope) -> Result<Config, Failure> {
    try_read(scope).map_err(|error| config_failure(scope, &error))
}

/// Why there is no configuration, with the first of its problems.
pub(crate) fn config_failure(scope: &Scope, error: &ConfigError) -> Failure {
    let failure = Failure::from_error(Code::Configuration, error);
    let told = error.problems().iter().take(MOST_PROBLEMS).map(|problem| match &problem.hint {
        Some(hint) => format!("{problem} ({hint})"),
        None => problem.to_string(),
    });
    let failure = told.fold(failure, Failure::because);
    let failure = match error.problems().len().saturating_sub(MOST_PROBLEMS) {
        0 => failure,
        more => failure.because(format!("and {more} more")),
    };
    match error.kind {
        ConfigErrorKind::Missing => {
            let check = check_line(scope);
            failure.hint(format!(
                "begin with this, changed to what is on this machine, then:\n{SAMPLE}\n{check}"
            ))
        }
        _ => failure.hint(check_line(scope)),
    }
}

/// What checks the configuration of this scope.
fn check_line(scope: &Scope) -> String {
    let file = &scope.config_file;
    let is_usual = *file == Scope::system(&Environment::default()).config_file;
    if is_usual {
        "svc config check".to_owned()
    } else {
        format!("svc config check -c {}", quoted(&file.to_string_lossy()))
    }
}

/// Where programs are looked for.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_PATH.into())
}

/// The outside systems; none is asked anything yet.
fn outside(scope: &Scope, config: &Config) -> (Outside, Vec<SecretWarning>) {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let settings = ResticSettings {
        program: "restic".into(),
        path: search_path(),
        home: path("HOME").map_or_else(|| "/root".into(), PathBuf::from),
        cache_dir: scope.cache_dir.join("restic"),
        temp_dir: path("TMPDIR").map(PathBuf::from),
        helper: Some(OWN.into()),
        priority: config.limits.clone(),
    };
    connect(scope, config, settings)
}

fn connect(scope: &Scope, config: &Config, settings: ResticSettings) -> (Outside, Vec<SecretWarning>) {
    let freezer = HostFreezer::new(&settings.path, able());
    let (restic, warnings) = restic::open(config, settings, credentials().as_deref());
    let restic = match haste() {
        Some(span) => restic.hastened(span.duration()),
        None => restic,
    };
    let outside = Outside {
        systemd: Arc::new(Bus::new(&scope.bus_address)),
        docker: Arc::new(docker::Engine::new(&scope.engine_socket)),
        restic: Arc::new(restic),
        freezer: Arc::new(freezer),
    };
    (outside, warnings)
}

/// Where systemd put secrets for this very process.
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What a test does not want to wait for.
fn haste() -> Option<Period> {
    std::env::var(HASTE).ok()?.parse().ok()
}

/// Why this process cannot freeze anything: mounts of its own are root's.
fn able() -> Result<(), String> {
    let is_root = rustix::process::geteuid().is_root();
    if is_root { Ok(()) } else { Err("only root can freeze".to_owned()) }
}

/// What the configuration says about places wins over the scope's defaults.
fn adopt(scope: &mut Scope, config: &Config) {
    let set = |place: &mut PathBuf, wish: &Option<PathBuf>| {
        if let Some(wish) = wish {
            place.clone_from(wish);
        }
    };
    set(&mut scope.state_dir, &config.paths.state_dir);
    set(&mut scope.cache_dir, &config.paths.cache_dir);
    set(&mut scope.engine_socket, &config.docker.socket);
}

fn environment(user: bool) -> Environment {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let bus = if user { "DBUS_SESSION_BUS_ADDRESS" } else { "DBUS_SYSTEM_BUS_ADDRESS" };
    Environment {
        home: path("HOME"),
        config_home: path("XDG_CONFIG_HOME"),
        state_home: path("XDG_STATE_HOME"),
        cache_home: path("XDG_CACHE_HOME"),
        runtime_dir: path("XDG_RUNTIME_DIR"),
        bus_address: text(bus),
        docker_host: text("DOCKER_HOST"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_relative_configuration_is_handed_on_by_its_whole_path_for_a_run_works_elsewhere() {
        let line = ["svc", "-c", "conf/services.json", "list"];
        let args = crate::args::Args::try_parse_from(line).unwrap();
        let scope = scope(&args.global).unwrap();
        assert_eq!(scope.config_file, std::env::current_dir().unwrap().join("conf/services.json"));
        assert!(check_line(&scope).ends_with("/conf/services.json"), "{}", check_line(&scope));
    }

    #[test]
    fn a_word_is_repeated_as_a_shell_takes_it_for_one() {
        assert_eq!(["local,remote", "--tail=3"].map(quoted), ["local,remote", "--tail=3"]);
        assert_eq!(
            ["", "2 days ago", "it's", "$HOME"].map(quoted),
            ["''", "'2 days ago'", r"'it'\''s'", "'$HOME'"]
        );
    }
}
