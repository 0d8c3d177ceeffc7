//! How much memory a backup's unit may use.

use std::path::{Path, PathBuf};

use svc_core::config::Limits;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::names::UnitName;
use svc_core::scope::ScopeKind;
use svc_core::systemd::Value;

use crate::context::Context;
use crate::unit;

/// systemd's word for no limit.
const NO_LIMIT: u64 = u64::MAX;

/// A unit's settings for the limits that there are. Whoever restores or starts something waits for it.
pub(crate) fn limits(limits: &Limits, goal: &Goal) -> Vec<(&'static str, Value)> {
    let bytes = |(name, mib): (_, Option<u32>)| Some((name, Value::Number(u64::from(mib?) << 20)));
    sizes(limits, goal).into_iter().filter_map(bytes).collect()
}

fn sizes(limits: &Limits, goal: &Goal) -> [(&'static str, Option<u32>); 2] {
    let of_backup = |mib: Option<u32>| mib.filter(|_| matches!(goal, Goal::Backup { .. }));
    [("MemoryHigh", of_backup(limits.memory_high)), ("MemoryMax", of_backup(limits.memory_max))]
}

/// Holds the unit of svc's that this process is in to the limits, for a run that is done here.
///
/// # Errors
/// When systemd refuses.
pub(crate) async fn limit_own(context: &Context, goal: &Goal) -> Result<(), Failure> {
    let Some(unit) = unit::own() else { return Ok(()) };
    let mut properties = limits(&context.config.limits, goal);
    let lifted = sizes(&context.config.limits, goal).into_iter().filter(|(_, mib)| mib.is_none());
    let lifted = lifted.filter(|(name, _)| is_set(context.scope.kind, &unit, name));
    properties.extend(lifted.map(|(name, _)| (name, Value::Number(NO_LIMIT))));
    if properties.is_empty() {
        return Ok(());
    }
    let set = context.outside.systemd.set_properties(&unit, &properties).await;
    set.map_err(|error| Failure::from(&error))
}

/// Whether an earlier run set this: systemd keeps that beyond the unit's end, until the next boot.
fn is_set(kind: ScopeKind, unit: &UnitName, name: &str) -> bool {
    let directory = match kind {
        ScopeKind::System => Some(PathBuf::from("/run/systemd/system.control")),
        ScopeKind::User => {
            let runtime = std::env::var_os("XDG_RUNTIME_DIR");
            runtime.map(|runtime| Path::new(&runtime).join("systemd/user.control"))
        }
    };
    directory.is_some_and(|directory| directory.join(format!("{unit}.d/50-{name}.conf")).exists())
}
