//! The signals that people and systemd send.

use std::io;

use svc_core::code::Code;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// INT, TERM and HUP, as the exit codes that they stand for.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes them over from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Ends at the next one, whichever it is.
    pub(crate) async fn any() {
        match Self::listen() {
            Ok(mut signals) => _ = signals.next().await,
            Err(_) => std::future::pending().await,
        }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Code {
        tokio::select! {
            _ = self.interrupt.recv() => Code::Interrupted,
            _ = self.terminate.recv() => Code::Terminated,
            _ = self.hangup.recv() => Code::Hangup,
        }
    }
}
