//! Many sources, each in its own order, into one order of time. Pure: what time it is comes in as an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How late a line may come after others of the same moment and still be put before them: journald tells its readers
/// of new entries up to a quarter of a second late.
pub(super) const DELAY: Duration = Duration::from_millis(500);

/// How long a source must have had nothing before its silence counts: what it wrote may still be on its way through
/// svc.
pub(super) const SETTLE: Duration = Duration::from_millis(100);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// This.
    Item(T),
    /// The same question at this moment, unless something comes before.
    At(Instant),
    /// Nothing, until something comes.
    Nothing,
}

/// Lanes of items that wait for each other.
#[derive(Debug)]
pub(super) struct Merge<T> {
    lanes: BTreeMap<usize, Lane<T>>,
}

#[derive(Debug)]
struct Lane<T> {
    queue: VecDeque<Queued<T>>,
    /// The time of its last item: what follows counts as no older, so that a source keeps its own order.
    last: Timestamp,
    /// Its past has been read: from now on its silence means that there is nothing.
    live: bool,
    /// Since when its queue is empty.
    empty: Instant,
    ended: bool,
}

#[derive(Debug)]
struct Queued<T> {
    at: Timestamp,
    /// When all that is older should have come.
    due: Instant,
    item: T,
}

impl<T> Default for Merge<T> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new() }
    }
}

impl<T> Merge<T> {
    /// Adds a source; one that is not live yet is waited for.
    pub(super) fn open(&mut self, lane: usize, live: bool, now: Instant) {
        let last = Timestamp::MIN;
        self.lanes.insert(lane, Lane { queue: VecDeque::new(), last, live, empty: now, ended: false });
    }

    /// Adds the next item of a source; `age` is how long ago it was written.
    pub(super) fn push(&mut self, lane: usize, at: Timestamp, age: Duration, item: T, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&lane) else { return };
        lane.last = lane.last.max(at);
        let due = now + DELAY.saturating_sub(age);
        lane.queue.push_back(Queued { at: lane.last, due, item });
    }

    /// The source has told its past.
    pub(super) fn live(&mut self, lane: usize, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.live = true;
            lane.empty = now;
        }
    }

    /// Nothing more comes of the source.
    pub(super) fn end(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.ended = true;
        }
        self.lanes.retain(|_, lane| !lane.is_over());
    }

    /// Whether the past of some source has still to be read.
    pub(super) fn is_behind(&self) -> bool {
        self.lanes.values().any(|lane| !lane.live && !lane.ended)
    }

    /// The oldest item, once no source can have an older one.
    pub(super) fn pop(&mut self, now: Instant) -> Next<T> {
        let Some((id, head)) = self.oldest() else { return Next::Nothing };
        let mut ready = now;
        for lane in self.lanes.values().filter(|lane| lane.queue.is_empty() && lane.last < head.0) {
            if !lane.live {
                return Next::Nothing;
            }
            ready = ready.max(head.1).max(lane.empty + SETTLE);
        }
        if ready > now { Next::At(ready) } else { self.take(id, now).map_or(Next::Nothing, Next::Item) }
    }

    /// The oldest item that is there, whatever may come.
    pub(super) fn pop_any(&mut self, now: Instant) -> Option<T> {
        let (id, _) = self.oldest()?;
        self.take(id, now)
    }

    fn oldest(&self) -> Option<(usize, (Timestamp, Instant))> {
        let heads = self.lanes.iter().filter_map(|(id, lane)| Some((*id, lane.queue.front()?)));
        heads.min_by_key(|(id, head)| (head.at, *id)).map(|(id, head)| (id, (head.at, head.due)))
    }

    fn take(&mut self, id: usize, now: Instant) -> Option<T> {
        let lane = self.lanes.get_mut(&id)?;
        let item = lane.queue.pop_front()?.item;
        lane.empty = now;
        if lane.is_over() {
            self.lanes.remove(&id);
        }
        Some(item)
    }
}

impl<T> Lane<T> {
    fn is_over(&self) -> bool {
        self.ended && self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests;
