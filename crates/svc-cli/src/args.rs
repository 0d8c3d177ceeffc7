//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use svc_core::config::Period;

use crate::commands::BecomeArgs;
use crate::complete;

mod repo;
mod runs;

pub(crate) use repo::{ForgetArgs, LockArgs, RepoArgs, RepoVerb};
pub(crate) use runs::{RunArgs, RunsArgs};

/// Runs a homeserver's services and guards their data.
#[derive(Debug, Parser)]
#[command(name = "svc", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do; nothing: a short list, what needs a person, and the next command.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const EXAMPLES: &str = "\
Examples:
  svc                              how things stand
  svc backup remote all            save every service to the repository `remote`
  svc restore local paperless      bring the last good snapshot back
  svc restart paperless --recreate
  svc -n backup all all            what a backup would do, step by step

Exit codes:
  0 good · 1 a mistake in svc · 2 usage · 3 partial · 4 failed, and all runs as before
  5 a service is not as it was before · 6 configuration · 7 busy · 8 somebody is needed
  10 no repository · 11 locked · 12 wrong password · 13 damaged · 14 no space
  15 unreachable · 16 hook · 17 unit or container · 18 systemd or Docker · 19 permission
  20 refused for safety · 129, 130, 143 ended by a signal";

/// Options that every verb takes, anywhere on the line.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Options everywhere")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct GlobalArgs {
    /// The configuration file.
    #[arg(short, long, global = true, env = "SVC_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Your own services instead of the system's.
    #[arg(long, global = true)]
    pub(crate) user: bool,
    /// JSON on stdout: events of a run line by line, else one document.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Lines instead of moving bars.
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// No colours; the same as `NO_COLOR`.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// More detail.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Show the plan and stop.
    #[arg(short = 'n', long, global = true)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
}

/// Where a verb's result goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// As JSON.
    pub(crate) json: bool,
    /// In lines instead of moving bars.
    pub(crate) plain: bool,
    /// Without colour.
    pub(crate) no_color: bool,
}

impl GlobalArgs {
    pub(crate) const fn output(&self) -> Output {
        Output { json: self.json, plain: self.plain, no_color: self.no_color }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the services: state, and how old their backups are.
    List,
    /// Say how things stand: backups, what failed, what a crashed run left down. Exit 8 or 5 if somebody is needed.
    Status(StatusArgs),
    /// Save services to a repository.
    Backup(BackupArgs),
    /// Bring a service's data back from a snapshot; the data of now is kept.
    Restore(RestoreArgs),
    /// Let go the snapshots that a service's policy does not keep; a backup does so by itself.
    Forget(ForgetArgs),
    /// Start services, those they need first.
    Start(ServicesArgs),
    /// Stop services, those that need them first.
    Stop(ServicesArgs),
    /// Restart services.
    Restart(RestartArgs),
    /// Show what a service's units and containers write, and go on with it.
    Logs(LogsArgs),
    /// List a service's snapshots in a repository.
    ListBackups(ListBackupsArgs),
    /// List the timers: when each was due last and is due next, and how what it starts ended.
    #[command(after_help = "Example:\n  svc timers")]
    Timers,
    /// List past and current runs, or show one of them step by step.
    Runs(RunsArgs),
    /// Show a run that is at work, also one that a timer began, until it ends.
    Attach(RunArgs),
    /// Ask a run that is at work to end in good order: what ran before runs again.
    Cancel(RunArgs),
    /// Execute the plan in a run's directory; started by svc itself.
    #[command(hide = true)]
    Execute(ExecuteArgs),
    /// Become restic, with frozen copies at their original paths and its priority; started by svc itself.
    #[command(hide = true)]
    Become(BecomeArgs),
    /// Do what runs that died owe: start what they stopped, end what they began. Also done before every other verb.
    Recover(RecoverArgs),
    /// Find what stands in the way of a backup or a restore, each with its fix. Exit 8 if anything does.
    #[command(after_help = "Example:\n  svc doctor")]
    Doctor,
    /// Look after repositories.
    Repo(RepoArgs),
    /// Look at the configuration.
    Config(ConfigArgs),
    /// The services on one live screen.
    Tui,
    /// Print what makes a shell complete services, repositories and snapshots.
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them into a directory.
    Man(ManArgs),
}

/// How a run is watched.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct Watching {
    /// Begin the run and leave it to itself; prints its id for `svc attach`, with `--json` as `{"run": "…"}`.
    #[arg(long)]
    pub(crate) detach: bool,
    /// How long to wait for services that another run holds; otherwise that is said at once.
    #[arg(long, value_name = "SPAN")]
    pub(crate) wait: Option<Period>,
}

/// What to save, and where.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc backup remote all            every enabled service
  svc backup local,remote notes    one service, two repositories, stopped once
  svc -n backup local paperless    what it would do, and which snapshots it would let go
  svc backup local music --accept-shrink")]
pub(crate) struct BackupArgs {
    /// A repository, a comma list of them, or `all`.
    #[arg(value_name = "REPO", add = complete::repositories())]
    pub(crate) repositories: String,
    /// Services, or `all` that are enabled.
    #[arg(value_name = "SVC", required = true, add = complete::services())]
    pub(crate) services: Vec<String>,
    /// Take what is there for good even if most of the data is gone: it was meant. Later backups are compared with it.
    #[arg(long)]
    pub(crate) accept_shrink: bool,
    /// How many services to save at once; 2 if not told. Those that need each other are never down together.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) locks: LockArgs,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// What to bring back, and from where.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc restore local paperless                 the last good snapshot
  svc restore local paperless 4f1c9a2b        that one
  svc restore local paperless '2 days ago'    the newest as old as that
  svc -n restore local paperless              what it would do")]
pub(crate) struct RestoreArgs {
    /// The repository.
    #[arg(value_name = "REPO", add = complete::repositories())]
    pub(crate) repository: String,
    /// A service, or `all` that are enabled.
    #[arg(value_name = "SVC", add = complete::services())]
    pub(crate) service: String,
    /// `latest`, the beginning of an id, a date or an age.
    #[arg(value_name = "SNAPSHOT", default_value = "latest", add = complete::snapshots())]
    pub(crate) snapshot: String,
    /// Start the service afterwards even if it was off.
    #[arg(long)]
    pub(crate) start: bool,
    /// Always done; accepted because scripts say it.
    #[arg(long, hide = true)]
    pub(crate) verify_includes: bool,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// Which services.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc start paperless caddy
  svc stop all")]
pub(crate) struct ServicesArgs {
    /// Services, or `all`.
    #[arg(value_name = "SVC", required = true, add = complete::services())]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// Which services, and how.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc restart paperless
  svc restart paperless --recreate    new containers from the compose file")]
pub(crate) struct RestartArgs {
    /// Services, or `all`.
    #[arg(value_name = "SVC", required = true, add = complete::services())]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) watching: Watching,
    /// Make the containers anew.
    #[arg(long)]
    pub(crate) recreate: bool,
}

/// Whose logs, and which part of them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc logs paperless                            the last 200 lines, and on as they come
  svc logs paperless --no-follow --since 2h     the last two hours
  svc logs paperless --grep 'error|warn' --tail 50
  svc logs paperless --json | jq .message")]
pub(crate) struct LogsArgs {
    /// The service.
    #[arg(value_name = "SVC", add = complete::services())]
    pub(crate) service: String,
    /// End with what is there now.
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// Always done; accepted because fingers type it.
    #[arg(short, long, hide = true, conflicts_with = "no_follow")]
    pub(crate) follow: bool,
    /// The last lines of what is there: a number or `all`; 200, or with `--since` all.
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<String>,
    /// Nothing older: an age, a date or a time.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Only messages that match a regular expression; `(?i)` before it: in any case.
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) grep: Option<String>,
    /// Each line's time before it.
    #[arg(long)]
    pub(crate) timestamps: bool,
}

/// Whose snapshots.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  svc list-backups local paperless")]
pub(crate) struct ListBackupsArgs {
    /// The repository.
    #[arg(value_name = "REPO", add = complete::repositories())]
    pub(crate) repository: String,
    /// The service.
    #[arg(value_name = "SVC", add = complete::services())]
    pub(crate) service: String,
}

/// How what stands.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc status                 all services; exit 0 only if nobody is needed
  svc status paperless       all that is known of one
  svc status --cached        from svc's own files, asking nobody")]
pub(crate) struct StatusArgs {
    /// One service in full; none: all, one line for each repository.
    #[arg(value_name = "SVC")]
    pub(crate) service: Option<String>,
    /// Ask neither systemd nor Docker.
    #[arg(long)]
    pub(crate) cached: bool,
}

/// What a run's unit hands over.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExecuteArgs {
    /// The run's directory.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// Which runs that died.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc recover                all that died, or could not bring everything back
  svc recover 20261120T0900-4711")]
pub(crate) struct RecoverArgs {
    /// The id of a run; none: all.
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Only the data, which must be old or new before anything uses it; at boot, before Docker starts.
    #[arg(long)]
    pub(crate) data: bool,
}

/// What to do with the configuration.
#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

/// The verbs of `svc config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Name every problem of the configuration, with its place.
    #[command(after_help = "Example:\n  svc config check -c ./services.json")]
    Check,
    /// Show the configuration as it counts, each value with where it comes from; `-v` shows also what is unset.
    #[command(after_help = "Examples:\n  svc config show\n  svc config show --json | jq .config.host")]
    Show,
    /// Print the JSON Schema of services.json.
    #[command(after_help = "Example:\n  svc config schema > services.schema.json")]
    Schema,
}

/// For which shell.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  source <(svc completions bash)                                      now, in bash
  svc completions zsh > /usr/local/share/zsh/site-functions/_svc      for good, in zsh
  svc completions fish > ~/.config/fish/completions/svc.fish          for good, in fish")]
pub(crate) struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: String,
}

/// Where the pages go.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc man | man -l -
  svc man /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The directory that takes all pages.
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
}
