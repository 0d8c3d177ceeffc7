//! Units whose main process is only a client of a container engine: what they run is the engine's.

use serde::{Deserialize, Serialize};
use zbus::Variant;

/// What a unit's main process runs through a container engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Client {
    /// One container, and its name if the command says it.
    Container(Option<String>),
    /// A compose project in the foreground.
    Compose,
}

impl Client {
    /// What `ExecStart=` says, as the bus gives it: `a(sasbttttuii)`.
    pub(super) fn of(exec_start: &Variant<'_>) -> Option<Self> {
        let Variant::Array(commands) = exec_start else { return None };
        // The last one is what stays, and the only one unless the unit is a oneshot.
        let Some(Variant::Structure(command)) = commands.inner().last() else { return None };
        let Some(Variant::Array(arguments)) = command.fields().get(1) else { return None };
        let text = |argument: &Variant<'_>| match argument {
            Variant::Str(text) => text.to_string(),
            _ => String::new(),
        };
        let arguments: Vec<String> = arguments.inner().iter().map(text).collect();
        Self::in_command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn in_command(arguments: &[&str]) -> Option<Self> {
        let (program, rest) = arguments.split_first()?;
        let program = program.rsplit('/').next().unwrap_or_default();
        match program {
            "docker-compose" | "podman-compose" | "arion" => return Some(Self::Compose),
            "docker" | "podman" => {}
            _ => return None,
        }
        let verb = rest.iter().position(|word| matches!(*word, "run" | "start" | "compose"))?;
        let after = rest.get(verb + 1..).unwrap_or_default();
        match rest.get(verb) {
            Some(&"compose") => Some(Self::Compose),
            Some(&"run") => Some(Self::Container(named(after))),
            _ => Some(Self::Container(after.last().map(ToString::to_string))),
        }
    }
}

fn named(arguments: &[&str]) -> Option<String> {
    let glued = arguments.iter().find_map(|word| word.strip_prefix("--name="));
    let apart = arguments.iter().position(|word| *word == "--name");
    glued.or_else(|| apart.and_then(|at| arguments.get(at + 1).copied())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_by_its_command_and_so_is_its_container() {
        let of = |command: &str| Client::in_command(&command.split(' ').collect::<Vec<_>>());
        let container = |name: &str| Some(Client::Container(Some(name.to_owned())));
        assert_eq!(of("/usr/bin/docker run --rm --name=db -v a:/b image"), container("db"));
        assert_eq!(of("podman --log-level info run --rm --name db image"), container("db"));
        assert_eq!(of("/bin/docker start -a db"), container("db"));
        assert_eq!(of("docker run image"), Some(Client::Container(None)));
        for compose in ["docker compose -f a.yml up", "/bin/docker-compose up", "arion up"] {
            assert_eq!(of(compose), Some(Client::Compose), "{compose}");
        }
        for other in ["/usr/bin/notes --docker run", "docker system prune", "/nix/store/x-start"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
