//! restic, systemd, Docker, and the repositories.

use futures_util::future::join_all;

use super::{Finding, Grade, in_time, is_owner};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::docker::Volume;
use crate::failure::Failure;
use crate::names::RepositoryName;
use crate::observe::{Parts, reach, sources_of};
use crate::outside::Outside;
use crate::records::RepositoryRecord;
use crate::scope::Scope;
use crate::systemd::ManagerState;

pub(super) async fn restic(outside: &Outside) -> Finding {
    let look = async {
        match outside.restic.version().await {
            Ok(version) => Finding::good("restic", format!("version {version}")),
            Err(error) => Finding::problem("restic", Failure::from(&error)),
        }
    };
    in_time("restic", look).await
}

pub(super) async fn systemd(outside: &Outside) -> Finding {
    let look = async {
        match outside.systemd.manager_state().await {
            Ok(ManagerState::Running) => Finding::good("systemd", "it answers"),
            Ok(ManagerState::Starting) => {
                Finding::new("systemd", Grade::Warning, "the machine is still booting").fix("svc doctor")
            }
            Ok(ManagerState::Stopping) => {
                Finding::new("systemd", Grade::Warning, "the machine is shutting down").fix("svc doctor")
            }
            Err(error) => Finding::problem("systemd", Failure::from(&error)),
        }
    };
    in_time("systemd", look).await
}

pub(super) async fn docker(config: &Config, outside: &Outside) -> Finding {
    let look = async {
        match outside.docker.containers().await {
            Ok(containers) => {
                let containers = match containers.len() {
                    1 => "1 container".to_owned(),
                    count => format!("{count} containers"),
                };
                Finding::good("docker", format!("it answers, with {containers}"))
            }
            Err(error) if config.services.values().any(needs_docker) => {
                Finding::problem("docker", Failure::from(&error))
            }
            Err(_) => Finding::new("docker", Grade::Skipped, "it does not answer, and no service needs it"),
        }
    };
    in_time("docker", look).await
}

/// Whether the configuration says that a service has containers or volumes.
fn needs_docker(service: &Service) -> bool {
    let has_volumes = !service.backup.volumes.is_empty() || !service.restore.volumes.is_empty();
    has_volumes || service.compose.file.is_some() || service.restore.compose_unit.is_some()
}

/// Each repository that a service is backed up to.
pub(super) async fn repositories(config: &Config, scope: &Scope, outside: &Outside) -> Vec<Finding> {
    join_all(in_use(config).map(|name| repository(config, scope, outside, name))).await
}

pub(super) fn in_use(config: &Config) -> impl Iterator<Item = &RepositoryName> {
    let is_used = |name: &&RepositoryName| {
        config.services.values().any(|service| service.backup.enable && service.uses(name))
    };
    config.repositories.keys().filter(is_used)
}

async fn repository(config: &Config, scope: &Scope, outside: &Outside, name: &RepositoryName) -> Finding {
    let check = format!("repository {name}");
    // What a check has found counts also while the repository opens well.
    if let Some(failure) = RepositoryRecord::load(&scope.records_dir(), name).hold(name) {
        return Finding::problem(&check, failure);
    }
    let look = async {
        match reach(config, outside, name).await {
            Ok(id) => {
                let pinned = config.repositories.get(name).is_some_and(|repository| repository.id.is_some());
                let which = if pinned { ", as the configuration says" } else { "" };
                let short = id.get(..8).unwrap_or(&id);
                Finding::good(&check, format!("it opens, with id {short}{which}"))
            }
            // Said once already.
            Err(failure)
                if failure.code == Code::Configuration && outside.restic.version().await.is_err() =>
            {
                Finding::new(&check, Grade::Skipped, "not looked at, for want of restic")
            }
            Err(failure) => mended(Finding::problem(&check, failure.clone()), scope, name, failure.code),
        }
    };
    in_time(&check, look).await
}

/// The same with what is to be done where the failure itself does not say it.
fn mended(finding: Finding, scope: &Scope, name: &RepositoryName, code: Code) -> Finding {
    if finding.fix.is_some() {
        return finding;
    }
    let fix = match code {
        Code::Unreachable => {
            "look whether its server runs and its disk is there, then: svc doctor".to_owned()
        }
        Code::WrongPassword => format!("put the right password into the password file of `{name}`"),
        Code::Configuration if !is_owner(scope) => "sudo svc doctor".to_owned(),
        Code::Configuration => format!("mend `repositories.{name}` or its environment file"),
        Code::Damaged => format!("look into it with restic check before anything is removed from `{name}`"),
        _ => "svc doctor".to_owned(),
    };
    finding.fix(fix)
}

/// What the next backup would not find. Only the owner can look everywhere.
pub(super) async fn missing_sources(
    config: &Config,
    scope: &Scope,
    volumes: &Result<Vec<Volume>, Failure>,
) -> Vec<Finding> {
    let enabled = config.services.values().filter(|service| service.backup.enable && is_owner(scope));
    let look = async |service| (service, sources_of(service, volumes).await);
    let missing = join_all(enabled.map(look)).await.into_iter().flat_map(|(service, sources)| {
        let failures = sources.into_iter().filter_map(|source| source.path.err());
        failures.map(move |failure| (service, failure))
    });
    // That Docker does not answer has been said.
    let told = |failure: &Failure| matches!(failure.code, Code::ManagerUnreachable | Code::Permission);
    missing
        .filter(|(_, failure)| !told(failure))
        .map(|(service, failure)| {
            let finding = Finding::problem(format!("service {}", service.name), failure);
            let mend = format!("mend `services.{}.backup`", service.name);
            let fix = match &finding.fix {
                Some(hint) => format!("{mend}: {hint}"),
                None => format!("bring it back, or {mend}"),
            };
            finding.fix(fix)
        })
        .collect()
}

/// Units that the configuration names and nobody has.
pub(super) fn missing_units(config: &Config, parts: &[Parts]) -> Vec<Finding> {
    let all = config.services.values().zip(parts);
    all.flat_map(|(service, parts)| parts.missing_units.iter().map(move |unit| (service, unit)))
        .map(|(service, unit)| {
            let check = format!("service {}", service.name);
            let finding = Finding::new(check, Grade::Problem, format!("its unit `{unit}` does not exist"));
            finding.fix(format!("mend `services.{}.units`, or install the unit", service.name))
        })
        .collect()
}
