//! `svc backup`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::Goal;
use svc_core::words;

use super::usage;
use crate::args::BackupArgs;
use crate::context::Context;
use crate::run::{self, Wishes};

/// Saves services to repositories.
pub(crate) async fn run(context: &Context, args: &BackupArgs) -> Result<Code, Failure> {
    let repositories = words::repositories(&context.config, &args.repositories).map_err(|e| usage(&e))?;
    let services =
        words::services_to_back_up(&context.config, &args.services, &repositories).map_err(|e| usage(&e))?;
    let wait_lock = args.locks.wait_lock.duration();
    let wishes = Wishes { wait_lock, accept_shrink: args.accept_shrink, jobs: args.jobs };
    run::run_as_wished(context, Goal::Backup { repositories, services }, None, args.watching, wishes).await
}
