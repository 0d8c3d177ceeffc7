//! Whether backups are made by themselves.

use super::programs::in_use;
use super::{Finding, Grade, in_time, is_owner, systemctl};
use crate::config::Config;
use crate::names::RepositoryName;
use crate::outside::Outside;
use crate::scope::{Scope, ScopeKind};
use crate::timers::{TimerOverview, TimerState, for_repository, timers};

pub(super) async fn check(config: &Config, scope: &Scope, outside: &Outside) -> Vec<Finding> {
    let mut findings = Vec::new();
    let look = async {
        match timers(config, outside).await {
            Ok(all) => findings = findings_of(config, scope, &all),
            // Said once already.
            Err(_) => {
                findings = vec![Finding::new("timers", Grade::Skipped, "not looked at, for want of systemd")];
            }
        }
        Finding::good("timers", "")
    };
    let looked = in_time("timers", look).await;
    if findings.is_empty() && looked.grade == Grade::Problem { vec![looked] } else { findings }
}

fn findings_of(config: &Config, scope: &Scope, all: &[TimerOverview]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        in_use(config).map(|repository| of_repository(config, scope, all, repository)).collect();
    let told = |timer: &TimerOverview| {
        in_use(config).any(|name| for_repository(config, name).any(|it| it == timer.timer))
    };
    let configured = all.iter().filter(|timer| !timer.timer.as_str().starts_with("svc-") && !told(timer));
    findings.extend(configured.filter_map(|timer| broken(scope, timer)));
    findings.extend(all.iter().filter_map(|timer| failed(scope, timer)));
    findings
}

fn of_repository(
    config: &Config,
    scope: &Scope,
    all: &[TimerOverview],
    repository: &RepositoryName,
) -> Finding {
    let check = format!("timer for {repository}");
    let own: Vec<_> = for_repository(config, repository).collect();
    let candidates: Vec<&TimerOverview> = all.iter().filter(|timer| own.contains(&timer.timer)).collect();
    let in_state = |state| candidates.iter().find(|timer| timer.state == state);
    if let Some(timer) = in_state(TimerState::Waiting) {
        return Finding::good(check, format!("`{}` waits", timer.timer));
    }
    let systemctl = sudo(scope);
    if let Some(timer) = in_state(TimerState::NotEnabled) {
        let said = format!("`{}` waits, but is not enabled: not after the next boot", timer.timer);
        return Finding::new(check, Grade::Warning, said).fix(format!("{systemctl} enable {}", timer.timer));
    }
    if let Some(timer) = in_state(TimerState::Off) {
        let said = format!("`{}` is off: nothing is backed up by itself", timer.timer);
        return Finding::new(check, Grade::Problem, said)
            .fix(format!("{systemctl} enable --now {}", timer.timer));
    }
    let said = format!("no timer backs up to `{repository}`");
    // One that has a file would have been found, if only switched off.
    let unit = format!("svc-backup@{repository}.timer");
    let fix = format!("install svc's units (see the README), then: {systemctl} enable --now {unit}");
    Finding::new(check, Grade::Problem, said).fix(fix)
}

/// A timer that only the configuration knows of.
fn broken(scope: &Scope, timer: &TimerOverview) -> Option<Finding> {
    let unit = &timer.timer;
    let (said, fix) = match timer.state {
        TimerState::Waiting | TimerState::NotEnabled => return None,
        TimerState::Off => (format!("`{unit}` is off"), format!("{} enable --now {unit}", sudo(scope))),
        TimerState::Broken => {
            (format!("`{unit}` is masked or broken"), format!("{} status {unit}", systemctl(scope)))
        }
        TimerState::Missing => (
            format!("`{unit}` does not exist"),
            format!("install it, or take `{}` out of `timers`", timer.name),
        ),
    };
    Some(Finding::new(format!("timer {}", timer.name), Grade::Problem, said).fix(fix))
}

/// A timer whose last run did not end well.
fn failed(scope: &Scope, timer: &TimerOverview) -> Option<Finding> {
    let (result, unit) =
        (timer.result.as_deref().filter(|result| *result != "success")?, timer.unit.as_ref()?);
    let user = if scope.kind == ScopeKind::User { " --user" } else { "" };
    let said = format!("`{unit}` ended with `{result}` last");
    let finding = Finding::new(format!("timer {}", timer.name), Grade::Warning, said);
    Some(finding.fix(format!("journalctl{user} --unit {unit} --lines 50")))
}

fn sudo(scope: &Scope) -> String {
    if is_owner(scope) { systemctl(scope).to_owned() } else { format!("sudo {}", systemctl(scope)) }
}
