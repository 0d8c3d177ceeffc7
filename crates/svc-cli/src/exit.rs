//! The one place where an end becomes messages and an exit code.

use std::io::Write;
use std::process::ExitCode;

use svc_core::code::Code;
use svc_core::failure::Failure;

use crate::args::Output;
use crate::context::{again_line, sudo_line};
use crate::documents::ErrorDocument;
use crate::render::{RenderChoice, failure_text};

/// Shows a failure, if there is one, and gives the exit code.
pub(crate) fn code(output: Output, ended: Result<Code, Failure>) -> ExitCode {
    let code = match ended {
        Ok(code) => code,
        Err(failure) => {
            let failure = with_next(failure);
            // A reader that is gone changes nothing about the code.
            let _ = show(output, &failure);
            failure.code
        }
    };
    ExitCode::from(code.number())
}

/// The failure with what to type next, also where nothing better is known.
fn with_next(failure: Failure) -> Failure {
    let is_root = rustix::process::geteuid().is_root();
    match failure.code {
        _ if failure.hint.is_some() => failure,
        Code::Permission if !is_root => failure.hint(sudo_line()),
        Code::Usage => failure.hint("svc --help"),
        // Whoever ended it knows why.
        Code::Hangup | Code::Interrupted | Code::Terminated => failure.hint(again_line()),
        _ => failure.hint("svc doctor"),
    }
}

fn show(output: Output, failure: &Failure) -> std::io::Result<()> {
    if output.json {
        let document = serde_json::to_string(&ErrorDocument { error: failure, problems: None })?;
        writeln!(std::io::stdout(), "{document}")?;
    }
    write!(std::io::stderr(), "{}", failure_text(failure, RenderChoice::detect(output).colour_on_stderr()))
}
