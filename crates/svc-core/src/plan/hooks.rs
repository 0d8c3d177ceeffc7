//! The hooks of a backup: before it, after it, and when it failed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ServicePlan, Step, When};
use crate::config::{Hook, HookAction, Service};

/// One hook. What it runs stays in the configuration: its variables may be secrets, and a plan is shown and logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookStep {
    /// When it runs.
    pub kind: HookKind,
    /// Its place among those of its kind, from 0.
    pub index: usize,
    /// Its program, for people.
    pub label: String,
    /// When it is ended.
    pub timeout: Duration,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookKind {
    /// Before anything is quiesced; if it fails nothing is.
    Pre,
    /// After the service is back, if the `pre` of the same place began, whatever came of it; one without a `pre` of its
    /// place: if no `pre` failed.
    Post,
    /// When the backup failed.
    OnFailure,
}

impl HookKind {
    /// As it is written in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::OnFailure => "onFailure",
        }
    }
}

/// The hooks that run before.
pub(super) fn add_pre(plan: &mut ServicePlan, service: &Service) {
    for (index, hook) in service.backup.hooks.pre.iter().enumerate() {
        plan.push(step(HookKind::Pre, index, hook), "it prepares the data");
    }
}

/// The hooks that run afterwards.
pub(super) fn add_after(plan: &mut ServicePlan, service: &Service) {
    let hooks = &service.backup.hooks;
    for (index, hook) in hooks.post.iter().enumerate() {
        plan.add(step(HookKind::Post, index, hook), When::Always, "it clears up after the one before");
    }
    for (index, hook) in hooks.on_failure.iter().enumerate() {
        plan.add(step(HookKind::OnFailure, index, hook), When::OnFailure, "somebody wants to know");
    }
}

fn step(kind: HookKind, index: usize, hook: &Hook) -> Step {
    let label = match &hook.action {
        HookAction::Command(argv) => argv.first().cloned().unwrap_or_default(),
        HookAction::Script(_) => "script".to_owned(),
    };
    Step::Hook(HookStep { kind, index, label, timeout: hook.timeout.duration() })
}
