//! `svc mount-exec`: how restic sees frozen copies at their original paths; nobody types it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::freeze::{Bind, enter};

/// Which copies, and what to become.
#[derive(Debug, clap::Args)]
pub(crate) struct MountExecArgs {
    /// A copy, and the path that it is seen at.
    #[arg(long, num_args = 2, value_names = ["COPY", "PATH"])]
    bind: Vec<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// Puts the copies over the original paths, for this process alone, and becomes the program: whoever started it watches
/// and signals the same process as before.
pub(crate) fn run(args: &MountExecArgs) -> Result<Code, Failure> {
    let (pairs, _) = args.bind.as_chunks::<2>();
    let bind = |[from, to]: &[PathBuf; 2]| Bind { from: from.clone(), to: to.clone() };
    let binds: Vec<Bind> = pairs.iter().map(bind).collect();
    enter(&binds).map_err(|error| Failure::from_error(Code::Failed, &error))?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Code::Usage, "there is nothing to become"));
    };
    // Comes back only when it failed.
    let error = Command::new(program).args(arguments).exec();
    let message = format!("`{}` cannot be started", program.to_string_lossy());
    Err(Failure::new(Code::Failed, message).because(error.to_string()))
}
