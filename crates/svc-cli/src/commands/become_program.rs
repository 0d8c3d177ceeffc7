//! `svc become`: restic sees frozen copies at their original paths and steps back for others; nobody types it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::freeze::{Bind, enter};

/// What this process is to be like, and what to become.
#[derive(Debug, clap::Args)]
pub(crate) struct BecomeArgs {
    /// A copy, and the path that it is seen at.
    #[arg(long, num_args = 2, value_names = ["COPY", "PATH"])]
    bind: Vec<PathBuf>,
    /// How much it steps back for others that want to compute.
    #[arg(long)]
    nice: Option<i32>,
    /// A class of reading and writing, as `ionice` names it.
    #[arg(long, requires = "io_priority")]
    io_class: Option<String>,
    /// Its place in that class.
    #[arg(long)]
    io_priority: Option<u8>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// Prepares this process and becomes the program: whoever started it watches and signals the same process as before.
pub(crate) fn run(args: &BecomeArgs) -> Result<Code, Failure> {
    let (pairs, _) = args.bind.as_chunks::<2>();
    let bind = |[from, to]: &[PathBuf; 2]| Bind { from: from.clone(), to: to.clone() };
    let binds: Vec<Bind> = pairs.iter().map(bind).collect();
    if !binds.is_empty() {
        enter(&binds).map_err(|error| Failure::from_error(Code::Failed, &error))?;
    }
    step_back(args);
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Code::Usage, "there is nothing to become"));
    };
    // Comes back only when it failed.
    let error = Command::new(program).args(arguments).exec();
    let message = format!("`{}` cannot be started", program.to_string_lossy());
    Err(Failure::new(Code::Failed, message).because(error.to_string()))
}

/// Steps back as far as it may: a backup that does not is better than none.
fn step_back(args: &BecomeArgs) {
    if let Some(nice) = args.nice {
        // Refused only to somebody who steps back further already and is not root.
        let _ = rustix::process::setpriority_process(None, nice);
    }
    if let (Some(class), Some(priority)) = (&args.io_class, args.io_priority) {
        let mut ionice = Command::new("ionice");
        ionice.args(["-c", class, "-n", &priority.to_string(), "-p", &std::process::id().to_string()]);
        // Of this process's variables it gets no other: some are secret.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let quiet = ionice.env_clear().env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null());
        let _ = quiet.stderr(Stdio::null()).status();
    }
}
