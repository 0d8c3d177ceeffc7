//! The one place where events get their number and date, go to disk, and from there to the renderers.

use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::event::{Body, Event};
use crate::names::RunId;
use crate::run_log::{RunLog, RunLogError};

/// Takes events from any task; cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    inbox: mpsc::UnboundedSender<Message>,
}

#[derive(Debug)]
struct Message {
    body: Body,
    written: Option<oneshot::Sender<Result<(), RunLogError>>>,
}

/// The thread that writes: the disk's slowness is nobody else's. Ends when the last `Recorder` is gone.
#[derive(Debug)]
pub struct RecorderThread(JoinHandle<()>);

impl RecorderThread {
    /// Waits until everything is written. Drop every `Recorder` first.
    pub fn join(self) {
        // A panic of the thread would have shown as an error of every announcement.
        let _ = self.0.join();
    }
}

/// Shortest time between two lines of progress in the log.
const PROGRESS_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);

impl Recorder {
    /// Starts to record into `log`; each event goes on to `events` once it is written.
    #[must_use]
    pub fn start(
        run: RunId,
        log: RunLog,
        now: fn() -> Timestamp,
        events: mpsc::UnboundedSender<Event>,
    ) -> (Self, RecorderThread) {
        Self::go_on(run, log, 0, now, events)
    }

    /// The same in the log of a run that died, whose next event has this number.
    #[must_use]
    pub fn go_on(
        run: RunId,
        log: RunLog,
        seq: u64,
        now: fn() -> Timestamp,
        events: mpsc::UnboundedSender<Event>,
    ) -> (Self, RecorderThread) {
        let (inbox, messages) = mpsc::unbounded_channel();
        let desk = Desk { run, log, now, events, seq, last_progress: None };
        let thread = std::thread::spawn(move || desk.work(messages));
        (Self { inbox }, RecorderThread(thread))
    }

    /// Records something that has happened.
    pub fn tell(&self, body: Body) {
        // When the thread is gone the next announcement says so; news of the past has no reader then.
        let _ = self.inbox.send(Message { body, written: None });
    }

    /// Records something that is about to happen, and returns when it is written.
    ///
    /// # Errors
    /// When it could not be: then it must not happen.
    pub async fn announce(&self, body: Body) -> Result<(), RunLogError> {
        let (written, answer) = oneshot::channel();
        let _ = self.inbox.send(Message { body, written: Some(written) });
        // Awaited as blocking work, so that a paused clock of a test stands still meanwhile.
        let answer = tokio::task::spawn_blocking(move || answer.blocking_recv()).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(|| {
            let source = std::io::Error::other("the recorder is gone");
            Err(RunLogError { path: "log.jsonl".into(), source })
        })
    }
}

struct Desk {
    run: RunId,
    log: RunLog,
    now: fn() -> Timestamp,
    events: mpsc::UnboundedSender<Event>,
    seq: u64,
    last_progress: Option<Timestamp>,
}

impl Desk {
    fn work(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        while let Some(Message { body, written }) = messages.blocking_recv() {
            let event = Event { seq: self.seq, at: (self.now)(), run: self.run.clone(), body };
            let result = if self.is_logged(&event) { self.log.append(&event) } else { Ok(()) };
            self.seq += 1;
            // Nobody may be watching.
            let _ = self.events.send(event);
            if let Some(written) = written {
                let _ = written.send(result);
            }
        }
    }

    fn is_logged(&mut self, event: &Event) -> bool {
        if !matches!(event.body, Body::Progress { .. }) {
            return true;
        }
        // A clock that was set back must not silence the progress until it has caught up.
        let due = self.last_progress.is_none_or(|last| event.at.duration_since(last).abs() >= PROGRESS_EVERY);
        if due {
            self.last_progress = Some(event.at);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::Progress;

    fn epoch() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn note(text: &str) -> Body {
        Body::Note { service: None, text: text.to_owned() }
    }

    #[tokio::test]
    async fn events_are_numbered_in_one_place_and_announcements_are_on_disk() {
        let runs = tempfile::tempdir().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let log = RunLog::create(runs.path(), &run).unwrap();
        let path = log.path().to_path_buf();
        let (events, mut seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run, log, epoch, events);
        recorder.tell(note("a"));
        recorder.announce(note("b")).await.unwrap();
        assert_eq!(crate::run_log::read(&path).unwrap().len(), 2);
        drop(recorder);
        thread.join();
        let numbers: Vec<u64> = std::iter::from_fn(|| seen.try_recv().ok()).map(|event| event.seq).collect();
        assert_eq!(numbers, [0, 1]);
    }

    #[tokio::test]
    async fn progress_is_shown_always_and_logged_twice_a_second_at_most() {
        let runs = tempfile::tempdir().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let log = RunLog::create(runs.path(), &run).unwrap();
        let path = log.path().to_path_buf();
        let (events, mut seen) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run, log, epoch, events);
        for _ in 0..10 {
            recorder.tell(Body::Progress {
                service: "a".parse().unwrap(),
                repository: "local".parse().unwrap(),
                progress: Progress::default(),
            });
        }
        drop(recorder);
        thread.join();
        assert_eq!(std::iter::from_fn(|| seen.try_recv().ok()).count(), 10);
        assert_eq!(crate::run_log::read(&path).unwrap().len(), 1);
    }
}
