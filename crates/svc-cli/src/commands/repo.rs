//! `svc repo`.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use svc_core::care::{Care, CheckReport, Reading};
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::words;
use tokio_util::sync::CancellationToken;

use super::usage;
use crate::args::{LockArgs, RepoArgs, RepoVerb};
use crate::context::Context;
use crate::documents::{InitDocument, TrialDocument};
use crate::recovery;
use crate::render;
use crate::run::{document, write_out};
use crate::signals::Signals;

/// Looks after repositories.
pub(crate) async fn run(context: &Context, args: &RepoArgs) -> Result<Code, Failure> {
    match &args.verb {
        RepoVerb::Init { repository } => init(context, repository).await,
        RepoVerb::Check { repository, subset, locks } => {
            let reading = subset.map_or(Reading::Nothing, |word| word.0);
            check(context, repository, reading, *locks).await
        }
        RepoVerb::Prune { repository, locks } => prune(context, repository, *locks).await,
        RepoVerb::Unlock { repository } => unlock(context, repository).await,
        RepoVerb::Stats { repository } => stats(context, repository).await,
    }
}

/// Does something for a repository; INT and TERM end restic in good order, and their code is the result then.
async fn care<T>(
    context: &Context,
    named: &str,
    wait: Duration,
    work: impl AsyncFnOnce(&Care<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let repository = words::repository(&context.config, named).map_err(|e| usage(&e))?;
    context.warn();
    context.outside.restic.version().await.map_err(|error| Failure::from(&error))?;
    let cancel = CancellationToken::new();
    let care = Care {
        config: &context.config,
        scope: &context.scope,
        outside: &context.outside,
        repository: &repository,
        wait,
        cancel: cancel.clone(),
        now: Timestamp::now,
    };
    let work = work(&care);
    tokio::pin!(work);
    let Ok(mut signals) = Signals::listen() else { return work.await };
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            code = signals.next() => if code != Code::Hangup {
                cancel.cancel();
                return work.await.map_err(|failure| Failure { code, ..failure });
            },
        }
    }
}

/// Says what would become of a repository, and does nothing.
fn would(context: &Context, named: &str, what: &str) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, named).map_err(|e| usage(&e))?;
    let text = format!("repository `{repository}` would {what}\n");
    tell(context, &TrialDocument { repository: &repository, would: what }, text).map(|()| Code::Ok)
}

/// As JSON, or in words.
fn tell(context: &Context, value: &impl Serialize, words: String) -> Result<(), Failure> {
    write_out(&if context.global.json { document(value)? } else { words })
}

async fn check(context: &Context, named: &str, reading: Reading, locks: LockArgs) -> Result<Code, Failure> {
    if context.global.dry_run {
        return would(context, named, "be checked, and marked if it is damaged");
    }
    context.require_root("repo check")?;
    let left = recovery::first(context).await.code();
    let work = async |care: &Care<'_>| care.check(reading).await;
    let report = care(context, named, locks.wait_lock.duration(), work).await?;
    match &report.failure {
        Some(failure) if !context.global.json => Err(marked(&report, failure)),
        _ => tell(context, &report, render::checked(&report)).map(|()| Code::worst([report.code, left])),
    }
}

/// What it means for the repository, besides what restic says.
fn marked(report: &CheckReport, failure: &Failure) -> Failure {
    if report.code != Code::Damaged {
        return failure.clone();
    }
    let message = format!(
        "repository `{}` is damaged: nothing is removed from it, and its snapshots are unproven",
        report.repository
    );
    let hint = format!(
        "repair it (https://restic.readthedocs.io/en/stable/077_troubleshooting.html), then: svc repo check {} --subset all",
        report.repository
    );
    Failure { message, ..failure.clone() }.hint(hint)
}

async fn prune(context: &Context, named: &str, locks: LockArgs) -> Result<Code, Failure> {
    if context.global.dry_run {
        return would(context, named, "be rid of what no snapshot needs");
    }
    context.require_root("repo prune")?;
    let left = recovery::first(context).await.code();
    let work = async |care: &Care<'_>| care.prune().await;
    let report = care(context, named, locks.wait_lock.duration(), work).await?;
    tell(context, &report, render::pruned(&report)).map(|()| left)
}

async fn unlock(context: &Context, named: &str) -> Result<Code, Failure> {
    let is_trial = context.global.dry_run;
    let mut left = Code::Ok;
    if !is_trial {
        context.require_root("repo unlock")?;
        left = recovery::first(context).await.code();
    }
    let work = async |care: &Care<'_>| care.unlock(is_trial).await;
    let report = care(context, named, Duration::ZERO, work).await?;
    tell(context, &report, render::unlocked(&report, is_trial)).map(|()| left)
}

async fn stats(context: &Context, named: &str) -> Result<Code, Failure> {
    let work = async |care: &Care<'_>| care.stats().await;
    let report = care(context, named, Duration::ZERO, work).await?;
    tell(context, &report, render::stats(&report, Timestamp::now())).map(|()| Code::Ok)
}

/// Makes a repository where there is none; one that is there is left alone.
async fn init(context: &Context, named: &str) -> Result<Code, Failure> {
    let repository = words::repository(&context.config, named).map_err(|e| usage(&e))?;
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
        return would(context, named, "be made");
    }
    let id = restic.init(&repository).await.map_err(failed)?;
    let text = format!("repository `{repository}` is made, with id {id}\n");
    tell(context, &InitDocument { repository: &repository, id: &id }, text).map(|()| Code::Ok)
}
