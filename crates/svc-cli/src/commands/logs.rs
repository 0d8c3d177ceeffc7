//! `svc logs`.

use std::future::pending;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::thread;

use jiff::{Timestamp, Zoned};
use regex::Regex;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::logs::{self, Journal, LogRequest, Sources, Systems, Told};
use svc_core::observe::parts;
use svc_core::scope::ScopeKind;
use svc_core::when;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::usage;
use crate::args::LogsArgs;
use crate::context::{self, Context, sudo_line};
use crate::render::{LogText, next_line};
use crate::run::say;

/// How many lines of the past are shown if nobody says.
const TAIL: usize = 200;
/// How many portions wait for a slow reader.
const WAITING: usize = 2;

/// Shows what a service's units and containers write.
pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<Code, Failure> {
    let service = context.config.service(&args.service).map_err(|error| usage(&error.into()))?;
    let request = request(args, &Zoned::now())?;
    let seen = parts(&context.config, &context.outside, std::slice::from_ref(&service.name)).await;
    let sources = Sources::of(service, &seen.into_iter().next().unwrap_or_default());
    if sources.is_data_only() {
        say(&format!("`{}` has data only: no logs\n", service.name));
        return Ok(Code::Ok);
    }
    if sources.is_empty() && !request.follow {
        say(&format!("`{}` has neither units nor containers now: no logs\n", service.name));
    }
    let choice = context.choice();
    let text = LogText::new(&sources.all(), choice.look(), choice.colour_on_stderr(), args.timestamps);
    let (out, told) = mpsc::channel(WAITING);
    let written = write(told, text, context.global.json);
    let (program, path) = ("journalctl".into(), context::search_path());
    let journal = Journal { program, path, scope: context.scope.kind };
    let systems = Systems { docker: context.outside.docker.clone(), journal, now: Timestamp::now };
    let read = async {
        let code = logs::read(service, sources, &systems, &request, out).await;
        // What has been read is shown before this ends. The thread drops its end even when it fails.
        written.await.unwrap_or(Ok(())).map(|()| code)
    };
    tokio::select! {
        code = read => {
            if matches!(code, Ok(Code::Permission)) && context.scope.kind == ScopeKind::System {
                say(&next_line(&sudo_line(), choice.colour_on_stderr()));
            }
            code
        }
        code = signalled() => Ok(code),
        () = reader_gone() => Ok(Code::Ok),
    }
}

fn request(args: &LogsArgs, now: &Zoned) -> Result<LogRequest, Failure> {
    let wrong = |message: String, error: &dyn std::error::Error| {
        Failure::new(Code::Usage, message).because(error.to_string())
    };
    let since = args.since.as_deref().map(|word| when::since(word, now)).transpose().map_err(|error| {
        Failure::from_error(Code::Usage, &error)
            .hint("`2h`, `'2 days ago'`, `2026-11-01` or `'2026-11-01 08:30'`")
    })?;
    let grep = args.grep.as_deref().map(Regex::new).transpose().map_err(|error| {
        wrong("the pattern of `--grep` is no regular expression".to_owned(), &error)
            .hint("put a `\\` before a character that is meant as itself")
    })?;
    let tail = match args.tail.as_deref() {
        None => request_tail(since),
        Some("all") => None,
        Some(number) => Some(number.parse().map_err(|error: std::num::ParseIntError| {
            wrong(format!("`--tail {}` is no number of lines", number.escape_debug()), &error)
                .hint("a number, or `all`")
        })?),
    };
    Ok(LogRequest { since, tail, grep, follow: !args.no_follow })
}

/// Who says since when wants all of it.
fn request_tail(since: Option<Timestamp>) -> Option<usize> {
    since.is_none().then_some(TAIL)
}

/// Writes in a thread of its own: stdout may stand still as long as it likes, and signals are heeded all the same.
fn write(
    mut told: mpsc::Receiver<Vec<Told>>,
    mut text: LogText,
    json: bool,
) -> oneshot::Receiver<Result<(), Failure>> {
    let (done, written) = oneshot::channel();
    thread::spawn(move || {
        let mut write_all = || {
            while let Some(portion) = told.blocking_recv() {
                let (out, notes) = if json { text.json(&portion)? } else { text.lines(&portion) };
                // Nobody may be reading the notes.
                let _ = io::stderr().write_all(notes.as_bytes());
                io::stdout().write_all(out.as_bytes())?;
                io::stdout().flush()?;
            }
            Ok(())
        };
        let ended = match write_all() {
            // A reader that has seen enough is no failure.
            Err(error) if io::Error::kind(&error) != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Code::Internal, "stdout cannot be written").because(error.to_string()))
            }
            _ => Ok(()),
        };
        // Dropped before: svc ends.
        let _ = done.send(ended);
    });
    written
}

/// Completes when stdout's reader is gone, also while there is nothing to write.
async fn reader_gone() {
    // Only asked, never written to: the descriptor stays as it is.
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match stdout {
        Ok(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {}
        // A file has no reader.
        _ => pending().await,
    }
}

/// Completes with the code of the signal that ends this. Nothing has to be put back, so the first one does.
async fn signalled() -> Code {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return pending().await };
    tokio::select! {
        _ = interrupt.recv() => Code::Interrupted,
        _ = terminate.recv() => Code::Terminated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> LogsArgs {
        use clap::Parser as _;
        let line = ["svc", "logs", "notes"].iter().chain(words);
        match crate::args::Args::try_parse_from(line).unwrap().verb {
            Some(crate::args::Verb::Logs(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    fn asked(words: &[&str]) -> Result<LogRequest, Failure> {
        request(&args(words), &"2026-11-20T09:00:00[UTC]".parse().unwrap())
    }

    #[test]
    fn without_options_the_last_200_lines_are_shown_and_followed() {
        let plain = asked(&[]).unwrap();
        assert_eq!((plain.tail, plain.follow, plain.since), (Some(200), true, None));
        let old = asked(&["--no-follow", "--tail", "50", "--timestamps"]).unwrap();
        assert_eq!((old.tail, old.follow), (Some(50), false));
        assert!(asked(&["-f"]).unwrap().follow);
    }

    #[test]
    fn since_a_moment_means_all_of_it_unless_a_number_is_given() {
        let since = asked(&["--since", "2h"]).unwrap();
        assert_eq!((since.tail, since.since), (None, Some("2026-11-20T07:00:00Z".parse().unwrap())));
        assert_eq!(asked(&["--since", "2h", "--tail", "5"]).unwrap().tail, Some(5));
        assert_eq!(asked(&["--tail", "all"]).unwrap().tail, None);
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_usage() {
        for words in [["--since", "soon"], ["--grep", "a(b"], ["--tail", "many"], ["--tail", ""]] {
            let failure = asked(&words).unwrap_err();
            assert_eq!(failure.code, Code::Usage, "{words:?}");
            assert!(failure.hint.is_some(), "{failure:?}");
        }
    }
}
