//! When a service counts as healthy.

use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

/// How long a service may take, and what proves that it is there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How long it may take to become healthy.
    pub timeout: Period,
    /// What proves it; nothing: its own health checks, or running without a restart.
    pub probe: Option<Probe>,
}

/// What proves that a service is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Probe {
    /// This URL answers 2xx or 3xx.
    Http(String),
    /// Something listens at `host:port`.
    Tcp(String),
    /// This container is healthy.
    Container(String),
    /// This argv ends with 0.
    Command(Vec<String>),
}
