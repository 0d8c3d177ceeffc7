//! What can be stopped and started: a unit, or a container.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::docker::Container;
use crate::names::UnitName;

/// A unit or a container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A unit: stopped and started by a job.
    Unit(UnitName),
    /// A container, by its name and never its id: it may be recreated meanwhile.
    Container(String),
}

impl Target {
    /// The target that a container is.
    #[must_use]
    pub fn container(container: &Container) -> Self {
        Self::Container(container.name.clone())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "{unit}"),
            Self::Container(name) => write!(f, "{name}"),
        }
    }
}
