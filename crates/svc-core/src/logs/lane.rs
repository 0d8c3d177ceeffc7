//! The way from a source to the mixer: in order, and only as much at a time as the mixer has room for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::LogLine;
use crate::failure::Failure;

/// How many bytes of a source may wait in the mixer.
const CREDIT: u32 = 1024 * 1024;
/// What a line costs beside its text.
const LINE: usize = 128;

/// What the mixer hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// A new source; not live: its past comes first.
    Opened { live: bool },
    /// Lines of a source, and the credit they use up.
    Lines(Vec<LogLine>, OwnedSemaphorePermit),
    /// The past has been told.
    Live,
    /// A source, or what looks for sources, has something to say.
    Note(Failure),
    /// Nothing more comes.
    Ended,
}

/// The mixer's end.
pub(super) type Hearing = mpsc::UnboundedReceiver<(usize, Heard)>;

/// The mixer is gone: there is no reader any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Opens lanes. The mixer goes on as long as there is one of these, or a lane.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    next: Arc<AtomicUsize>,
    said: mpsc::UnboundedSender<(usize, Heard)>,
}

/// One source's way to the mixer. Dropped, the source has ended.
#[derive(Debug)]
pub(super) struct Lane {
    id: usize,
    // Unbounded, because the credit bounds it.
    said: mpsc::UnboundedSender<(usize, Heard)>,
    credit: Arc<Semaphore>,
}

impl Lanes {
    /// The beginning, and the mixer's end.
    pub(super) fn new() -> (Self, Hearing) {
        let (said, heard) = mpsc::unbounded_channel();
        (Self { next: Arc::default(), said }, heard)
    }

    /// One more lane.
    pub(super) fn open(&self, live: bool) -> Lane {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let credit = Arc::new(Semaphore::new(CREDIT as usize));
        let lane = Lane { id, said: self.said.clone(), credit };
        // When the mixer is gone, the first lines find out.
        let _ = lane.say(Heard::Opened { live });
        lane
    }

    /// Tells the reader something.
    pub(super) fn note(&self, failure: Failure) {
        let _ = self.said.send((usize::MAX, Heard::Note(failure)));
    }

    /// Completes when the mixer is gone.
    pub(super) async fn closed(&self) {
        self.said.closed().await;
    }
}

impl Lane {
    /// Hands on the next lines; waits until there is room for them.
    pub(super) async fn send(&self, lines: Vec<LogLine>) -> Result<(), Gone> {
        if lines.is_empty() {
            return Ok(());
        }
        let cost: usize = lines.iter().map(|line| line.message.len() + LINE).sum();
        let cost = u32::try_from(cost).unwrap_or(CREDIT).min(CREDIT);
        let permit = Arc::clone(&self.credit).acquire_many_owned(cost).await.map_err(|_| Gone)?;
        self.say(Heard::Lines(lines, permit))
    }

    /// The past has been told.
    pub(super) fn live(&self) -> Result<(), Gone> {
        self.say(Heard::Live)
    }

    /// Tells the reader why the source cannot be read.
    pub(super) fn note(&self, failure: Failure) {
        let _ = self.say(Heard::Note(failure));
    }

    fn say(&self, heard: Heard) -> Result<(), Gone> {
        self.said.send((self.id, heard)).map_err(|_| Gone)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.say(Heard::Ended);
    }
}
