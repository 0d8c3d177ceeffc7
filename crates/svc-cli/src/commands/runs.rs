//! `svc runs`.

use std::io;

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::history::{self, Fate, RunSummary, RunWordError};
use svc_core::names::RunId;
use svc_core::run_log;

use crate::args::RunsArgs;
use crate::context::{Context, sudo_line};
use crate::documents::RunDocument;
use crate::render;
use crate::run::{document, write_out};

/// Lists runs, newest first, or shows one.
pub(crate) fn run(context: &Context, args: &RunsArgs) -> Result<Code, Failure> {
    let directory = context.scope.runs_dir();
    let failed = |error: io::Error| unreadable(&directory, &error);
    let runs = history::runs(&directory).map_err(failed)?;
    let text = if let Some(word) = &args.run {
        one(context, history::choose(&runs, word).map_err(|error| unnamed(&error))?)?
    } else {
        // One that is removed meanwhile is left out.
        let seen = runs.iter().take(args.limit).filter_map(|run| history::summary(&directory, run).ok());
        let seen: Vec<RunSummary> = seen.collect();
        if context.global.json {
            document(&seen)?
        } else {
            render::run_table(&seen, Timestamp::now(), context.choice().look())
        }
    };
    write_out(&text).map(|()| Code::Ok)
}

fn one(context: &Context, run: &RunId) -> Result<String, Failure> {
    let directory = context.scope.runs_dir();
    let failed = |error: io::Error| unreadable(&directory, &error);
    let summary = history::summary(&directory, run).map_err(failed)?;
    let events = run_log::read(&history::log(&directory, run)).map_err(failed)?;
    if context.global.json {
        return document(&RunDocument { summary: &summary, events: &events });
    }
    let left = if summary.fate == Fate::Crashed { history::cut_off(run, &events) } else { Vec::new() };
    Ok(render::past_run(&summary, &events, &left, context.choice().look()))
}

pub(super) fn unnamed(error: &RunWordError) -> Failure {
    Failure::from_error(Code::Usage, error).hint("svc runs")
}

pub(super) fn unreadable(directory: &std::path::Path, error: &io::Error) -> Failure {
    let message = format!("the runs in `{}` cannot be read", directory.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::new(Code::Permission, message).because(error.to_string()).hint(sudo_line())
        }
        _ => Failure::new(Code::Failed, message).because(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_not_for_this_user_are_for_root_by_the_very_line_that_was_typed() {
        let closed = unreadable("/r".as_ref(), &io::ErrorKind::PermissionDenied.into());
        assert_eq!((closed.code, closed.hint), (Code::Permission, Some(sudo_line())));
        let gone = unreadable("/r".as_ref(), &io::ErrorKind::TimedOut.into());
        assert_eq!((gone.code, gone.hint), (Code::Failed, None));
    }
}
