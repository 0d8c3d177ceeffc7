//! The files that hooks take variables from: they may hold secrets.

use std::path::Path;

use crate::code::Code;
use crate::config::secret_file::{self, SecretFileError};
use crate::config::{Config, Service};
use crate::failure::Failure;
use crate::goal::Goal;
use crate::restic::SecretWarning;

/// Why the hooks of a service must not run.
pub(super) fn observe(service: &Service) -> Vec<Failure> {
    files(service).into_iter().filter_map(loose).collect()
}

/// Why a file with variables must not be used: others can read or write it. What else may be the matter with it shows when
/// it is read: a hook before it may yet make it.
pub(crate) fn loose(file: &Path) -> Option<Failure> {
    let error = secret_file::check(file, None).err().filter(SecretFileError::is_loose)?;
    let failure = Failure::from_error(Code::Refused, &error);
    Some(match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

/// What is worth a warning about the files of the hooks that a goal runs. `credentials` is systemd's
/// `$CREDENTIALS_DIRECTORY`.
#[must_use]
pub fn hook_warnings(config: &Config, goal: &Goal, credentials: Option<&Path>) -> Vec<SecretWarning> {
    let names = if matches!(goal, Goal::Backup { .. }) { goal.services() } else { &[] };
    let services = names.iter().filter_map(|name| config.services.get(name));
    let mut all: Vec<&Path> = services.flat_map(files).collect();
    all.sort_unstable();
    all.dedup();
    let told = all.into_iter().filter_map(|file| secret_file::check(file, credentials).ok().flatten());
    told.map(|group| SecretWarning::from(&group)).collect()
}

/// Each once.
fn files(service: &Service) -> Vec<&Path> {
    let mut files: Vec<&Path> = service.backup.hooks.env_files().collect();
    files.sort_unstable();
    files.dedup();
    files
}
