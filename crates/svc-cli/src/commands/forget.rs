//! `svc forget`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::words;

use super::usage;
use crate::args::ForgetArgs;
use crate::context::Context;
use crate::run;

/// Lets go what services' policies do not keep, after asking.
pub(crate) async fn run(context: &Context, args: &ForgetArgs) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, &args.repository).map_err(|e| usage(&e))?;
    let there = std::slice::from_ref(&repository);
    let services =
        words::services_to_back_up(&context.config, &args.services, there).map_err(|e| usage(&e))?;
    let question = format!("Remove these snapshots from `{repository}`?");
    run::run(context, Goal::Forget { repository, services }, Some(question), args.watching).await
}
