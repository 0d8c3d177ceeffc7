//! Entries of a container's log into lines: the engine cuts what is long.

use std::sync::Arc;

use jiff::Timestamp;

use super::line::{LogLine, LogStream, Source};
use crate::docker::{OutputStream, Written};

/// A line longer than this comes in pieces.
const LONGEST: usize = 256 * 1024;

/// Puts a container's entries together.
#[derive(Debug)]
pub(super) struct Joiner {
    source: Arc<Source>,
    stdout: Open,
    stderr: Open,
}

/// A line that has begun: when, and what there is of it.
type Open = Option<(Timestamp, Vec<u8>)>;

impl Joiner {
    /// A joiner of this container's entries.
    pub(super) const fn new(source: Arc<Source>) -> Self {
        Self { source, stdout: None, stderr: None }
    }

    /// Takes the next entry; gives the line that it ends.
    pub(super) fn push(&mut self, entry: Written, lines: &mut Vec<LogLine>) {
        let (open, stream) = match entry.stream {
            OutputStream::Stdout => (&mut self.stdout, LogStream::Stdout),
            OutputStream::Stderr => (&mut self.stderr, LogStream::Stderr),
        };
        let (at, bytes) = match open.take() {
            None => (entry.at, entry.bytes),
            Some((at, mut bytes)) => {
                bytes.extend_from_slice(&entry.bytes);
                (at, bytes)
            }
        };
        if entry.ends || bytes.len() >= LONGEST {
            lines.push(line(&self.source, at, stream, bytes));
        } else {
            *open = Some((at, bytes));
        }
    }

    /// What has begun and will not end any more.
    pub(super) fn finish(self) -> Vec<LogLine> {
        let open = [(self.stdout, LogStream::Stdout), (self.stderr, LogStream::Stderr)];
        let open = open.into_iter().filter_map(|(open, stream)| Some((open?, stream)));
        let mut lines: Vec<LogLine> =
            open.map(|((at, bytes), stream)| line(&self.source, at, stream, bytes)).collect();
        lines.sort_by_key(|line| line.at);
        lines
    }
}

fn line(source: &Arc<Source>, at: Timestamp, stream: LogStream, bytes: Vec<u8>) -> LogLine {
    let message = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    LogLine { at, source: Arc::clone(source), stream, message, priority: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(entries: &[(OutputStream, &[u8], bool)]) -> Vec<(LogStream, String)> {
        let source = Source { name: "web".to_owned(), label: "web".to_owned(), number: 0 };
        let (mut joiner, mut lines) = (Joiner::new(Arc::new(source)), Vec::new());
        for (at, (stream, bytes, ends)) in (0..).zip(entries) {
            let at = Timestamp::from_second(at).unwrap();
            joiner.push(Written { at, stream: *stream, bytes: bytes.to_vec(), ends: *ends }, &mut lines);
        }
        lines.extend(joiner.finish());
        lines.into_iter().map(|line| (line.stream, line.message)).collect()
    }

    #[test]
    fn what_the_engine_cut_is_one_line_again_even_amid_a_character() {
        use OutputStream::{Stderr, Stdout};
        let found = joined(&[
            (Stdout, b"gr\xc3", false),
            (Stderr, b"oops", true),
            (Stdout, b"\xb6\xc3\x9fe", true),
            (Stdout, b"odd \xff", true),
            (Stderr, b"left", false),
        ]);
        let wanted = [
            (LogStream::Stderr, "oops"),
            (LogStream::Stdout, "größe"),
            (LogStream::Stdout, "odd \u{fffd}"),
            (LogStream::Stderr, "left"),
        ];
        assert_eq!(found, wanted.map(|(stream, text)| (stream, text.to_owned())));
    }

    #[test]
    fn an_endless_line_comes_in_pieces_and_whole() {
        let piece = vec![b'x'; 16 * 1024];
        let entries = vec![(OutputStream::Stdout, piece.as_slice(), false); 40];
        let found = joined(&entries);
        assert!(found.iter().all(|(_, text)| text.len() <= LONGEST));
        assert_eq!(found.iter().map(|(_, text)| text.len()).sum::<usize>(), 40 * 16 * 1024);
    }
}
