//! `svc tui`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::overview::{Overview, overview};
use tokio::sync::mpsc;

use crate::context::Context;

/// Between two looks at everything.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Shows the services on one live screen until it is left.
pub(crate) async fn run(context: &Context) -> Result<Code, Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let failure = Failure::new(Code::Usage, "the live screen needs a terminal");
        return Err(failure.because("stdin or stdout is none").hint("svc list"));
    }
    let (sender, overviews) = mpsc::channel(1);
    let screen = svc_tui::run(overviews);
    let ended = tokio::select! {
        ended = screen => ended,
        () = look(context, sender) => Ok(()),
    };
    let failed =
        |error: io::Error| Failure::new(Code::Internal, "the screen failed").because(error.to_string());
    ended.map(|()| Code::Ok).map_err(failed)
}

/// Looks again and again; ends when nobody takes what was seen.
async fn look(context: &Context, sender: mpsc::Sender<Overview>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let seen = overview(&context.config, &context.scope, &context.outside, Timestamp::now()).await;
        if sender.send(seen).await.is_err() {
            return;
        }
    }
}
