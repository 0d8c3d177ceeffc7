//! The names svc passes around, each its own type, so that none stands where another belongs.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name that breaks the rules, with what the rules say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a {kind}: {rule}")]
pub struct NameError {
    /// The name as it was given, control characters escaped, cut when long.
    pub name: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl NameError {
    fn new(name: &str, kind: &'static str, rule: &'static str) -> Self {
        Self { name: shown(name), kind, rule }
    }
}

/// How much of a text from outside a message quotes: a hostile file holds names of megabytes.
const QUOTED: usize = 60;

/// A text from outside as a message may show it: control characters escaped, cut when long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push('…');
    }
    shown
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // So that maps keyed by the name can be asked with text.
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let holds: fn(&str) -> bool = $holds;
                if holds(text) { Ok(Self(text.to_owned())) } else { Err(NameError::new(text, $kind, $rule)) }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn is_plain(text: &str) -> bool {
    let first = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |c: u8| first(c) || matches!(c, b'.' | b'_' | b'-');
    match text.as_bytes() {
        [head, tail @ ..] => {
            first(*head) && tail.len() < 63 && tail.iter().copied().all(rest) && text != "all"
        }
        [] => false,
    }
}

const UNIT_SUFFIXES: [&str; 8] =
    [".service", ".target", ".socket", ".timer", ".path", ".mount", ".scope", ".slice"];

fn is_unit(text: &str) -> bool {
    // systemd's unit_name_is_valid: at most 255 characters of letters, digits and `:-_.\@`.
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b":-_.\\@".contains(&c);
    text.len() <= 255
        && !text.starts_with(['-', '.'])
        && text.bytes().all(allowed)
        && UNIT_SUFFIXES.iter().any(|suffix| text.len() > suffix.len() && text.ends_with(suffix))
}

fn is_docker_object(text: &str) -> bool {
    // The daemon's own pattern for container and volume names.
    let first = |c: u8| c.is_ascii_alphanumeric();
    let rest = |c: u8| first(c) || matches!(c, b'_' | b'.' | b'-');
    match text.as_bytes() {
        [head, tail @ ..] => first(*head) && tail.len() < 255 && tail.iter().copied().all(rest),
        [] => false,
    }
}

fn is_snapshot(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

fn is_run(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

name!(
    /// The name of a service in `services.json`.
    ServiceName,
    "service name",
    "it starts with a-z or 0-9, goes on with a-z 0-9 . _ - (63 at most) and is not `all`",
    is_plain
);
name!(
    /// The name of a restic repository in `services.json`.
    RepositoryName,
    "repository name",
    "it starts with a-z or 0-9, goes on with a-z 0-9 . _ - (63 at most) and is not `all`",
    is_plain
);
name!(
    /// The name of a systemd unit, with its suffix.
    UnitName,
    "unit name",
    "it needs a suffix such as `.service` and only letters, digits and :-_.\\@",
    is_unit
);
name!(
    /// The name of a Docker volume.
    VolumeName,
    "volume name",
    "it starts with a letter or digit and goes on with letters, digits, _ . -",
    is_docker_object
);
name!(
    /// The name of a container.
    ContainerName,
    "container name",
    "it starts with a letter or digit and goes on with letters, digits, _ . -",
    is_docker_object
);
name!(
    /// The full id of a restic snapshot: 64 hexadecimal digits.
    SnapshotId,
    "snapshot id",
    "it has 64 hexadecimal digits",
    is_snapshot
);
name!(
    /// The id of one run of svc: its start in UTC and a few random digits; sorts by time.
    RunId,
    "run id",
    "it has letters, digits and - (40 at most)",
    is_run
);

impl RunId {
    /// The id of a run that begins now; the clock's finer digits and the process make two runs differ.
    #[must_use]
    pub fn new(now: Timestamp, pid: u32) -> Self {
        let micros = now.subsec_nanosecond().unsigned_abs() / 1000;
        Self(format!("{}-{micros:05x}{pid:x}", now.strftime("%Y%m%dT%H%M%S")))
    }

    /// The second in which it began; nothing: the id is of another making.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        let time = self.0.split('-').next()?;
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    }
}

impl SnapshotId {
    /// The first eight digits, which is what people read and type.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_follow_the_published_rule() {
        for good in ["a", "0", "next-cloud_2.0", &"a".repeat(63)] {
            assert!(good.parse::<ServiceName>().is_ok(), "{good}");
        }
        for bad in ["", "all", "A", "-a", ".a", "a b", "a/b", "../x", "a\0", "a\n", "é", &"a".repeat(64)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn unit_names_need_a_suffix_and_no_path() {
        assert!("docker-compose-a@b.service".parse::<UnitName>().is_ok());
        for bad in ["a", ".service", "a/b.service", "-a.service", "a b.service", "a.service\n"] {
            assert!(bad.parse::<UnitName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn run_ids_sort_by_time_and_follow_their_own_rule() {
        let at = |text: &str| RunId::new(text.parse().unwrap(), 4242);
        let (first, second) = (at("2026-11-20T09:00:00.000001Z"), at("2026-11-20T09:00:00.1Z"));
        assert!(first < second && second < at("2026-11-20T09:00:01Z"));
        assert_eq!(first.as_str().parse(), Ok(first));
    }

    #[test]
    fn a_snapshot_id_is_shown_by_its_first_eight_digits() {
        let id: SnapshotId = "0123456789abcdef".repeat(4).parse().unwrap();
        assert_eq!(id.short(), "01234567");
    }
}
