//! `svc start`, `svc stop`, `svc restart`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::words;

use super::usage;
use crate::args::{RestartArgs, ServicesArgs};
use crate::context::Context;
use crate::run;

/// Starts services.
pub(crate) async fn start(context: &Context, args: &ServicesArgs) -> Result<Code, Failure> {
    let services = words::services(&context.config, &args.services).map_err(|e| usage(&e))?;
    run::run(context, Goal::Start { services }, None, args.watching).await
}

/// Stops services; all of them only after asking.
pub(crate) async fn stop(context: &Context, args: &ServicesArgs) -> Result<Code, Failure> {
    let services = words::services(&context.config, &args.services).map_err(|e| usage(&e))?;
    let all = args.services.iter().any(|word| word == "all");
    let question = all.then(|| format!("Stop all {} services?", services.len()));
    run::run(context, Goal::Stop { services }, question, args.watching).await
}

/// Restarts services.
pub(crate) async fn restart(context: &Context, args: &RestartArgs) -> Result<Code, Failure> {
    let services = words::services(&context.config, &args.services).map_err(|e| usage(&e))?;
    let goal = Goal::Restart { services, recreate: args.recreate };
    run::run(context, goal, None, args.watching).await
}
