//! Waiting for repositories that somebody else has locked, while every service still runs.

use std::time::Duration;

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::goal::Goal;
use svc_core::holder::{Patience, settle};
use svc_core::names::RepositoryName;
use svc_core::observe::{Observed, observe};

use crate::context::Context;
use crate::run::say;

/// Looks at everything that a goal needs; where a repository is locked again and again until it is free, or for so long.
pub(crate) async fn observe_free(context: &Context, goal: &Goal, now: Timestamp, wait: Duration) -> Observed {
    let mut patience = Patience::new(wait);
    let mut is_told = wait.is_zero();
    let mut now = now;
    loop {
        let mut observed = observe(&context.config, &context.scope, &context.outside, goal, now).await;
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
