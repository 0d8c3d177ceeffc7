//! What joins a run and those who show it.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::event::Event;
use crate::renderer::Renderer;

const TICK: Duration = Duration::from_millis(100);
/// Somebody may read a pager that long; what nobody reads for longer is no reason to stay.
const LINGER: Duration = Duration::from_mins(10);

/// Shows a run until it ends; what shows it may be lost, the run is not. They have a thread of their own: a terminal that was
/// told to stand still, or a pipe that nobody reads, must not hold up what is to start services again. A run that is over
/// waits until all of it is shown, or until `enough` ends.
pub async fn dispatch<R>(
    run: impl Future<Output = R>,
    events: mpsc::UnboundedReceiver<Event>,
    renderers: Vec<Box<dyn Renderer>>,
    now: fn() -> Timestamp,
    enough: impl Future<Output = ()>,
) -> R {
    let (end, shown) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let work = move || {
        runtime.block_on(show(events, renderers, now));
        drop(end);
    };
    // Where there is no thread to be had nothing is shown.
    let _ = thread::Builder::new().name("show".to_owned()).spawn(work);
    let result = run.await;
    // The run held the only recorder: it is over, and so is the channel.
    tokio::select! {
        _ = shown => {}
        () = enough => {}
        () = sleep(LINGER) => {}
    }
    result
}

async fn show(
    mut events: mpsc::UnboundedReceiver<Event>,
    mut renderers: Vec<Box<dyn Renderer>>,
    now: fn() -> Timestamp,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let live = renderers.iter().any(|renderer| renderer.is_live());
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => renderers.retain_mut(|renderer| renderer.render(&event).is_ok()),
                None => break,
            },
            _ = ticks.tick(), if live => renderers.retain_mut(|renderer| renderer.tick(now()).is_ok()),
        }
    }
    renderers.retain_mut(|renderer| renderer.finish().is_ok());
}
