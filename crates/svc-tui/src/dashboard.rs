//! The first live screen: every service, its state and its backups, as they are now.

mod keys;
mod model;
mod update;
mod view;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use svc_core::overview::Overview;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::terminal::{self, Screen};
use model::Model;
use update::{Msg, Request, update};

/// Ages on the screen have seconds at their finest.
const TICK: Duration = Duration::from_secs(1);
/// How soon it is noticed that the terminal is gone.
const PULSE: Duration = Duration::from_millis(100);

/// Shows what comes through the channel until somebody leaves, a signal ends it, or the terminal goes away.
///
/// # Errors
/// When there is no terminal, or it cannot be drawn on.
pub async fn run(mut overviews: mpsc::Receiver<Overview>) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let mut keyboard = terminal::listen()?;
    let (mut ticks, mut pulse) = (every(TICK), every(PULSE));
    let mut model = Model::new(crossterm::terminal::size()?, TimeZone::system(), Timestamp::now());
    loop {
        if std::mem::take(&mut model.changed) {
            match screen.draw(|frame| view::draw(frame, &model)) {
                Err(_) if !terminal::is_there() => return Ok(()),
                drawn => drawn?,
            }
        }
        let msg = tokio::select! {
            Some(overview) = overviews.recv() => Msg::Overview(overview),
            event = keyboard.recv() => match event {
                Some(event) => Msg::Terminal(event),
                None => return Ok(()),
            },
            _ = ticks.tick() => Msg::Tick(Timestamp::now()),
            _ = pulse.tick() => if terminal::is_there() { continue } else { return Ok(()) },
            () = signals.any() => return Ok(()),
        };
        if update(&mut model, msg) == Some(Request::Quit) {
            return Ok(());
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

/// The signals that end the screen; without them it would not be given back.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
