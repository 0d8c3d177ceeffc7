//! What the fake's containers write, and who listens.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::{FakeContainer, FakeDocker};
use crate::docker::{
    DockerError, Happening, HappeningKind, Happenings, LogQuery, OutputStream, Writing, Written,
};

/// So many entries come at once: as with the real engine, a reader that stops reads no more.
const PORTION: usize = 16;

/// The logs of all containers that ever were, and those who listen to the engine.
#[derive(Default)]
pub(super) struct Desk {
    logs: HashMap<String, Vec<Written>>,
    /// How many entries of each log have been given out, doubles included.
    taken: HashMap<String, usize>,
    /// Told after each change of a log or a container.
    changed: watch::Sender<()>,
    /// How often all answers under way were cut.
    cuts: usize,
    listeners: Vec<mpsc::UnboundedSender<Result<Happening, DockerError>>>,
}

impl Desk {
    /// Tells everyone who listens.
    pub(super) fn tell(&mut self, kind: HappeningKind, container: &FakeContainer) {
        let (id, name) = (container.id.clone(), container.name.clone());
        let happening = Happening { kind, id, name, compose: container.compose.clone() };
        self.listeners.retain(|listener| listener.send(Ok(happening.clone())).is_ok());
        self.changed.send_replace(());
    }

    /// The engine is gone: nobody hears more of it.
    pub(super) fn hang_up(&mut self) {
        self.listeners.clear();
        self.changed.send_replace(());
    }

    pub(super) fn note_change(&self) {
        self.changed.send_replace(());
    }
}

impl FakeDocker {
    /// The container writes a line to its standard output.
    pub fn write(&self, name: &str, at: Timestamp, text: &str) {
        let bytes = text.as_bytes().to_vec();
        self.write_entry(name, Written { at, stream: OutputStream::Stdout, bytes, ends: true });
    }

    /// The container writes this.
    pub fn write_entry(&self, name: &str, entry: Written) {
        let mut inner = self.lock();
        let id = inner.find(name).map(|container| container.id.clone());
        if let Some(id) = id {
            inner.desk.logs.entry(id).or_default().push(entry);
            inner.desk.note_change();
        }
    }

    /// Ends all logs that are being followed, as a proxy before the engine does with what is idle.
    pub fn cut_followers(&self) {
        let mut inner = self.lock();
        inner.desk.cuts += 1;
        inner.desk.note_change();
    }

    /// How many entries of this container's log have been given out.
    #[must_use]
    pub fn taken(&self, name: &str) -> usize {
        let inner = self.lock();
        inner
            .find(name)
            .and_then(|container| inner.desk.taken.get(&container.id))
            .copied()
            .unwrap_or_default()
    }

    /// What the container has written from `from` on, and whether more may come.
    fn read(&self, id: &str, from: usize) -> (Vec<Written>, bool) {
        let mut inner = self.lock();
        let rest = inner.desk.logs.get(id).and_then(|log| log.get(from..)).unwrap_or_default();
        let log: Vec<Written> = rest.iter().take(PORTION).cloned().collect();
        *inner.desk.taken.entry(id.to_owned()).or_default() += log.len();
        (log, !inner.unreachable && inner.find(id).is_some_and(|container| container.state.is_up()))
    }

    pub(super) fn writing(&self, id: String, query: LogQuery) -> Writing {
        let (first, changed, cuts) = {
            let inner = self.lock();
            let all = inner.desk.logs.get(&id).map_or(0, Vec::len);
            let first = query.tail.map_or(0, |tail| all.saturating_sub(tail));
            (first, inner.desk.changed.subscribe(), inner.desk.cuts)
        };
        let step = move |(docker, id, from, mut changed): (Self, String, usize, watch::Receiver<()>)| async move {
            loop {
                changed.mark_unchanged();
                let (found, more) = docker.read(&id, from);
                let more = more && docker.lock().desk.cuts == cuts;
                if found.is_empty() && !(more && query.follow && changed.changed().await.is_ok()) {
                    return None;
                }
                if !found.is_empty() {
                    let from = from + found.len();
                    let new = |entry: &Written| query.since.is_none_or(|since| entry.at >= since);
                    let found = found.into_iter().filter(new).collect();
                    return Some((Ok(found), (docker, id, from, changed)));
                }
            }
        };
        stream::unfold((self.clone(), id, first, changed), step).boxed()
    }

    pub(super) fn listen(&self) -> Happenings {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().desk.listeners.push(sender);
        let step = |mut receiver: mpsc::UnboundedReceiver<_>| async move {
            receiver.recv().await.map(|told| (told, receiver))
        };
        stream::unfold(receiver, step).boxed()
    }
}
