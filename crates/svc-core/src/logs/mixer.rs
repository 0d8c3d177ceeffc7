//! Where all lanes meet: merges them, keeps the tail of the past, searches, and hands on.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use regex::Regex;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::yield_now;
use tokio::time::sleep_until;

use super::lane::{Heard, Hearing};
use super::line::LogLine;
use super::merge::{Merge, Next};
use super::tail::Tail;
use super::{LogRequest, Told};
use crate::code::Code;

/// How many lines are handed on at once.
const PORTION: usize = 512;
/// How often tasks get their turn before time alone lets a line go: what has arrived must have come through.
const TURNS: usize = 4;

/// Merges what the lanes bring.
pub(super) struct Mixer {
    heard: Hearing,
    merge: Merge<Held>,
    /// While the past is read, and its end is all that is wanted.
    tail: Option<Tail<LogLine>>,
    grep: Option<Regex>,
    now: fn() -> Timestamp,
    out: mpsc::Sender<Vec<Told>>,
    portion: Vec<Told>,
    worst: Vec<Code>,
}

/// A line in the merge. The last one of its portion gives the credit back.
struct Held {
    line: LogLine,
    _credit: Option<OwnedSemaphorePermit>,
}

/// There is nothing more to do: all lanes have ended, or the reader is gone.
struct Over;

impl Mixer {
    pub(super) fn new(
        heard: Hearing,
        request: &LogRequest,
        now: fn() -> Timestamp,
        out: mpsc::Sender<Vec<Told>>,
    ) -> Self {
        let tail = request.tail.map(Tail::new);
        let grep = request.grep.clone();
        let merge = Merge::default();
        Self { heard, merge, tail, grep, now, out, portion: Vec::new(), worst: Vec::new() }
    }

    /// Goes on until all lanes have ended or the reader is gone.
    pub(super) async fn run(mut self) -> Code {
        let Err(Over) = self.mix().await;
        Code::worst(self.worst)
    }

    async fn mix(&mut self) -> Result<Infallible, Over> {
        loop {
            self.hear_all();
            match self.next_portion() {
                _ if !self.portion.is_empty() => {
                    self.hand_on().await?;
                    // A reader that is always ready must not keep the sources from theirs.
                    yield_now().await;
                }
                Next::Item(()) => {}
                Next::At(time) => self.wait(time).await?,
                Next::Nothing => match self.heard.recv().await {
                    Some((lane, heard)) => self.hear(lane, heard),
                    None => self.finish().await?,
                },
            }
        }
    }

    /// Waits until something comes, or this moment.
    async fn wait(&mut self, time: Instant) -> Result<(), Over> {
        let heard = tokio::select! {
            heard = self.heard.recv() => heard,
            () = sleep_until(time.into()) => {
                for _ in 0..TURNS {
                    yield_now().await;
                }
                return Ok(());
            }
        };
        match heard {
            Some((lane, heard)) => self.hear(lane, heard),
            None => self.finish().await?,
        }
        Ok(())
    }

    fn hear_all(&mut self) {
        while let Ok((lane, heard)) = self.heard.try_recv() {
            self.hear(lane, heard);
        }
    }

    fn hear(&mut self, lane: usize, heard: Heard) {
        let now = Instant::now();
        match heard {
            Heard::Opened { live } => self.merge.open(lane, live, now),
            Heard::Live => self.merge.live(lane, now),
            Heard::Ended => self.merge.end(lane),
            Heard::Note(failure) => {
                self.worst.push(failure.code);
                self.portion.push(Told::Note(failure));
            }
            Heard::Lines(lines, credit) => {
                let clock = (self.now)();
                let (mut credit, last) = (Some(credit), lines.len().saturating_sub(1));
                for (number, line) in lines.into_iter().enumerate() {
                    let age = Duration::try_from(clock.duration_since(line.at)).unwrap_or_default();
                    let at = line.at;
                    let credit = if number == last { credit.take() } else { None };
                    self.merge.push(lane, at, age, Held { line, _credit: credit }, now);
                }
            }
        }
        if self.tail.is_some() && !self.merge.is_behind() {
            self.show_tail();
        }
    }

    /// All of the past is known: what is left of it goes through the tail, and the tail is shown.
    fn show_tail(&mut self) {
        while let Some(held) = self.merge.pop_any(Instant::now()) {
            self.pass(held.line);
        }
        let tail = self.tail.take().into_iter().flatten();
        self.portion.extend(tail.map(Told::Line));
    }

    fn next_portion(&mut self) -> Next<()> {
        let now = Instant::now();
        for _ in 0..PORTION {
            match self.merge.pop(now) {
                Next::Item(held) => self.pass(held.line),
                Next::At(time) => return Next::At(time),
                Next::Nothing => return Next::Nothing,
            }
        }
        Next::Item(())
    }

    /// A line whose turn it is.
    fn pass(&mut self, line: LogLine) {
        if self.grep.as_ref().is_some_and(|grep| !grep.is_match(&line.message)) {
            return;
        }
        match &mut self.tail {
            Some(tail) => tail.push(line),
            None => self.portion.push(Told::Line(line)),
        }
    }

    async fn hand_on(&mut self) -> Result<(), Over> {
        self.out.send(std::mem::take(&mut self.portion)).await.map_err(|_| Over)
    }

    async fn finish(&mut self) -> Result<(), Over> {
        self.show_tail();
        if !self.portion.is_empty() {
            self.hand_on().await?;
        }
        Err(Over)
    }
}
