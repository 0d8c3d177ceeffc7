//! The counter before the system bus.
//!
//! It gives no answer before every question so far is answered and the client, all of its threads asleep, asks no more.
//! So each time answers go through, the client has stood still for them: that is a wait, however fast the machine is.

use std::{
    fs,
    io::Write as _,
    os::unix::net::UnixStream,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use rustix::net::sockopt::socket_peercred;

use super::{PAUSE, available, connect};

/// Passes a connection on, and adds the client's waits.
pub(super) fn relay(mut client: UnixStream, real: &Path, waits: &AtomicUsize) -> Result<()> {
    let pid = socket_peercred(&client)?.pid.as_raw_nonzero().get();
    let mut bus = connect(real)?;
    let (mut asked, mut answered) = (Words::default(), Words::default());
    let (mut held, mut has_asked) = (Vec::new(), false);
    loop {
        let Some(question) = available(&mut client)? else { return Ok(()) };
        let Some(answer) = available(&mut bus)? else { return Ok(()) };
        if !question.is_empty() {
            has_asked = true;
            asked.add(&question)?;
            bus.write_all(&question)?;
        }
        answered.add(&answer)?;
        held.extend(&answer);
        if !question.is_empty() || !answer.is_empty() {
            continue;
        }
        let is_answered = asked.calls == answered.replies && !held.is_empty();
        if is_answered && is_asleep(pid) {
            // What it said before it fell asleep is here by now.
            let more = available(&mut client)?;
            if let Some(more) = more.filter(|more| !more.is_empty()) {
                asked.add(&more)?;
                bus.write_all(&more)?;
                has_asked = true;
                continue;
            }
            waits.fetch_add(usize::from(has_asked), Ordering::SeqCst);
            has_asked = false;
            // A client that has gone is noticed by the next look.
            let _ = client.write_all(&held);
            held.clear();
        }
        thread::sleep(PAUSE);
    }
}

/// Whether every thread of a process waits for something.
fn is_asleep(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    let is_asleep = |stat: String| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'));
    threads.flatten().all(|thread| fs::read_to_string(thread.path().join("stat")).is_ok_and(is_asleep))
}

/// What one side has said: lines of the greeting, then messages.
#[derive(Default)]
struct Words {
    rest: Vec<u8>,
    /// Calls that want an answer.
    calls: usize,
    /// Answers and refusals.
    replies: usize,
}

impl Words {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.rest.extend_from_slice(bytes);
        while let Some(length) = self.next_length()? {
            if self.rest.len() < length {
                break;
            }
            match (self.rest[0], self.rest[1..].first(), self.rest.get(2)) {
                (b'l', Some(1), Some(flags)) => self.calls += usize::from(flags & 1 == 0),
                (b'l', Some(2 | 3), _) => self.replies += 1,
                _ => {}
            }
            self.rest.drain(..length);
        }
        Ok(())
    }

    /// How long the line or the message is that comes next; nothing: that cannot be told yet.
    fn next_length(&self) -> Result<Option<usize>> {
        let Some(first) = self.rest.first() else { return Ok(None) };
        // No line of the greeting begins so: it stands for the order of bytes.
        if *first != b'l' {
            return Ok(self.rest.iter().position(|byte| *byte == b'\n').map(|place| place + 1));
        }
        if self.rest.len() < 16 {
            return Ok(None);
        }
        let body = self.number(4)?;
        let fields = self.number(12)?;
        Ok(Some(16 + fields.next_multiple_of(8) + body))
    }

    fn number(&self, place: usize) -> Result<usize> {
        let bytes = self.rest.get(place..place + 4).context("a message ends in its head")?;
        Ok(usize::try_from(u32::from_le_bytes(bytes.try_into()?))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message without fields: its kind, its flags, and a body of four bytes.
    fn message(kind: u8, flags: u8) -> Vec<u8> {
        [&[b'l', kind, flags, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], b"body".as_slice()].concat()
    }

    #[test]
    fn calls_and_replies_are_told_apart_however_they_are_cut() {
        let (call, silent, reply, refusal) = (message(1, 0), message(1, 1), message(2, 1), message(3, 1));
        let greeting = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n".to_vec();
        let said = [greeting, call, silent, reply, refusal, message(4, 1)].concat();
        for size in [1, 7, said.len()] {
            let mut words = Words::default();
            said.chunks(size).try_for_each(|piece| words.add(piece)).unwrap();
            assert_eq!((words.calls, words.replies, words.rest.len()), (1, 2, 0), "{size}");
        }
    }
}
