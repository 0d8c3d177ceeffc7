//! The verbs: each takes its arguments and gives an exit code or a failure.

mod attach;
mod backup;
mod become_program;
mod completions;
mod config;
mod doctor;
mod execute;
mod forget;
mod home;
mod lifecycle;
mod list;
mod list_backups;
mod logs;
mod man;
mod recover;
mod repo;
mod restore;
mod runs;
mod status;
mod timers;
mod tui;

pub(crate) use become_program::BecomeArgs;

use svc_core::code::Code;
use svc_core::config::UnknownName;
use svc_core::failure::Failure;
use svc_core::words::WordError;

use crate::args::{Args, Verb};
use crate::context::Context;

/// Runs what the command line asks for.
pub(crate) async fn run(Args { global, verb }: Args) -> Result<Code, Failure> {
    let load = || Context::load(global.clone());
    let load_runs =
        || Context::load_leniently(global.clone(), "the runs in the usual state directory are meant");
    match verb {
        None => home::run(&load()?).await,
        Some(Verb::List) => list::run(&load()?).await,
        Some(Verb::Status(args)) => status::run(&load()?, &args).await,
        Some(Verb::Timers) => timers::run(&load()?).await,
        Some(Verb::Doctor) => doctor::run(&load()?).await,
        Some(Verb::Runs(args)) => runs::run(&load_runs()?, &args),
        Some(Verb::Attach(args)) => attach::attach(&load_runs()?, &args).await,
        Some(Verb::Cancel(args)) => attach::cancel(&load_runs()?, &args),
        Some(Verb::Execute(args)) => execute::run(global, &args).await,
        Some(Verb::Become(args)) => become_program::run(&args),
        Some(Verb::Backup(args)) => backup::run(&load()?, &args).await,
        Some(Verb::Restore(args)) => restore::run(&load()?, &args).await,
        Some(Verb::Forget(args)) => forget::run(&load()?, &args).await,
        Some(Verb::Recover(args)) => {
            let then = "what is owed is done all the same";
            recover::run(&Context::load_leniently(global, then)?, &args).await
        }
        Some(Verb::Start(args)) => lifecycle::start(&load()?, &args).await,
        Some(Verb::Stop(args)) => lifecycle::stop(&load()?, &args).await,
        Some(Verb::Restart(args)) => lifecycle::restart(&load()?, &args).await,
        Some(Verb::Logs(args)) => logs::run(&load()?, &args).await,
        Some(Verb::ListBackups(args)) => list_backups::run(&load()?, &args).await,
        Some(Verb::Repo(args)) => repo::run(&load()?, &args).await,
        Some(Verb::Tui) => tui::run(&load()?).await,
        // These need no configuration that is good.
        Some(Verb::Config(args)) => config::run(&global, &args),
        Some(Verb::Completions(args)) => completions::run(&args),
        Some(Verb::Man(args)) => man::run(&args),
    }
}

/// What was probably meant by a name that nothing has.
fn unknown_hint(unknown: &UnknownName) -> String {
    let UnknownName { kind, name, suggestion, is_other_kind } = unknown;
    match suggestion {
        _ if *is_other_kind && *kind == "repository" => {
            format!("`{name}` is a service: the repository comes first, then the service")
        }
        _ if *is_other_kind => format!("`{name}` is a repository and no service: see `svc list`"),
        Some(name) => format!("did you mean `{name}`?"),
        None if name == "all" => format!("this takes one {kind}: see `svc list`"),
        None if *kind == "service" && name.contains(',') => "put spaces between services".to_owned(),
        None => "svc list".to_owned(),
    }
}

/// A word that means nothing, as a usage failure.
pub(crate) fn usage(error: &WordError) -> Failure {
    let failure = Failure::from_error(Code::Usage, error);
    match error {
        WordError::Unknown(unknown) => failure.hint(unknown_hint(unknown)),
        WordError::OneRepository { .. } => failure.hint("name one repository"),
        WordError::Disabled { service } => failure.hint(format!("set `backup.enable` of `{service}`")),
        WordError::NotThere { service, .. } => failure.hint(format!("svc backup all {service}")),
        WordError::Nobody { .. } => failure.hint("svc list"),
    }
}
