//! `svc restore`.

use jiff::Zoned;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::words;

use super::usage;
use crate::args::RestoreArgs;
use crate::context::Context;
use crate::run;

/// Brings services' data back from snapshots, after asking.
pub(crate) async fn run(context: &Context, args: &RestoreArgs) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, &args.repository).map_err(|e| usage(&e))?;
    let named = std::slice::from_ref(&args.service);
    let services = words::services_to_restore(&context.config, named).map_err(|e| usage(&e))?;
    let snapshot = SnapshotChoice::parse(&args.snapshot, &Zoned::now()).map_err(|error| {
        let failure = Failure::from_error(Code::Usage, &error);
        if context.config.service(&args.snapshot).is_ok() {
            return failure.hint("it is a service: a restore takes one of them, or `all`");
        }
        failure.hint(format!("svc list-backups {repository} {}", args.service))
    })?;
    if services.len() > 1 && matches!(snapshot, SnapshotChoice::Id(_)) {
        let failure = Failure::new(Code::Usage, "one snapshot id cannot be of several services");
        return Err(failure.hint("name one service, or use `latest` or a time"));
    }
    let list: Vec<&str> = services.iter().map(svc_core::names::ServiceName::as_str).collect();
    let question =
        format!("Replace the data of {} with the snapshot? The data of now is kept.", list.join(", "));
    let goal = Goal::Restore { repository, services, snapshot, start: args.start };
    run::run(context, goal, Some(question), args.watching).await
}
