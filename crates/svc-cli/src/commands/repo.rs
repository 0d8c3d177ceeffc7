//! `svc repo`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::words;

use super::usage;
use crate::args::{RepoArgs, RepoVerb};
use crate::context::Context;
use crate::documents::InitDocument;
use crate::run::{document, write_out};

/// Looks after repositories.
pub(crate) async fn run(context: &Context, args: &RepoArgs) -> Result<Code, Failure> {
    match &args.verb {
        RepoVerb::Init { repository } => init(context, repository).await,
    }
}

/// Makes a repository where there is none; one that is there is left alone.
async fn init(context: &Context, word: &str) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, word).map_err(|e| usage(&e))?;
    if !context.global.dry_run {
        context.require_root("repo init")?;
    }
    let restic = &context.outside.restic;
    let failed = |error| Failure::from(&error);
    restic.version().await.map_err(failed)?;
    let there = restic.repository_id(&repository).await;
    if let Ok(id) = &there {
        let message = format!("repository `{repository}` is there already, with id {id}");
        return Err(Failure::new(Code::Refused, message).hint(format!("svc backup {repository} all")));
    }
    match there.map_err(failed) {
        Err(failure) if failure.code != Code::NoRepository => return Err(failure),
        _ => {}
    }
    if context.global.dry_run {
        return write_out(&format!("repository `{repository}` would be made\n")).map(|()| Code::Ok);
    }
    let id = restic.init(&repository).await.map_err(failed)?;
    let text = if context.global.json {
        document(&InitDocument { repository: &repository, id: &id })?
    } else {
        format!("repository `{repository}` is made, with id {id}\n")
    };
    write_out(&text).map(|()| Code::Ok)
}
