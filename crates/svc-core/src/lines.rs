//! Bytes into lines, however they come.

/// Of a longer line the rest is dropped.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// Puts pieces of output together into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Takes the next piece; gives every line that it ends.
    pub(crate) fn push(&mut self, mut bytes: &[u8], line: &mut dyn FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (head, tail) = bytes.split_at(end);
            if self.open.is_empty() {
                line(&head[..head.len().min(LONGEST)]);
            } else {
                self.keep(head);
                line(&self.open);
                self.open.clear();
            }
            bytes = &tail[1..];
        }
        self.keep(bytes);
    }

    /// Gives the last line, if nothing ended it.
    pub(crate) fn finish(&mut self, line: &mut dyn FnMut(&[u8])) {
        if !self.open.is_empty() {
            line(&self.open);
            self.open.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.open.len());
        self.open.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.push(piece, &mut |line| found.push(line.to_owned()));
        }
        lines.finish(&mut |line| found.push(line.to_owned()));
        found
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_are_cut(text in "[ab\n]{0,40}", cut in 0_usize..40) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut whole: Vec<_> = text.split('\n').map(|line| line.as_bytes().to_owned()).collect();
            if whole.last().is_some_and(Vec::is_empty) {
                whole.pop();
            }
            prop_assert_eq!(split(&[head, tail]), whole);
        }
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; LONGEST + 5];
        let found = split(&[&long, &long, b"\nnext\n"]);
        assert_eq!((found[0].len(), found[1].as_slice()), (LONGEST, b"next".as_slice()));
    }
}
