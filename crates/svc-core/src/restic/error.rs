//! What goes wrong with restic.

use std::path::PathBuf;

use super::Snapshot;

/// What went wrong with restic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResticError {
    /// There is no restic.
    #[error("restic is not installed: `{program}` was not found")]
    Missing {
        /// What was looked for.
        program: String,
    },
    /// Its version will not do.
    #[error("restic {found} is too old: svc needs {needed} or newer")]
    TooOld {
        /// What is there.
        found: String,
        /// What it takes.
        needed: &'static str,
    },
    /// The repository's settings cannot be used.
    #[error("repository `{repository}` cannot be used: {reason}")]
    Settings {
        /// The repository.
        repository: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A file with its secrets does not exist.
    #[error("repository `{repository}` has no {kind}: `{}` does not exist", path.display())]
    MissingSecret {
        /// The repository.
        repository: String,
        /// `password file` or `environment file`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A secret file is open to others.
    #[error("secret file `{}` {fault}", path.display())]
    LooseSecret {
        /// The file.
        path: PathBuf,
        /// To whom, and its mode.
        fault: String,
    },
    /// A secret file may not be read by this user.
    #[error("secret file `{}` is closed to this user", path.display())]
    ClosedSecret {
        /// The file.
        path: PathBuf,
    },
    /// The directory where the repository should be mounted is not a mount point.
    #[error("repository `{repository}` is not there: `{mount_point}` is not mounted")]
    NotMounted {
        /// The repository.
        repository: String,
        /// The directory.
        mount_point: PathBuf,
    },
    /// restic ended with a code that says what is wrong, or with one nobody knows.
    #[error("restic {verb} on repository `{repository}` failed: {kind}")]
    Failed {
        /// restic's verb.
        verb: &'static str,
        /// The repository.
        repository: String,
        /// What kind of failure.
        kind: ResticFailure,
        /// The end of what it wrote to stderr, secrets struck out.
        text: String,
    },
    /// It was cancelled, in good order.
    #[error("restic {verb} was cancelled")]
    Cancelled {
        /// restic's verb.
        verb: &'static str,
    },
    /// It did not end in time, and was ended.
    #[error("restic {verb} on repository `{repository}` did not end within {seconds} s")]
    Deadline {
        /// restic's verb.
        verb: &'static str,
        /// The repository.
        repository: String,
        /// How long was waited.
        seconds: u64,
    },
    /// It stood still for too long, and was ended.
    #[error("restic {verb} on repository `{repository}` stood still for {seconds} s")]
    Stalled {
        /// restic's verb.
        verb: &'static str,
        /// The repository.
        repository: String,
        /// How long it did.
        seconds: u64,
    },
    /// Some snapshots cannot be read; those that can be are here.
    #[error("repository `{repository}` is damaged: {} of its snapshots cannot be read", unreadable.len())]
    DamagedSnapshots {
        /// The repository.
        repository: String,
        /// restic's line about each that cannot.
        unreadable: Vec<String>,
        /// The others, oldest first.
        readable: Vec<Snapshot>,
    },
    /// What it wrote makes no sense.
    #[error("restic {verb}{} wrote something unexpected: {reason}", on(repository))]
    Output {
        /// restic's verb.
        verb: &'static str,
        /// The repository; empty: it was about none.
        repository: String,
        /// What was missing.
        reason: String,
    },
    /// It could not be run at all.
    #[error("restic could not be run: {reason}")]
    Spawn {
        /// What the system said.
        reason: String,
    },
}

/// What restic's exit code and text say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResticFailure {
    /// Code 10.
    #[error("there is no repository")]
    NoRepository,
    /// Code 11.
    #[error("the repository is locked")]
    Locked,
    /// Code 12.
    #[error("wrong password")]
    WrongPassword,
    /// The server refuses the user or the key: not the repository's own password.
    #[error("the server refuses the login")]
    Denied,
    /// Its text speaks of a full disk.
    #[error("no space left")]
    NoSpace,
    /// Its text speaks of a connection.
    #[error("the repository cannot be reached")]
    Unreachable,
    /// Its text speaks of damaged data.
    #[error("the repository is damaged")]
    Damaged,
    /// It was killed by this signal.
    #[error("killed by signal {0}")]
    Signal(i32),
    /// Any other code.
    #[error("exit code {0}")]
    Code(i32),
}

fn on(repository: &str) -> String {
    if repository.is_empty() { String::new() } else { format!(" on repository `{repository}`") }
}
