//! One line of a log, and where it comes from.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// One message of a unit or a container. It may have several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When journald or Docker took it.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The unit or container.
    #[serde(serialize_with = "name")]
    #[schemars(with = "String")]
    pub source: Arc<Source>,
    /// Which of its outputs.
    pub stream: LogStream,
    /// The text as it was written; what was not UTF-8 is replaced.
    pub message: String,
    /// The journal's priority, 0 (emergency) to 7 (debug); a container has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// Where lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The unit's or the container's name.
    pub name: String,
    /// The same as short as it can be within the service.
    pub label: String,
    /// Which of the service's sources it is, from 0.
    pub number: usize,
}

/// How a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogStream {
    /// To a container's standard output.
    Stdout,
    /// To a container's standard error.
    Stderr,
    /// To the journal.
    Journal,
}

fn name<S: Serializer>(source: &Arc<Source>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&source.name)
}
