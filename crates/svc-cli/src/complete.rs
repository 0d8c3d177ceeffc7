//! What the shell offers at TAB: services, repositories and snapshots, as they are now.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use jiff::Timestamp;
use svc_core::config::Config;
use svc_core::plan::snapshots_of;
use svc_core::restic::Snapshot;
use svc_tui::figures;

use crate::args::{Args, GlobalArgs};
use crate::context::{Context, scope, try_read};

/// Somebody waits at a prompt: after this, no snapshots are offered. `latest` and times can be typed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Offers repositories, also after a comma.
pub(crate) fn repositories() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(config) = config() else { return Vec::new() };
        let current = current.to_string_lossy();
        let (before, _) = current.rsplit_once(',').map_or(("", ""), |(before, last)| (before, last));
        let prefix = if before.is_empty() { String::new() } else { format!("{before},") };
        let names = config.repositories.keys().map(|name| format!("{prefix}{name}"));
        starting_with(&current, names.chain(["all".to_owned()]).map(CompletionCandidate::new))
    })
}

/// Offers services with their descriptions.
pub(crate) fn services() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(config) = config() else { return Vec::new() };
        let one = |service: &svc_core::config::Service| {
            let help = service.description.clone().map(Into::into);
            CompletionCandidate::new(service.name.as_str()).help(help)
        };
        let all = std::iter::once(CompletionCandidate::new("all"));
        starting_with(&current.to_string_lossy(), config.services.values().map(one).chain(all))
    })
}

/// Offers `latest` and the ids of the snapshots of the service on the line, with age and size.
pub(crate) fn snapshots() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let latest = CompletionCandidate::new("latest").help(Some("the newest good one".into()));
        let now = Timestamp::now();
        let found = known_snapshots().unwrap_or_default();
        let one = |(place, snapshot): (usize, &Snapshot)| {
            let size = snapshot.counts.map(|counts| figures::bytes(counts.bytes)).unwrap_or_default();
            let help = format!("{} {size}", figures::age(snapshot.time, now));
            CompletionCandidate::new(snapshot.id.short())
                .help(Some(help.into()))
                .display_order(Some(place + 1))
        };
        let ids = found.iter().rev().enumerate().map(one);
        starting_with(&current.to_string_lossy(), std::iter::once(latest.display_order(Some(0))).chain(ids))
    })
}

fn starting_with(current: &str, all: impl Iterator<Item = CompletionCandidate>) -> Vec<CompletionCandidate> {
    all.filter(|candidate| candidate.get_value().to_string_lossy().starts_with(current)).collect()
}

/// The line so far: what stands behind `--` when the shell asks. Half a line is none of clap's errors.
fn line() -> ArgMatches {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    Args::command().ignore_errors(true).get_matches_from(words)
}

fn global(line: &ArgMatches) -> Option<GlobalArgs> {
    // Options are global, so the innermost verb has them all.
    let innermost = std::iter::successors(Some(line), |at| at.subcommand().map(|(_, inner)| inner)).last()?;
    GlobalArgs::from_arg_matches(innermost).or_else(|_| GlobalArgs::from_arg_matches(line)).ok()
}

fn config() -> Option<Config> {
    try_read(&scope(&global(&line())?).ok()?).ok()
}

/// The service's snapshots, oldest first; nothing where restic does not answer in time.
fn known_snapshots() -> Option<Vec<Snapshot>> {
    let line = line();
    let (_, verb) = line.subcommand()?;
    let word = |id: &str| verb.try_get_one::<String>(id).ok().flatten().cloned();
    let (repository, service) = (word("repository")?, word("service")?);
    let context = Context::load(global(&line)?).ok()?;
    let (repository, _) = context.config.repository(&repository).ok()?;
    let service = context.config.service(&service).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let all = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, context.outside.restic.snapshots(repository)).await.ok()?.ok()
    })?;
    Some(snapshots_of(&all, service).cloned().collect())
}
