//! `svc list-backups`.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::plan::snapshots_of;
use svc_core::records::RepositoryRecord;
use svc_core::restic::Snapshot;
use svc_core::words;

use super::usage;
use crate::args::ListBackupsArgs;
use crate::context::Context;
use crate::documents::ListedSnapshot;
use crate::render;
use crate::run::{document, say, write_out};

/// Lists a service's snapshots, newest first.
pub(crate) async fn run(context: &Context, args: &ListBackupsArgs) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, &args.repository).map_err(|e| usage(&e))?;
    let service = context.config.service(&args.service).map_err(|e| usage(&e.into()))?;
    let failed = |error| Failure::from(&error);
    context.outside.restic.version().await.map_err(failed)?;
    let all = context.outside.restic.snapshots(&repository).await.map_err(failed)?;
    let mut own: Vec<&Snapshot> = snapshots_of(&all, service).collect();
    own.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.time));
    let hold = RepositoryRecord::load(&context.scope.records_dir(), &repository).hold(&repository);
    let text = if context.global.json {
        let unproven = hold.is_some();
        let listed = own.into_iter().map(|snapshot| ListedSnapshot { snapshot, unproven });
        document(&listed.collect::<Vec<_>>())?
    } else {
        if let Some(hold) = hold {
            say(&format!("warning: none of these is proven: {}\n", hold.message));
        }
        render::snapshot_table(&own, Timestamp::now(), context.choice().look())
    };
    write_out(&text).map(|()| Code::Ok)
}
