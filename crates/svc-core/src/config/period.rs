//! A length of time as people write it: `60s`, `26h`, `90d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::names::shown;

/// A century: added to any clock's time it does not overflow.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// A positive length of time, a century at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Duration);

/// Not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a length of time such as `60s`, `15m` or `26h`")]
pub struct PeriodError {
    /// What was written.
    pub text: String,
}

impl Period {
    /// A period of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The length itself.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError { text: shown(text) };
        let span: jiff::SignedDuration = match text.strip_suffix('d').map(str::parse::<i64>) {
            Some(Ok(days)) => days_long(days).ok_or_else(error)?,
            _ => text.parse().map_err(|_| error())?,
        };
        match Duration::try_from(span) {
            Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(Self(duration)),
            _ => Err(error()),
        }
    }
}

fn days_long(days: i64) -> Option<jiff::SignedDuration> {
    days.checked_mul(24 * 3600).map(jiff::SignedDuration::from_secs)
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            s if s == 0 || self.0.subsec_nanos() != 0 => write!(f, "{}ms", self.0.as_millis()),
            s if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s if s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A length of time: 60s, 15m, 26h, 90d."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_people_write_them() {
        for (text, seconds) in
            [("60s", 60), ("15m", 900), ("26h", 93_600), ("90d", 7_776_000), ("1h 30m", 5400)]
        {
            assert_eq!(text.parse::<Period>(), Ok(Period::seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn nothing_negative_or_empty_is_a_period() {
        for text in [
            "",
            "-5s",
            "0s",
            "soon",
            "5",
            "99999999999999999999d",
            "9223372036854775807d",
            "380000000000000000d",
            "36501d",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_period_is_written_as_it_is_read() {
        for text in ["60m", "26h", "61s", "250ms"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string().parse(), Ok(period), "{text}");
        }
    }
}
