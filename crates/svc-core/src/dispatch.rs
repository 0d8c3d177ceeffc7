//! The one loop that joins a run, its events, signals and ticks.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::event::Event;
use crate::renderer::Renderer;

const TICK: Duration = Duration::from_millis(100);

/// Shows a run until it ends; what shows it may be lost, the run is not.
pub async fn dispatch<R>(
    run: impl Future<Output = R>,
    mut events: mpsc::UnboundedReceiver<Event>,
    mut renderers: Vec<Box<dyn Renderer>>,
    now: fn() -> Timestamp,
) -> R {
    tokio::pin!(run);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let result = loop {
        let live = renderers.iter().any(|renderer| renderer.is_live());
        tokio::select! {
            result = &mut run => break result,
            Some(event) = events.recv() => renderers.retain_mut(|renderer| renderer.render(&event).is_ok()),
            _ = ticks.tick(), if live => renderers.retain_mut(|renderer| renderer.tick(now()).is_ok()),
        }
    };
    // The run holds the only recorder: once it is over the channel ends.
    while let Some(event) = events.recv().await {
        renderers.retain_mut(|renderer| renderer.render(&event).is_ok());
    }
    renderers.retain_mut(|renderer| renderer.finish().is_ok());
    result
}
