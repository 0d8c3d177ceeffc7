//! The configuration as it counts, each value with where it comes from. Never a secret.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::position::{push_key, spots};
use super::read::{MAX_SIZE, limited, parse};
use super::{Config, ConfigError, ConfigErrorKind, Defaults, syntax};
use crate::scope::Scope;

/// The configuration as it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// The file that was read.
    pub file: std::path::PathBuf,
    /// All of it, as a file would say it; what may be secret is left out.
    pub config: Value,
    /// Where each value comes from, by its path.
    pub origins: IndexMap<String, Origin>,
    /// The same one by one, for people.
    #[serde(skip)]
    pub leaves: Vec<Leaf>,
}

/// A value that is not made of others; a list of plain ones is one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it belongs to: `services.notes`, `paths`; empty: the file as a whole.
    pub section: String,
    /// Its path in there.
    pub key: String,
    /// Itself.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "camelCase")]
pub enum Origin {
    /// The file says it.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// Nobody says it.
    Default,
    /// The machine's name.
    Hostname,
    /// A variable of the environment.
    Environment {
        /// Which.
        variable: String,
    },
    /// Another value that is there.
    Derived {
        /// Its path.
        path: String,
    },
}

/// Stands where something may be secret.
const HIDDEN: &str = "(hidden)";

/// Reads a file, and where each value of the result comes from. `engine` is the variable that named Docker's socket.
pub fn effective(
    path: &Path,
    defaults: &Defaults,
    scope: &Scope,
    engine: Option<&str>,
) -> Result<Effective, ConfigError> {
    let error = |kind| ConfigError { file: path.to_owned(), kind };
    let bytes = limited(path, MAX_SIZE).map_err(|fault| error(fault.into()))?;
    let config = parse(&bytes, defaults).map_err(|problems| error(ConfigErrorKind::Problems(problems)))?;
    let places = places(&bytes);
    let mut value = serde_json::to_value(whole(config, scope)).unwrap_or_default();
    hide(&mut value);
    let mut leaves = Vec::new();
    collect(&value, &Way::default(), &mut leaves);
    let leaf = |(way, value): (Way, &Value)| {
        let origin = origin(&way.path, &places, engine);
        Leaf { section: way.section, key: way.key, value: value.clone(), origin }
    };
    let paths: Vec<String> = leaves.iter().map(|(way, _)| way.path.clone()).collect();
    let leaves: Vec<Leaf> = leaves.into_iter().map(leaf).collect();
    let origins = paths.into_iter().zip(leaves.iter().map(|leaf| leaf.origin.clone())).collect();
    Ok(Effective { file: path.to_owned(), config: value, origins, leaves })
}

/// How a value was come to: all of the path, and its two parts.
#[derive(Debug, Clone, Default)]
struct Way {
    path: String,
    section: String,
    key: String,
    /// Steps into a section that are still to be taken.
    outside: Option<usize>,
}

impl Way {
    fn to_key(&self, key: &str) -> Self {
        let mut way = self.clone();
        push_key(&mut way.path, key);
        // Services and repositories are sections each, and so is anything else that has keys of its own.
        let steps = way.outside.unwrap_or(if matches!(key, "services" | "repositories") { 2 } else { 1 });
        way.step(steps, |text| push_key(text, key))
    }

    fn to_element(&self, index: usize) -> Self {
        let mut way = self.clone();
        let step = format!("[{index}]");
        let push = |text: &mut String| text.push_str(&step);
        push(&mut way.path);
        // Each timer and each notification is one.
        let is_listed = way.key.is_empty() && way.outside == Some(0);
        if is_listed {
            push(&mut way.section);
            return way;
        }
        push(&mut way.key);
        way
    }

    fn step(mut self, steps: usize, push: impl Fn(&mut String)) -> Self {
        push(if steps > 0 { &mut self.section } else { &mut self.key });
        self.outside = Some(steps.saturating_sub(1));
        self
    }
}

/// What stands where; the file was read once already, so that nothing here can fail.
fn places(bytes: &[u8]) -> HashMap<String, (usize, usize)> {
    let read = || {
        let text = syntax::text(bytes).ok()?;
        let root = syntax::tree(text).ok()?;
        Some(spots(text, &root))
    };
    read().unwrap_or_default()
}

/// The same with the scope's own places where the file says none.
fn whole(mut config: Config, scope: &Scope) -> Config {
    config.paths.state_dir.get_or_insert_with(|| scope.state_dir.clone());
    config.paths.cache_dir.get_or_insert_with(|| scope.cache_dir.clone());
    config.docker.socket.get_or_insert_with(|| scope.engine_socket.clone());
    config
}

/// Takes out what may be secret: the variables of hooks, and addresses that know who may post there.
fn hide(config: &mut Value) {
    for service in
        config.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
    {
        let hooks = service.pointer_mut("/backup/hooks").and_then(Value::as_object_mut);
        let hooks = hooks.into_iter().flat_map(|hooks| hooks.values_mut());
        for hook in hooks.filter_map(Value::as_array_mut).flatten() {
            let variables = hook.get_mut("env").and_then(Value::as_object_mut);
            variables.into_iter().flat_map(|all| all.values_mut()).for_each(|it| *it = HIDDEN.into());
        }
    }
    let all = config.get_mut("notifications").and_then(Value::as_array_mut);
    for url in all.into_iter().flatten().filter_map(|one| one.get_mut("url")) {
        let host =
            url.as_str().and_then(|text| text.match_indices('/').nth(2).and_then(|(at, _)| text.get(..=at)));
        if let Some(host) = host {
            *url = format!("{host}{HIDDEN}").into();
        }
    }
}

/// All values that are not made of others.
fn collect<'v>(value: &'v Value, way: &Way, leaves: &mut Vec<(Way, &'v Value)>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(key, value)| collect(value, &way.to_key(key), leaves));
        }
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            let elements = elements.iter().enumerate();
            elements.for_each(|(index, element)| collect(element, &way.to_element(index), leaves));
        }
        _ => {
            let mut way = way.clone();
            if way.key.is_empty() {
                // A plain value of the file itself is no section.
                std::mem::swap(&mut way.key, &mut way.section);
            }
            leaves.push((way, value));
        }
    }
}

fn origin(path: &str, places: &HashMap<String, (usize, usize)>, engine: Option<&str>) -> Origin {
    let said = |path: &str| places.get(path).map(|&(line, column)| Origin::File { line, column });
    if let Some(origin) = said(path) {
        return origin;
    }
    let beside = |end: &str, other: &str| path.strip_suffix(end).map(|stem| format!("{stem}{other}"));
    if let Some(origin) = beside(".quiesce", ".needsServiceStopped").and_then(|older| said(&older)) {
        return origin;
    }
    // Its key says its name.
    if let Some(service) = path.strip_prefix("services.").and(path.strip_suffix(".name")) {
        return said(service).unwrap_or(Origin::Default);
    }
    let derived = [
        (".restore.volumes", ".backup.volumes"),
        (".restore.paths", ".backup.paths"),
        (".compose.project", ".name"),
        (".backup.tags", ".name"),
    ];
    let derived = derived.iter().find_map(|(end, other)| beside(end, other).map(|path| (path, *other)));
    match (path, derived, engine) {
        ("host", ..) => Origin::Hostname,
        ("docker.socket", _, Some(variable)) => Origin::Environment { variable: variable.to_owned() },
        // A service has a name in any case.
        (_, Some((path, other)), _) if other == ".name" || said(&path).is_some() => Origin::Derived { path },
        _ => Origin::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Environment;

    const FILE: &str = r#"{
  "notifications": [{"url": "https://ntfy.example/secret-topic"}],
  "services": {
    "notes": {
      "backup": {
        "enable": true, "needsServiceStopped": false, "paths": ["/srv/notes"],
        "hooks": {"pre": [{"command": ["dump"], "env": {"PGPASSWORD": "hunter2"}}]}
      }
    }
  }
}"#;

    fn read(text: &str) -> Effective {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("services.json");
        std::fs::write(&file, text).unwrap();
        let scope = Scope::system(&Environment::default());
        effective(&file, &Defaults::of(&scope, "home"), &scope, Some("DOCKER_HOST")).unwrap()
    }

    #[test]
    fn every_value_says_where_it_comes_from() {
        let seen = read(FILE);
        let file = |line, column| Origin::File { line, column };
        let derived = |path: &str| Origin::Derived { path: path.to_owned() };
        for (path, origin) in [
            ("host", Origin::Hostname),
            ("paths.stateDir", Origin::Default),
            ("docker.socket", Origin::Environment { variable: "DOCKER_HOST".to_owned() }),
            ("services.notes.name", file(4, 14)),
            ("services.notes.backup.enable", file(6, 19)),
            ("services.notes.backup.quiesce", file(6, 48)),
            ("services.notes.backup.paths", file(6, 64)),
            ("services.notes.backup.tags", derived("services.notes.name")),
            ("services.notes.restore.paths", derived("services.notes.backup.paths")),
            ("services.notes.restore.volumes", Origin::Default),
            ("services.notes.backup.maxShrinkPercent", Origin::Default),
            ("repositories.local.environmentFile", Origin::Default),
        ] {
            assert_eq!(seen.origins.get(path), Some(&origin), "{path}");
        }
        assert_eq!(seen.config["services"]["notes"]["backup"]["quiesce"], "none");
        assert_eq!(seen.config["paths"]["stateDir"], "/var/lib/svc");
    }

    #[test]
    fn values_stand_in_the_section_they_belong_to() {
        let seen = read(FILE);
        let sections = |key: &str| -> Vec<&str> {
            seen.leaves.iter().filter(|leaf| leaf.key == key).map(|leaf| leaf.section.as_str()).collect()
        };
        assert_eq!(sections("host"), [""]);
        assert_eq!(sections("timers"), [""]);
        assert_eq!(sections("stateDir"), ["paths"]);
        assert_eq!(sections("url"), ["notifications[0]"]);
        assert_eq!(sections("maxAge"), ["repositories.local", "repositories.remote"]);
        assert_eq!(sections("backup.hooks.pre[0].env.PGPASSWORD"), ["services.notes"]);
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let text = serde_json::to_string(&read(FILE)).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("secret-topic"), "{text}");
        assert!(text.contains("PGPASSWORD") && text.contains("https://ntfy.example/(hidden)"), "{text}");
    }

    #[test]
    fn what_is_shown_is_itself_a_file_that_says_the_same() {
        let once = read(include_str!("../../tests/data/services.full.json"));
        let text = serde_json::to_string(&once.config).unwrap();
        assert_eq!(read(&text).config, once.config);
    }
}
