//! How a run or a service of it ended, as the number that the process exits with.

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// The outcome of a service or a run; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// All is well; after a backup: every declared source can be restored.
    Ok,
    /// A mistake of svc's own.
    Internal,
    /// The command line is wrong: unknown verb, service or repository.
    Usage,
    /// A snapshot exists, but something was unreadable or a post hook failed.
    Partial,
    /// It failed, and what ran before runs again.
    Failed,
    /// A service is not in the state it was in before.
    NotResumed,
    /// `services.json` or restic's version does not do.
    Configuration,
    /// Another run holds the service.
    Busy,
    /// `status`, `doctor` or `audit` found something.
    Unhealthy,
    /// There is no repository at that place.
    NoRepository,
    /// Somebody else holds the repository's lock.
    RepositoryLocked,
    /// The repository's password is wrong.
    WrongPassword,
    /// The repository is damaged or a verification failed.
    Damaged,
    /// No space left, here or in the repository.
    NoSpace,
    /// The repository cannot be reached, is not mounted, or a deadline passed.
    Unreachable,
    /// A hook failed.
    Hook,
    /// A unit or container did not stop or start.
    UnitOrContainer,
    /// systemd or Docker cannot be reached.
    ManagerUnreachable,
    /// Not permitted.
    Permission,
    /// Refused, because going on would not be safe.
    Refused,
    /// SIGHUP ended it, after cleaning up.
    Hangup,
    /// SIGINT ended it, after cleaning up.
    Interrupted,
    /// SIGTERM ended it, after cleaning up.
    Terminated,
}

/// From the worst to the best: the first one present is the code of a run of several services.
const BY_SEVERITY: [Code; 23] = [
    Code::NotResumed,
    Code::Interrupted,
    Code::Terminated,
    Code::Hangup,
    Code::Internal,
    Code::Refused,
    Code::Damaged,
    Code::NoSpace,
    Code::WrongPassword,
    Code::NoRepository,
    Code::RepositoryLocked,
    Code::Unreachable,
    Code::UnitOrContainer,
    Code::Hook,
    Code::ManagerUnreachable,
    Code::Permission,
    Code::Busy,
    Code::Failed,
    Code::Partial,
    Code::Unhealthy,
    Code::Configuration,
    Code::Usage,
    Code::Ok,
];

impl Code {
    /// The process's exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Failed => 4,
            Self::NotResumed => 5,
            Self::Configuration => 6,
            Self::Busy => 7,
            Self::Unhealthy => 8,
            Self::NoRepository => 10,
            Self::RepositoryLocked => 11,
            Self::WrongPassword => 12,
            Self::Damaged => 13,
            Self::NoSpace => 14,
            Self::Unreachable => 15,
            Self::Hook => 16,
            Self::UnitOrContainer => 17,
            Self::ManagerUnreachable => 18,
            Self::Permission => 19,
            Self::Refused => 20,
            Self::Hangup => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The worst of several codes; `Ok` of none.
    #[must_use]
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |code: Self| BY_SEVERITY.iter().position(|&c| c == code).unwrap_or(0);
        codes.into_iter().min_by_key(|&code| rank(code)).unwrap_or(Self::Ok)
    }
}

/// A code from a file that a newer svc may have written: one that is not known is none of success.
pub(crate) fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
    let word = String::deserialize(from)?;
    let word: StrDeserializer<'_, Error> = word.as_str().into_deserializer();
    Ok(Code::deserialize(word).unwrap_or(Code::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_wins_in_the_documented_order() {
        assert_eq!(Code::worst([]), Code::Ok);
        assert_eq!(Code::worst([Code::Ok, Code::Failed, Code::Partial]), Code::Failed);
        assert_eq!(Code::worst([Code::WrongPassword, Code::NoSpace]), Code::NoSpace);
        assert_eq!(Code::worst([Code::Internal, Code::NotResumed]), Code::NotResumed);
    }

    #[test]
    fn a_signal_wins_over_all_but_a_service_left_down() {
        assert_eq!(Code::worst([Code::Internal, Code::Interrupted]), Code::Interrupted);
        assert_eq!(Code::worst([Code::NotResumed, Code::Terminated]), Code::NotResumed);
    }

    #[test]
    fn every_code_has_a_number_of_its_own_and_a_rank() {
        let mut numbers: Vec<u8> = BY_SEVERITY.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), BY_SEVERITY.len());
    }
}
