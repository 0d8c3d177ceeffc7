//! The one place where an end becomes messages and an exit code.

use std::io::Write;
use std::process::ExitCode;

use svc_core::code::Code;
use svc_core::failure::Failure;

use crate::args::Output;
use crate::context::sudo_line;
use crate::documents::ErrorDocument;
use crate::render::{RenderChoice, failure_text};

/// Shows a failure, if there is one, and gives the exit code.
pub(crate) fn code(output: Output, ended: Result<Code, Failure>) -> ExitCode {
    let code = match ended {
        Ok(code) => code,
        Err(failure) => {
            let failure = if is_for_root(&failure) { failure.hint(sudo_line()) } else { failure };
            // A reader that is gone changes nothing about the code.
            let _ = show(output, &failure);
            failure.code
        }
    };
    ExitCode::from(code.number())
}

/// Whether root could do what this user may not, and nothing better is known.
fn is_for_root(failure: &Failure) -> bool {
    failure.code == Code::Permission && failure.hint.is_none() && !rustix::process::geteuid().is_root()
}

fn show(output: Output, failure: &Failure) -> std::io::Result<()> {
    if output.json {
        let document = serde_json::to_string(&ErrorDocument { error: failure, problems: None })?;
        writeln!(std::io::stdout(), "{document}")?;
    }
    write!(std::io::stderr(), "{}", failure_text(failure, RenderChoice::detect(output).colour_on_stderr()))
}
