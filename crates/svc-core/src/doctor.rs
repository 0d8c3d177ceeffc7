//! What stands in the way of a backup or a restore, found before it does: each finding with its fix.

mod leftovers;
mod programs;
mod secrets;
mod state;
mod timers;

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::config::Config;
use crate::failure::Failure;
use crate::observe::parts_at_a_glance;
use crate::outside::Outside;
use crate::restic::SecretWarning;
use crate::scope::{Scope, ScopeKind};

/// No single check takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `ok`, or `unhealthy` when there is a problem.
    pub code: Code,
    /// What was looked at, and what was found.
    pub findings: Vec<Finding>,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was looked at: `restic`, `repository local` …
    pub check: String,
    /// How bad it is.
    pub grade: Grade,
    /// What was found: a lowercase fragment without a full stop.
    pub said: String,
    /// Why, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What a person can do; a command where one does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// As it should be.
    Good,
    /// Not looked at, and no service needs it.
    Skipped,
    /// Worth a look; nothing fails because of it.
    Warning,
    /// A backup, a restore or a service fails because of it.
    Problem,
}

impl Finding {
    fn new(check: impl Into<String>, grade: Grade, said: impl Into<String>) -> Self {
        Self { check: check.into(), grade, said: said.into(), causes: Vec::new(), fix: None }
    }

    fn good(check: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(check, Grade::Good, said)
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn problem(check: impl Into<String>, failure: Failure) -> Self {
        let Failure { code, message, causes, hint } = failure;
        let hint = hint.or_else(|| (code == Code::Permission).then(|| "sudo svc doctor".to_owned()));
        Self { check: check.into(), grade: Grade::Problem, said: message, causes, fix: hint }
    }
}

/// Looks at everything, side by side; `secrets` is what was odd when the repositories were made ready.
pub async fn diagnose(
    config: &Config,
    scope: &Scope,
    outside: &Outside,
    secrets: &[SecretWarning],
    now: Timestamp,
) -> Diagnosis {
    let names: Vec<_> = config.services.keys().cloned().collect();
    let (restic, systemd, docker, repositories, timers, (parts, _), volumes) = tokio::join!(
        programs::restic(outside),
        programs::systemd(outside),
        programs::docker(config, outside),
        programs::repositories(config, scope, outside),
        timers::check(config, scope, outside),
        parts_at_a_glance(config, outside, &names, &[]),
        outside.docker.volumes(),
    );
    let mut findings = configuration(config, scope);
    findings.extend([restic, systemd, docker]);
    // What is down now comes before what may fail tonight.
    let volumes = volumes.map_err(|error| Failure::from(&error));
    findings.extend(leftovers::check(config, scope, &parts, volumes.as_deref().unwrap_or_default()));
    findings.extend(repositories);
    findings.extend(secrets::check(config, secrets));
    findings.extend(state::check(scope));
    findings.extend(state::records(config, scope));
    findings.extend(programs::missing_sources(config, scope, &volumes).await);
    findings.extend(programs::missing_units(config, &parts));
    findings.extend(timers);
    let worst = findings.iter().map(|finding| finding.grade).max();
    let code = if worst == Some(Grade::Problem) { Code::Unhealthy } else { Code::Ok };
    Diagnosis { at: now, code, findings }
}

/// What is odd in the file; one that cannot be used at all is told before there is a doctor.
fn configuration(config: &Config, scope: &Scope) -> Vec<Finding> {
    let file = scope.config_file.display();
    if config.warnings.is_empty() {
        let said = format!("`{file}` is good");
        return vec![Finding::good("configuration", said)];
    }
    let one = |warning: &crate::config::Problem| {
        let finding = Finding::new("configuration", Grade::Warning, format!("{file}:{warning}"));
        finding.fix(warning.hint.clone().unwrap_or_else(|| format!("mend line {} of {file}", warning.line)))
    };
    config.warnings.iter().map(one).collect()
}

/// The same within the time that a check has.
async fn in_time(check: &str, work: impl Future<Output = Finding>) -> Finding {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| {
        let said = format!("no answer within {} s", LIMIT.as_secs());
        Finding::new(check, Grade::Problem, said).fix("svc doctor")
    })
}

/// Whether svc's own files and the secrets can be read: the system's are root's.
fn is_owner(scope: &Scope) -> bool {
    scope.kind == ScopeKind::User || rustix::process::geteuid().is_root()
}

/// How systemd is spoken to in this scope.
const fn systemctl(scope: &Scope) -> &'static str {
    match scope.kind {
        ScopeKind::System => "systemctl",
        ScopeKind::User => "systemctl --user",
    }
}
