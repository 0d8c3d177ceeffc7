//! `svc`: runs a homeserver's services and guards their data.

mod args;
mod barrier;
mod commands;
mod complete;
mod context;
mod documents;
mod exit;
mod line;
mod memory;
mod recovery;
mod render;
mod run;
mod signals;
mod unit;
mod waiting;

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::CompleteEnv;

fn main() -> ExitCode {
    CompleteEnv::with_factory(args::Args::command).complete();
    let args = match line::parse() {
        Ok(args) => args,
        Err(ended) => return ended,
    };
    let output = args.global.output();
    let ended = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        svc_core::failure::Failure::new(svc_core::code::Code::Internal, "no runtime")
            .because(error.to_string())
    });
    let ended = ended.and_then(|runtime| {
        let ended = runtime.block_on(commands::run(args));
        // A thread that looks at a file system which never answers is not waited for.
        runtime.shutdown_background();
        ended
    });
    exit::code(output, ended)
}
