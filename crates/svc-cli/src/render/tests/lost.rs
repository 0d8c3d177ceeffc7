use std::future::{pending, ready};
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as gate};
use std::time::Duration;

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;
use svc_core::dispatch::dispatch;
use svc_core::event::Event;
use svc_core::renderer::Renderer;
use tokio::sync::mpsc;

use super::{Paper, backup};
use crate::render::Look;
use crate::render::json::Json;
use crate::render::plain::Plain;
use crate::render::pretty::{Bars, Pretty};

/// A pipe whose reader goes away after the first write.
#[derive(Debug, Clone, Default)]
struct Head(Arc<AtomicUsize>);

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(bytes.len())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells a whole run, event by event.
async fn tell_all(events: &mpsc::UnboundedSender<Event>) {
    for event in backup() {
        events.send(event).unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_broken_pipe_drops_its_renderer_and_the_run_goes_on() {
    let (events, seen) = mpsc::unbounded_channel();
    let (head, paper) = (Head::default(), Paper::default());
    let run = async move {
        tell_all(&events).await;
        "done"
    };
    let look = Look { width: 80, colour: false, glyphs: true };
    let bars = Bars::new(ProgressDrawTarget::hidden(), false, || 80);
    let renderers: Vec<Box<dyn Renderer>> = vec![
        Box::new(Plain::new(head.clone(), 80)),
        Box::new(Pretty::new(Some(Head::default()), look, bars)),
        Box::new(Json::new(Head::default())),
        Box::new(Json::new(paper.clone())),
    ];
    assert_eq!(dispatch(run, seen, renderers, || Timestamp::UNIX_EPOCH, pending()).await, "done");
    assert_eq!(
        head.0.load(Ordering::Relaxed),
        2,
        "nothing is written to a pipe once it is known to be broken"
    );
    assert_eq!(paper.text().lines().count(), backup().len(), "the other one has seen the whole run");
}

/// A terminal that stands still until it is told to go on.
struct Still {
    go_on: gate::Receiver<()>,
    in_vain: Arc<AtomicUsize>,
}

impl Write for Still {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once in vain is enough: at each line anew would be for minutes.
        let waits = self.in_vain.load(Ordering::Relaxed) == 0;
        if waits && self.go_on.recv_timeout(Duration::from_secs(10)) == Err(gate::RecvTimeoutError::Timeout) {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_run_that_is_over_waits_for_nobody_who_was_told_to_end() {
    let (events, seen) = mpsc::unbounded_channel();
    let (tell, go_on) = gate::channel();
    let in_vain = Arc::new(AtomicUsize::new(0));
    let run = async move { tell_all(&events).await };
    let still: Vec<Box<dyn Renderer>> =
        vec![Box::new(Json::new(Still { go_on, in_vain: Arc::clone(&in_vain) }))];
    dispatch(run, seen, still, || Timestamp::UNIX_EPOCH, ready(())).await;
    assert!(tell.send(()).is_ok() && in_vain.load(Ordering::Relaxed) == 0, "it waited until all was shown");
}

#[tokio::test]
async fn a_terminal_that_stands_still_holds_no_run_up() {
    let (events, seen) = mpsc::unbounded_channel();
    let (tell, go_on) = gate::channel();
    let in_vain = Arc::new(AtomicUsize::new(0));
    let run = async move {
        tell_all(&events).await;
        // Whoever shows it has not come beyond its first line.
        tell.send(()).unwrap();
    };
    let still = Still { go_on, in_vain: Arc::clone(&in_vain) };
    dispatch(run, seen, vec![Box::new(Json::new(still))], || Timestamp::UNIX_EPOCH, pending()).await;
    assert_eq!(in_vain.load(Ordering::Relaxed), 0);
}
