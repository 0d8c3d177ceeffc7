//! `svc completions`.

use std::io::Write;

use clap_complete::env::Shells;
use svc_core::code::Code;
use svc_core::failure::Failure;

use crate::args::CompletionsArgs;
use crate::run::write_out;

/// Prints what makes a shell ask svc at TAB.
pub(crate) fn run(args: &CompletionsArgs) -> Result<Code, Failure> {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        let failure =
            Failure::new(Code::Usage, format!("`{}` is no shell that svc knows", args.shell.escape_debug()));
        let known: Vec<&str> = shells.names().collect();
        return Err(failure.hint(format!("one of: {}", known.join(", "))));
    };
    let mut script = Vec::new();
    let written = shell.write_registration("COMPLETE", "svc", "svc", "svc", &mut script as &mut dyn Write);
    written.map_err(|error| Failure::from_error(Code::Internal, &error))?;
    write_out(&String::from_utf8_lossy(&script)).map(|()| Code::Ok)
}
