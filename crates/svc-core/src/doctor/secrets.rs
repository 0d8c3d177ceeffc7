//! The files that hold secrets. Those of a repository that cannot be used are told with it.

use super::{Finding, Grade};
use crate::config::{Config, Service, secret_file};
use crate::restic::SecretWarning;

const CHECK: &str = "secrets";

pub(super) fn check(config: &Config, odd: &[SecretWarning]) -> Vec<Finding> {
    let warning =
        |odd: &SecretWarning| Finding::new(CHECK, Grade::Warning, odd.text.as_str()).fix(odd.fix.as_str());
    let mut findings: Vec<Finding> = odd.iter().map(warning).collect();
    findings.extend(config.services.values().flat_map(of_hooks));
    findings
}

fn of_hooks(service: &Service) -> Vec<Finding> {
    let files = service.backup.hooks.env_files();
    files
        .filter_map(|file| match secret_file::check(file, None) {
            Ok(None) => None,
            Ok(Some(group)) => {
                let odd = SecretWarning::from(&group);
                Some(Finding::new(CHECK, Grade::Warning, odd.text).fix(odd.fix))
            }
            Err(error) => {
                let mend = || format!("mend the hooks of `{}`", service.name);
                let fix = error.hint().unwrap_or_else(mend);
                Some(Finding::new(CHECK, Grade::Problem, error.to_string()).fix(fix))
            }
        })
        .collect()
}
