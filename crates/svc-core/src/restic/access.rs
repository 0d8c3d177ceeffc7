//! How one repository is reached: variables and options for restic's process, never a secret among its arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::pattern::option;
use super::redact::url_passwords;
use super::{Redactor, ResticError, Secret};
use crate::config::{Location, Password, Repository, env_file};
use crate::names::RepositoryName;

const LOCATION: [&str; 2] = ["RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE"];
const PASSWORD: [&str; 3] = ["RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"];

/// Variables whose values are no secrets, so that messages keep paths and regions. All others are struck out.
const PUBLIC: [&str; 23] = [
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PATH",
    "RCLONE_CONFIG",
    "RESTIC_CACERT",
    "RESTIC_CACHE_DIR",
    "RESTIC_COMPRESSION",
    "RESTIC_PACK_SIZE",
    "RESTIC_PASSWORD_FILE",
    "RESTIC_READ_CONCURRENCY",
    "RESTIC_REPOSITORY_FILE",
    "RESTIC_TLS_CLIENT_CERT",
    "TMPDIR",
    "TZ",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// One repository with everything that opens it.
#[derive(Debug, Clone)]
pub struct RepositoryAccess {
    variables: Vec<(String, Secret)>,
    arguments: Vec<OsString>,
    mount_point: Option<PathBuf>,
    redactor: Redactor,
}

impl RepositoryAccess {
    /// Puts together what `services.json` says and the variables of its environment file, which give way to it.
    ///
    /// # Errors
    /// `Settings` when they do not say where the repository or its password is, or say it twice.
    pub fn new(
        name: &RepositoryName,
        repository: &Repository,
        variables: Vec<(String, Secret)>,
    ) -> Result<Self, ResticError> {
        // systemd passes an empty variable on; to restic it is as good as none.
        // A host of its own would hide svc's snapshots: those are filed under the `host` of services.json.
        let is_wanted =
            |(name, value): &(String, Secret)| !value.expose().is_empty() && name != "RESTIC_HOST";
        let mut variables: Vec<_> = variables.into_iter().filter(is_wanted).collect();
        let redactor = Redactor::new(&secrets(&variables));
        if let Some(location) = &repository.location {
            let (variable, value) = match location {
                Location::Repository(place) => (LOCATION[0], place.clone()),
                Location::RepositoryFile(file) => (LOCATION[1], text(name, file)?),
            };
            set(&mut variables, &LOCATION, variable, value);
        }
        if let Some(Password::PasswordFile(file)) = &repository.password {
            set(&mut variables, &PASSWORD, PASSWORD[1], text(name, file)?);
        }
        exactly_one(name, &variables, &LOCATION, "where it is")?;
        at_least_one(name, &variables, &PASSWORD, "what its password is")?;
        let mount_point = repository.mount_point.clone();
        Ok(Self { variables, arguments: arguments(repository), mount_point, redactor })
    }

    /// The variables of its processes.
    pub(super) fn variables(&self) -> &[(String, Secret)] {
        &self.variables
    }

    /// The options that every verb takes.
    pub(super) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// The directory that must be a mount point.
    pub(super) fn mount_point(&self) -> Option<&Path> {
        self.mount_point.as_deref()
    }

    /// Its directory, if it is on a disk of this machine.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        let value = |wanted: &str| self.variables.iter().find(|(name, _)| name == wanted);
        let place = match (value(LOCATION[0]), value(LOCATION[1])) {
            (Some((_, place)), _) => place.expose().to_owned(),
            (None, Some((_, file))) => std::fs::read_to_string(file.expose()).ok()?,
            (None, None) => return None,
        };
        let path = PathBuf::from(place.trim_end().trim_start_matches("local:"));
        path.is_absolute().then_some(path)
    }

    /// What strikes its secrets out.
    #[must_use]
    pub const fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

/// The directory in which a repository lies, if it lies on a disk of this machine: as `services.json` says, or a file that
/// it names. What cannot be read is told when the repository is used.
#[must_use]
pub(crate) fn directory(repository: &Repository) -> Option<PathBuf> {
    let variables = repository.environment_file.as_deref().and_then(|file| env_file::read(file).ok());
    let variables = variables.map(|read| read.variables).unwrap_or_default();
    let variable = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let in_file = |file: &Path| std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    let place = match &repository.location {
        Some(Location::Repository(place)) => Some(place.clone()),
        Some(Location::RepositoryFile(file)) => in_file(file),
        None => {
            variable(LOCATION[0]).or_else(|| variable(LOCATION[1]).and_then(|file| in_file(Path::new(&file))))
        }
    }?;
    Some(PathBuf::from(place.strip_prefix("local:").unwrap_or(&place))).filter(|path| path.is_absolute())
}

fn secrets(variables: &[(String, Secret)]) -> Vec<Secret> {
    let secrets = |(name, value): &(String, Secret)| match name.as_str() {
        // The place itself may be told, only the password in it may not.
        name if name == LOCATION[0] || PUBLIC.contains(&name) => {
            url_passwords(value.expose()).into_iter().map(Secret::new).collect()
        }
        _ => vec![value.clone()],
    };
    variables.iter().flat_map(secrets).collect()
}

fn set(variables: &mut Vec<(String, Secret)>, rivals: &[&str], name: &str, value: String) {
    variables.retain(|(have, _)| !rivals.contains(&have.as_str()));
    variables.push((name.to_owned(), Secret::new(value)));
}

fn arguments(repository: &Repository) -> Vec<OsString> {
    let options = repository.options.iter().map(|(key, value)| option("--option", format!("{key}={value}")));
    let limits =
        [("--limit-upload", repository.limit_upload), ("--limit-download", repository.limit_download)];
    let limits = limits.into_iter().filter_map(|(name, rate)| Some(option(name, rate?.to_string())));
    options.chain(limits).collect()
}

fn text(name: &RepositoryName, file: &Path) -> Result<String, ResticError> {
    let text = file.to_str().map(str::to_owned);
    text.ok_or_else(|| settings(name, format!("`{}` is not UTF-8", file.display())))
}

fn exactly_one(
    name: &RepositoryName,
    variables: &[(String, Secret)],
    rivals: &[&str],
    what: &str,
) -> Result<(), ResticError> {
    at_least_one(name, variables, rivals, what)?;
    // restic refuses both at once, in words that name its options and not these.
    if variables.iter().filter(|(have, _)| rivals.contains(&have.as_str())).count() > 1 {
        let reason = format!("its environment file says {what} twice: {}", rivals.join(" and "));
        return Err(settings(name, reason));
    }
    Ok(())
}

fn at_least_one(
    name: &RepositoryName,
    variables: &[(String, Secret)],
    rivals: &[&str],
    what: &str,
) -> Result<(), ResticError> {
    if variables.iter().any(|(have, _)| rivals.contains(&have.as_str())) {
        return Ok(());
    }
    Err(settings(name, format!("nothing says {what}: none of {} is set", rivals.join(", "))))
}

fn settings(name: &RepositoryName, reason: String) -> ResticError {
    ResticError::Settings { repository: name.to_string(), reason }
}

#[cfg(test)]
#[path = "access/tests.rs"]
mod tests;
