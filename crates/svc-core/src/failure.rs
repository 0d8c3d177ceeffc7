//! Why something failed, as a value: goes into events, reports and messages alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;

/// What is said of a panic, beside which code it ends with.
pub(crate) const PANICKED: &str = "svc has a bug: it panicked";

/// One failure: what, why, and what to do about it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its kind.
    pub code: Code,
    /// What failed: a lowercase fragment without a full stop.
    pub message: String,
    /// The chain of causes, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What a person can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with neither cause nor hint.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// A failure from an error: its text, and its sources as causes.
    #[must_use]
    pub fn from_error(code: Code, error: &(dyn std::error::Error + 'static)) -> Self {
        let causes =
            std::iter::successors(error.source(), |&e| e.source()).map(ToString::to_string).collect();
        Self { code, message: error.to_string(), causes, hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with one more cause, the farthest.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }
}
