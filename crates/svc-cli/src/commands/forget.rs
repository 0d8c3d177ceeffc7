//! `svc forget`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::words;

use super::usage;
use crate::args::ForgetArgs;
use crate::context::Context;
use crate::run::{self, Wishes};

/// Lets go what services' policies do not keep, after asking.
pub(crate) async fn run(context: &Context, args: &ForgetArgs) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, &args.repository).map_err(|e| usage(&e))?;
    let there = std::slice::from_ref(&repository);
    let services =
        words::services_to_back_up(&context.config, &args.services, there).map_err(|e| usage(&e))?;
    let question = format!("Remove these snapshots from `{repository}`?");
    let goal = Goal::Forget { repository, services };
    let wishes = Wishes { wait_lock: args.locks.wait_lock.duration(), ..Wishes::default() };
    run::run_as_wished(context, goal, Some(question), args.watching, wishes).await
}
