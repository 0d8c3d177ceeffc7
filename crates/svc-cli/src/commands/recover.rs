//! `svc recover`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::history;
use svc_core::names::RunId;
use svc_core::standing::{is_unfinished, unfinished};

use super::runs::{unnamed, unreadable};
use crate::args::RecoverArgs;
use crate::context::Context;
use crate::documents::NothingOwedDocument;
use crate::recovery;
use crate::render;
use crate::run::{document, say, write_out};

/// Brings the data of these runs to one side; a failure of one does not keep the others from it.
async fn data(context: &Context, runs: &[RunId]) -> Result<Code, Failure> {
    let mut result = Ok(Code::Ok);
    for run in runs {
        let settled = recovery::data(context, run).await;
        result = result.and_then(|code| settled.map(|()| code));
    }
    result
}

/// Does what runs that died owe; one that is named, or all.
pub(crate) async fn run(context: &Context, args: &RecoverArgs) -> Result<Code, Failure> {
    context.require_root("recover")?;
    let directory = context.scope.runs_dir();
    let unreadable = |error: std::io::Error| unreadable(&directory, &error);
    let runs = match &args.run {
        Some(word) => {
            let all = history::runs(&directory).map_err(unreadable)?;
            let run = history::choose(&all, word).map_err(|error| unnamed(&error))?;
            Some(run.clone()).filter(|run| is_unfinished(&directory, run)).into_iter().collect()
        }
        None => unfinished(&directory, true).map_err(unreadable)?,
    };
    if runs.is_empty() {
        let nothing = "Nothing to recover: every run came to its end.\n".to_owned();
        let json = context.global.json;
        write_out(&if json { document(&NothingOwedDocument::default())? } else { nothing })?;
    }
    if args.data {
        return data(context, &runs).await;
    }
    let mut result = Ok(Code::Ok);
    for run in &runs {
        let done = one(context, run).await;
        // What of several failures is not the result is said at once.
        result = match (result, done) {
            (Ok(worst), Ok(code)) => Ok(Code::worst([worst, code])),
            (Ok(_), Err(failure)) => Err(failure),
            (Err(first), Ok(code)) => Err(Failure { code: Code::worst([first.code, code]), ..first }),
            (Err(first), Err(failure)) => {
                say(&format!("warning: {}\n", failure.message));
                Err(Failure { code: Code::worst([first.code, failure.code]), ..first })
            }
        };
    }
    recovery::remove_copies(context).await;
    result
}

/// Does what one run owes; what keeps it from that keeps no other from its own.
async fn one(context: &Context, run: &RunId) -> Result<Code, Failure> {
    let Some((goal, report)) = recovery::one(context, run).await? else { return Ok(Code::Ok) };
    if !context.global.json {
        say(&render::messages(&report, &goal, context.choice().colour_on_stderr()));
    }
    // What was owed is paid: that is what was asked for, whatever became of the run itself.
    Ok(if report.code == Code::NotResumed { Code::NotResumed } else { Code::Ok })
}
