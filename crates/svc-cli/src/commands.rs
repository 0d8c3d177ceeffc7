//! The verbs: each takes its arguments and gives an exit code or a failure.

mod backup;
mod config;
mod home;
mod lifecycle;
mod list;
mod list_backups;
mod logs;
mod repo;
mod restore;
mod tui;

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::words::WordError;

use crate::args::{Args, Verb};
use crate::context::Context;

/// Runs what the command line asks for.
pub(crate) async fn run(args: Args) -> Result<Code, Failure> {
    if let Some(Verb::Config(config)) = &args.verb {
        return config::run(&args.global, config);
    }
    let context = Context::load(args.global)?;
    match args.verb {
        None => home::run(&context).await,
        Some(Verb::List) => list::run(&context).await,
        Some(Verb::Backup(args)) => backup::run(&context, &args).await,
        Some(Verb::Restore(args)) => restore::run(&context, &args).await,
        Some(Verb::Start(args)) => lifecycle::start(&context, &args).await,
        Some(Verb::Stop(args)) => lifecycle::stop(&context, &args).await,
        Some(Verb::Restart(args)) => lifecycle::restart(&context, &args).await,
        Some(Verb::Logs(args)) => logs::run(&context, &args).await,
        Some(Verb::ListBackups(args)) => list_backups::run(&context, &args).await,
        Some(Verb::Repo(args)) => repo::run(&context, &args).await,
        Some(Verb::Config(args)) => config::run(&context.global, &args),
        Some(Verb::Tui) => tui::run(&context).await,
    }
}

/// A word that means nothing, as a usage failure.
pub(crate) fn usage(error: &WordError) -> Failure {
    let failure = Failure::from_error(Code::Usage, error);
    match error {
        WordError::Unknown(unknown) => match &unknown.suggestion {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure.hint("svc list"),
        },
        WordError::OneRepository { .. } => failure.hint("name one repository"),
        WordError::Disabled { service } => failure.hint(format!("set `backup.enable` of `{service}`")),
        WordError::NotThere { service, .. } => failure.hint(format!("svc backup all {service}")),
        WordError::Nobody { .. } => failure.hint("svc list"),
    }
}
