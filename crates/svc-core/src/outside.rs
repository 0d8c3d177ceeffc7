//! The outside systems together, and how their errors become failures.

use std::sync::Arc;

use crate::code::Code;
use crate::docker::{Docker, DockerError};
use crate::failure::Failure;
use crate::freeze::{FreezeError, Freezer};
use crate::restic::{PASSWORD_FILE, Restic, ResticError, ResticFailure};
use crate::systemd::{Systemd, SystemdError};

/// systemd, Docker, restic and file systems, or fakes of them.
#[derive(Clone)]
pub struct Outside {
    /// systemd.
    pub systemd: Arc<dyn Systemd>,
    /// Docker.
    pub docker: Arc<dyn Docker>,
    /// restic.
    pub restic: Arc<dyn Restic>,
    /// The file systems, as far as they take copies that hold still.
    pub freezer: Arc<dyn Freezer>,
}

impl From<&FreezeError> for Failure {
    fn from(error: &FreezeError) -> Self {
        let code = match error {
            FreezeError::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Code::NoSpace
            }
            FreezeError::Foreign { .. } | FreezeError::Unplanned { .. } => Code::Refused,
            FreezeError::File { .. }
            | FreezeError::Program { .. }
            | FreezeError::Deadline { .. }
            | FreezeError::Cancelled => Code::Failed,
        };
        Self::from_error(code, error)
    }
}

impl From<&SystemdError> for Failure {
    fn from(error: &SystemdError) -> Self {
        let code = match error {
            SystemdError::Unreachable { .. } => Code::ManagerUnreachable,
            SystemdError::Denied { .. } => Code::Permission,
            SystemdError::ShuttingDown { .. } => Code::Terminated,
            SystemdError::NoUnit { .. }
            | SystemdError::JobEnded { .. }
            | SystemdError::Deadline { .. }
            | SystemdError::Refused { .. } => Code::UnitOrContainer,
        };
        let failure = Self::from_error(code, error);
        match error {
            SystemdError::JobEnded { unit, .. } => {
                failure.hint(format!("journalctl --unit {unit} --lines 50"))
            }
            SystemdError::Unreachable { .. } => failure.hint("systemctl is-system-running"),
            _ => failure,
        }
    }
}

impl From<&DockerError> for Failure {
    fn from(error: &DockerError) -> Self {
        let code = match error {
            DockerError::Unreachable { .. } => Code::ManagerUnreachable,
            DockerError::Denied { .. } => Code::Permission,
            DockerError::NotFound { .. } | DockerError::Deadline { .. } | DockerError::Refused { .. } => {
                Code::UnitOrContainer
            }
        };
        let failure = Self::from_error(code, error);
        match error {
            DockerError::Unreachable { .. } => failure.hint("systemctl status docker.service"),
            _ => failure,
        }
    }
}

impl From<&ResticError> for Failure {
    fn from(error: &ResticError) -> Self {
        let code = match error {
            ResticError::Missing { .. }
            | ResticError::TooOld { .. }
            | ResticError::Settings { .. }
            | ResticError::MissingSecret { .. } => Code::Configuration,
            ResticError::LooseSecret { .. } => Code::Refused,
            ResticError::ClosedSecret { .. } => Code::Permission,
            ResticError::NotMounted { .. } | ResticError::Deadline { .. } | ResticError::Stalled { .. } => {
                Code::Unreachable
            }
            ResticError::DamagedSnapshots { .. } => Code::Damaged,
            ResticError::Failed { kind, .. } => restic_code(*kind),
            ResticError::Cancelled { .. } | ResticError::Output { .. } | ResticError::Spawn { .. } => {
                Code::Failed
            }
        };
        let failure = Self::from_error(code, error);
        let failure = match error {
            // `cat config` is how svc knocks; nobody asked for a `cat`.
            ResticError::Failed { verb: "cat", repository, kind: ResticFailure::NoSpace, .. } => {
                Self { message: format!("there is no space left for repository `{repository}`"), ..failure }
            }
            ResticError::Failed { verb: "cat", repository, kind, .. } => {
                Self { message: format!("repository `{repository}` cannot be opened: {kind}"), ..failure }
            }
            ResticError::Failed { verb: "version", kind, .. } => {
                Self { message: format!("restic does not say its version: {kind}"), ..failure }
            }
            _ => failure,
        };
        let failure = match error {
            ResticError::Failed { text, .. } if !text.is_empty() => failure.because(text.trim_end()),
            ResticError::DamagedSnapshots { unreadable, .. } => failure.because(unreadable.join("\n")),
            _ => failure,
        };
        match restic_hint(error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

const fn restic_code(kind: ResticFailure) -> Code {
    match kind {
        ResticFailure::NoRepository => Code::NoRepository,
        ResticFailure::Locked => Code::RepositoryLocked,
        ResticFailure::WrongPassword | ResticFailure::Denied => Code::WrongPassword,
        ResticFailure::NoSpace => Code::NoSpace,
        ResticFailure::Unreachable => Code::Unreachable,
        ResticFailure::Damaged => Code::Damaged,
        ResticFailure::Signal(_) | ResticFailure::Code(_) => Code::Failed,
    }
}

/// What to do about the repository; what is transient has no hint: the same again.
fn failed_hint(kind: ResticFailure, repository: &str) -> Option<String> {
    let file = "svc config show   # says which file has the";
    match kind {
        ResticFailure::NoRepository => Some(format!("svc repo init {repository}")),
        ResticFailure::WrongPassword => Some(format!("{file} password of `{repository}`")),
        ResticFailure::Denied => Some(format!("{file} login of `{repository}`")),
        ResticFailure::Damaged => Some(format!("svc repo check {repository}")),
        ResticFailure::Locked => Some(format!("svc repo unlock {repository}")),
        ResticFailure::NoSpace => Some(format!("make room where `{repository}` lies, then run it again")),
        _ => None,
    }
}

fn restic_hint(error: &ResticError) -> Option<String> {
    match error {
        ResticError::Failed { kind, repository, .. } => failed_hint(*kind, repository),
        ResticError::DamagedSnapshots { repository, .. } => failed_hint(ResticFailure::Damaged, repository),
        ResticError::Missing { .. } => Some("install restic 0.17.1 or newer".to_owned()),
        ResticError::TooOld { needed, .. } => Some(format!("install restic {needed} or newer")),
        ResticError::NotMounted { mount_point, .. } => Some(format!("mount {}", mount_point.display())),
        ResticError::MissingSecret { kind: PASSWORD_FILE, path, repository } => {
            let path = path.display();
            Some(format!(
                "(umask 077; cat > {path})   # type the password that `{repository}` has, then Ctrl-D; a new one is for a \
                 new repository only: (umask 077; head -c 24 /dev/urandom | base64 > {path})"
            ))
        }
        ResticError::MissingSecret { path, .. } => Some(format!(
            "(umask 077; cat > {})   # type RESTIC_REPOSITORY=… and RESTIC_PASSWORD_FILE=…, a line each, then Ctrl-D",
            path.display()
        )),
        ResticError::LooseSecret { path, .. } => Some(format!("chmod 600 {}", path.display())),
        _ => None,
    }
}
