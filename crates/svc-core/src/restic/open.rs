//! The repositories of a configuration made ready: environment files read, secret files looked at.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{RepositoryAccess, ResticError, ResticProgram, ResticSettings, Secret};
use crate::config::secret_file::GroupReadable;
use crate::config::{Config, Password, Repository, env_file, secret_file};
use crate::names::RepositoryName;

/// Variables that name a file with a secret in it.
const SECRET_FILES: [&str; 2] = ["RESTIC_PASSWORD_FILE", "RESTIC_REPOSITORY_FILE"];

/// How messages call the file that restic reads the password from.
pub(crate) const PASSWORD_FILE: &str = "password file";
const ENVIRONMENT_FILE: &str = "environment file";

/// What is worth a warning about a file with secrets in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretWarning {
    /// What is odd.
    pub text: String,
    /// What a person can do.
    pub fix: String,
}

/// restic with all repositories of the configuration, and what is worth a warning.
///
/// A repository that cannot be used fails when it is used, and leaves the others alone. `credentials` is systemd's
/// `$CREDENTIALS_DIRECTORY`.
#[must_use]
pub fn open(
    config: &Config,
    settings: ResticSettings,
    credentials: Option<&Path>,
) -> (ResticProgram, Vec<SecretWarning>) {
    let mut warnings = Vec::new();
    let repositories = config.repositories.iter().map(|(name, repository)| {
        let access = access(name, repository, credentials, &mut warnings);
        (name.clone(), access)
    });
    let repositories = repositories.collect();
    (ResticProgram::new(settings, repositories), warnings)
}

fn access(
    name: &RepositoryName,
    repository: &Repository,
    credentials: Option<&Path>,
    warnings: &mut Vec<SecretWarning>,
) -> Result<RepositoryAccess, ResticError> {
    let mut variables = Vec::new();
    if let Some(file) = &repository.environment_file {
        look(name, file, ENVIRONMENT_FILE, credentials, warnings)?;
        let read = env_file::read(file).map_err(|error| settings_error(name, file, &error))?;
        warnings.extend(read.odd_lines.iter().map(|odd| SecretWarning {
            text: format!("environment file `{}`: {odd}", file.display()),
            fix: format!("mend line {} of {}", odd.line, file.display()),
        }));
        variables.extend(read.variables);
    }
    let named =
        variables.iter().filter(|(key, _)| SECRET_FILES.contains(&key.as_str())).map(|(_, file)| file.into());
    let files: Vec<PathBuf> = named.chain(password_file(repository)).collect();
    for file in files {
        look(name, &file, PASSWORD_FILE, credentials, warnings)?;
    }
    let variables = variables.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
    RepositoryAccess::new(name, repository, variables)
}

fn password_file(repository: &Repository) -> Option<PathBuf> {
    repository.password.as_ref().map(|Password::PasswordFile(file)| file.clone())
}

fn look(
    name: &RepositoryName,
    file: &Path,
    kind: &'static str,
    credentials: Option<&Path>,
    warnings: &mut Vec<SecretWarning>,
) -> Result<(), ResticError> {
    match secret_file::check(file, credentials) {
        // restic's own words would not say that it is a matter of who asks.
        Ok(_) if File::open(file).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) => {
            return Err(ResticError::ClosedSecret { path: file.to_owned() });
        }
        Ok(told) => warnings.extend(told.map(|group| SecretWarning::from(&group))),
        Err(error) => {
            return Err(match error.fault {
                secret_file::SecretFileFault::TooOpen { .. } => {
                    ResticError::LooseSecret { path: error.file, fault: error.fault.to_string() }
                }
                secret_file::SecretFileFault::Missing => {
                    ResticError::MissingSecret { repository: name.to_string(), kind, path: error.file }
                }
                _ => settings_error(name, file, &error),
            });
        }
    }
    Ok(())
}

impl From<&GroupReadable> for SecretWarning {
    fn from(group: &GroupReadable) -> Self {
        Self { text: group.to_string(), fix: format!("chmod 600 {}", group.file.display()) }
    }
}

fn settings_error(name: &RepositoryName, file: &Path, error: &(dyn Error + 'static)) -> ResticError {
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    if causes().any(is_denial) {
        return ResticError::ClosedSecret { path: file.to_owned() };
    }
    let reason = causes().fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    ResticError::Settings { repository: name.to_string(), reason }
}

fn is_denial(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Defaults, parse};
    use crate::scope::{Environment, Scope};

    fn warnings_and_error(mode: u32) -> (Vec<SecretWarning>, Option<ResticError>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("local.env");
        std::fs::write(&file, "RESTIC_REPOSITORY=/r\nRESTIC_PASSWORD='a b'\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let text = format!(
            r#"{{"repositories": {{"local": {{"environmentFile": "{}"}}}}, "services": {{}}}}"#,
            file.display()
        );
        let defaults = Defaults::of(&Scope::system(&Environment::default()), "home");
        let config = parse(text.as_bytes(), &defaults).unwrap();
        let name: RepositoryName = "local".parse().unwrap();
        let mut warnings = Vec::new();
        let error = access(&name, &config.repositories[&name], None, &mut warnings).err();
        (warnings, error)
    }

    #[test]
    fn secret_files_that_others_can_read_or_write_are_refused() {
        for mode in [0o604, 0o602, 0o620] {
            let (_, error) = warnings_and_error(mode);
            assert!(matches!(error, Some(ResticError::LooseSecret { .. })), "{mode:o}: {error:?}");
        }
    }

    #[test]
    fn a_secret_file_that_its_group_can_read_is_used_with_a_warning() {
        let (warnings, error) = warnings_and_error(0o640);
        assert_eq!((warnings.len(), error), (1, None));
        assert_eq!(warnings_and_error(0o600), (Vec::new(), None));
    }

    #[test]
    fn a_file_that_this_user_may_not_read_is_a_matter_of_permission() {
        let fault = |kind: io::ErrorKind| {
            let fault = secret_file::SecretFileFault::Unreadable(kind.into());
            let error = secret_file::SecretFileError { file: "/secret".into(), fault };
            settings_error(&"local".parse().unwrap(), Path::new("/secret"), &error)
        };
        assert_eq!(
            fault(io::ErrorKind::PermissionDenied),
            ResticError::ClosedSecret { path: "/secret".into() }
        );
        assert!(matches!(fault(io::ErrorKind::InvalidInput), ResticError::Settings { .. }));
    }
}
