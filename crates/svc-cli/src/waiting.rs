//! Waiting for what somebody else holds, repositories and services, while every service still runs.

use std::time::Duration;

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::goal::Goal;
use svc_core::holder::{Patience, settle};
use svc_core::lock::held_by;
use svc_core::names::RepositoryName;
use svc_core::observe::{Observed, Probe, observe};

use crate::context::Context;
use crate::run::say;

/// Looks at everything that a goal needs.
pub(crate) async fn look(context: &Context, goal: &Goal, probe: Probe, now: Timestamp) -> Observed {
    observe(&context.config, &context.scope, &context.outside, goal, probe, now).await
}

/// The same, and where a repository is locked again and again until it is free, or for so long.
pub(crate) async fn observe_free(context: &Context, goal: &Goal, now: Timestamp, wait: Duration) -> Observed {
    let mut patience = Patience::new(wait);
    let mut is_told = wait.is_zero();
    let mut now = now;
    loop {
        let mut observed = look(context, goal, Probe::Knock, now).await;
        let is_locked = |(name, seen): (&RepositoryName, &Result<_, svc_core::failure::Failure>)| {
            let locked = matches!(seen, Err(failure) if failure.code == Code::RepositoryLocked);
            locked.then(|| name.clone())
        };
        let Some(name) = observed.repositories.iter().find_map(is_locked) else { return observed };
        if !is_told {
            is_told = true;
            say(&format!("note: repository `{name}` is locked; nothing stops until it is free\n"));
        }
        now = Timestamp::now();
        let settled = settle(&context.scope, &context.outside, &name, now, &mut patience).await;
        if let Err(failure) = settled {
            observed.repositories.insert(name, Err(failure));
            return observed;
        }
    }
}

/// Between two looks whether another run still holds a service.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// Waits for the runs that hold services of the goal; what is still held then is told by the run. What is looked at while
/// another run has it stopped would make a wrong plan.
pub(crate) async fn for_other_runs(context: &Context, goal: &Goal, limit: Duration) {
    let locks = context.scope.locks_dir();
    let deadline = tokio::time::Instant::now() + limit;
    for service in goal.services() {
        let mut told = false;
        while let Some(holder) = held_by(&locks, service).filter(|_| tokio::time::Instant::now() < deadline) {
            if !std::mem::replace(&mut told, true) {
                say(&format!("note: waits for `{service}`, held by another run: {holder}\n"));
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
}
