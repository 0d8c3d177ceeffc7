//! The bytes of a log request, taken apart: frames of a container with two outputs, lines of one with a terminal.
//!
//! Asked for with times, each entry begins with one (`2026-11-20T09:00:00.123456789Z text`), so the first byte tells
//! which of the two it is; the answer's `Content-Type` does so only since API 1.42, and not with Podman.

use jiff::Timestamp;

use super::{OutputStream, Written};

/// The length of a frame's header: the stream, three zeros, and the payload's length.
const HEADER: usize = 8;
/// An entry longer than this is cut into several. Docker itself cuts at 16 KiB.
const LONGEST: usize = 64 * 1024;
/// The longest time that an entry begins with.
const LONGEST_TIME: usize = 40;
/// What a frame's header has for an error of the engine in the middle of a log.
const ENGINE_ERROR: u8 = 3;

/// Takes the bytes as they come and gives whole entries.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    /// What came and is not an entry yet: at most one of the longest, and a header.
    held: Vec<u8>,
    /// The time of the entry before.
    last: Timestamp,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    /// Nothing came yet.
    #[default]
    Unknown,
    /// Before a frame's header.
    Header,
    /// In a frame, with so many bytes to come; `begun`: not at its beginning.
    Payload { kind: u8, left: usize, begun: bool },
    /// In the output of a terminal; `begun`: not at the beginning of a line.
    Terminal { begun: bool },
}

impl Decoder {
    /// Takes the next bytes; gives the entries that they complete.
    ///
    /// # Errors
    /// What the engine says went wrong, or that these are no frames.
    pub(crate) fn push(&mut self, mut bytes: &[u8], found: &mut Vec<Written>) -> Result<(), String> {
        while let Some(&first) = bytes.first() {
            bytes = match self.state {
                State::Unknown => {
                    let is_frame = first <= ENGINE_ERROR;
                    self.state = if is_frame { State::Header } else { State::Terminal { begun: false } };
                    bytes
                }
                State::Header => self.header(bytes)?,
                State::Payload { kind, left, begun } => self.payload(bytes, (kind, left, begun), found)?,
                State::Terminal { begun } => self.terminal(bytes, begun, found),
            };
        }
        Ok(())
    }

    /// Gives what is left when nothing more comes.
    pub(crate) fn finish(mut self, found: &mut Vec<Written>) {
        match self.state {
            State::Payload { kind, begun, .. } if !self.held.is_empty() => {
                found.push(self.entry(stream(kind), begun));
            }
            State::Terminal { begun } if !self.held.is_empty() => {
                found.push(self.entry(OutputStream::Stdout, begun));
            }
            _ => {}
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], String> {
        let rest = self.hold(bytes, HEADER);
        if let &[kind, 0, 0, 0, a, b, c, d] = self.held.as_slice() {
            if kind > ENGINE_ERROR {
                return Err(format!("a frame of the unknown stream {kind}"));
            }
            self.held.clear();
            let left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            self.state = if left == 0 { State::Header } else { State::Payload { kind, left, begun: false } };
        } else if self.held.len() == HEADER {
            return Err("something else than a frame".to_owned());
        }
        Ok(rest)
    }

    fn payload<'b>(
        &mut self,
        bytes: &'b [u8],
        (kind, left, begun): (u8, usize, bool),
        found: &mut Vec<Written>,
    ) -> Result<&'b [u8], String> {
        let before = self.held.len();
        let rest = self.hold(bytes, before.saturating_add(left).min(LONGEST));
        let left = left - (self.held.len() - before);
        if left > 0 && self.held.len() < LONGEST {
            self.state = State::Payload { kind, left, begun };
            return Ok(rest);
        }
        if kind == ENGINE_ERROR {
            return Err(String::from_utf8_lossy(&self.held).trim().to_owned());
        }
        self.state = if left == 0 { State::Header } else { State::Payload { kind, left, begun: true } };
        found.push(self.entry(stream(kind), begun));
        Ok(rest)
    }

    fn terminal<'b>(&mut self, bytes: &'b [u8], begun: bool, found: &mut Vec<Written>) -> &'b [u8] {
        let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let (line, after) = bytes.split_at(end);
        let rest = self.hold(line, LONGEST).len();
        let ended = rest == 0 && line.ends_with(b"\n");
        if ended || self.held.len() == LONGEST {
            self.state = State::Terminal { begun: !ended };
            found.push(self.entry(OutputStream::Stdout, begun));
        }
        &bytes[bytes.len() - after.len() - rest..]
    }

    /// Holds bytes until there are `wanted`; gives back the rest.
    fn hold<'b>(&mut self, bytes: &'b [u8], wanted: usize) -> &'b [u8] {
        let missing = wanted.saturating_sub(self.held.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(missing);
        self.held.extend_from_slice(head);
        rest
    }

    /// What is held as an entry; the time is at its beginning unless that has been given out already.
    fn entry(&mut self, stream: OutputStream, begun: bool) -> Written {
        let mut bytes = std::mem::take(&mut self.held);
        let text = if begun { None } else { time(&bytes) };
        if let Some((at, length)) = text {
            self.last = at;
            bytes.drain(..length);
        }
        let ends = bytes.last() == Some(&b'\n');
        if ends {
            bytes.pop();
        }
        if bytes.last() == Some(&b'\r') && ends {
            bytes.pop();
        }
        Written { at: self.last, stream, bytes, ends }
    }
}

fn stream(kind: u8) -> OutputStream {
    if kind == 2 { OutputStream::Stderr } else { OutputStream::Stdout }
}

/// The time at the beginning, and its length with the blank after it.
fn time(bytes: &[u8]) -> Option<(Timestamp, usize)> {
    let end = bytes.iter().take(LONGEST_TIME).position(|&byte| byte == b' ')?;
    let at = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((at, end + 1))
}

#[cfg(test)]
mod tests;
