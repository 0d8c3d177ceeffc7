//! restic's stderr: plain text and JSON messages mixed, boiled down to what a person and svc need.

use super::message::{Message, message};
use super::outcome::symptom;
use super::{Redactor, ResticFailure};
use crate::lines::Lines;

/// How much of the end is kept.
const TAIL: usize = 64 * 1024;

/// How many unreadable things are named.
const UNREADABLE: usize = 100;

/// After so many connections that failed alike nobody need wait for restic's own quarter of an hour.
const ENOUGH_RETRIES: u32 = 2;

/// stderr as it comes.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    redactor: Redactor,
    lines: Lines,
    heard: Heard,
}

/// What stderr said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    tail: String,
    /// By item, each once: the scan and the backup itself name the same.
    unreadable: Vec<(String, String)>,
    /// Snapshots that `snapshots` left out.
    ignored: Vec<String>,
    said_at_exit: Option<ResticFailure>,
    said_before: Option<ResticFailure>,
    retries: u32,
    retried_for: Option<ResticFailure>,
}

impl Stderr {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, ..Self::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Self { redactor, lines, heard } = self;
        lines.push(bytes, &mut |line| heard.line(line, redactor));
    }

    pub(super) const fn heard(&self) -> &Heard {
        &self.heard
    }

    pub(super) fn finish(mut self) -> Heard {
        let Self { redactor, lines, heard } = &mut self;
        lines.finish(&mut |line| heard.line(line, redactor));
        self.heard
    }
}

impl Heard {
    fn line(&mut self, line: &[u8], redactor: &Redactor) {
        match message(line) {
            Some(Message::ExitError(exit)) => {
                let text = redactor.redact(without_stack(&exit.message));
                self.said_at_exit = symptom(&text).or(self.said_at_exit);
                self.keep(&text);
            }
            Some(Message::Error(error)) => {
                let text = redactor.redact(without_stack(error.text()));
                self.said_before = self.said_before.or_else(|| symptom(&text));
                self.not_read(&redactor.redact(&error.item), &text);
                self.keep(&text);
            }
            _ => self.plain(&redactor.redact(&String::from_utf8_lossy(line))),
        }
    }

    fn plain(&mut self, text: &str) {
        if text.contains("returned error, retrying after") {
            self.retries += 1;
            self.retried_for = symptom(text).or(Some(ResticFailure::Unreachable));
        } else if let Some(path) = text.strip_suffix(" does not exist, skipping") {
            // 0.18 ends with 0 all the same.
            self.not_read(path, text);
        } else {
            if text.starts_with("Ignoring \"") {
                self.ignored.push(text.to_owned());
            }
            let symptom = symptom(text);
            // restic can stand still for minutes after that, and the service is down.
            if text.starts_with("Save(") && symptom == Some(ResticFailure::NoSpace) {
                (self.retries, self.retried_for) = (ENOUGH_RETRIES, symptom);
            }
            self.said_before = self.said_before.or(symptom);
        }
        self.keep(text);
    }

    fn not_read(&mut self, item: &str, text: &str) {
        if self.unreadable.len() < UNREADABLE && self.unreadable.iter().all(|(known, _)| known != item) {
            self.unreadable.push((item.to_owned(), text.to_owned()));
        }
    }

    fn keep(&mut self, text: &str) {
        // What clears a line of a terminal is no text.
        let text = text.trim_end().trim_start_matches("\u{1b}[2K");
        if text.is_empty() {
            return;
        }
        self.tail.push_str(text);
        self.tail.push('\n');
        // Cut seldom: each cut moves the whole tail.
        if self.tail.len() > 2 * TAIL {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.tail.len().saturating_sub(TAIL);
        let start = (surplus..self.tail.len()).find(|&at| self.tail.is_char_boundary(at));
        self.tail.drain(..start.unwrap_or(0));
    }

    /// What its last words, or else those before, say is wrong.
    pub(super) fn symptom(&self) -> Option<ResticFailure> {
        self.said_at_exit.or(self.said_before)
    }

    /// What it said was wrong before its last words.
    pub(super) const fn said_before(&self) -> Option<ResticFailure> {
        self.said_before
    }

    /// Why it was still trying, if it was.
    pub(super) const fn retried_for(&self) -> Option<ResticFailure> {
        self.retried_for
    }

    /// Whether it tries in vain: for a patient one only when a disk is full, which no patience makes larger.
    pub(super) fn is_in_vain(&self, patient: bool) -> bool {
        let hopeless = !patient || self.retried_for == Some(ResticFailure::NoSpace);
        hopeless && self.retries >= ENOUGH_RETRIES
    }

    /// What could not be read.
    pub(super) fn unreadable(&self) -> Vec<String> {
        self.unreadable.iter().map(|(_, text)| text.clone()).collect()
    }

    /// Snapshots that could not be read.
    pub(super) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The end of it, as text for a person.
    pub(super) fn into_text(mut self) -> String {
        self.cut();
        self.tail
    }
}

/// Some errors bring Go's stack with them: function, then file and line after a tab.
fn without_stack(text: &str) -> &str {
    let Some(tab) = text.find("\n\t") else { return text };
    text[..tab].rfind('\n').map_or("", |start| &text[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Heard {
        let mut stderr = Stderr::new(Redactor::default());
        stderr.push(text.as_bytes());
        stderr.finish()
    }

    #[test]
    fn an_exit_error_is_read_wherever_it_stands() {
        let heard = heard(concat!(
            "{\"message_type\":\"exit_error\",\"code\":1,\"message\":\"Fatal: x: no space left on device\"}\n",
            "signal terminated received, cleaning up"
        ));
        assert_eq!(heard.symptom(), Some(ResticFailure::NoSpace));
        assert_eq!(
            heard.into_text(),
            "Fatal: x: no space left on device\nsignal terminated received, cleaning up\n"
        );
    }

    #[test]
    fn the_last_words_win_over_those_before() {
        let heard = heard(concat!(
            "read: invalid data returned\n",
            "{\"message_type\":\"exit_error\",\"message\":\"x: no space left on device\"}\n"
        ));
        assert_eq!(heard.symptom(), Some(ResticFailure::NoSpace));
    }

    #[test]
    fn retries_say_why_it_waited_and_not_why_it_failed() {
        let line =
            "Stat(<config/>) returned error, retrying after 1s: Head \"http://x/\": dial tcp: no such host\n";
        let once = heard(line);
        assert_eq!((once.symptom(), once.is_in_vain(false)), (None, false));
        let twice = heard(&line.repeat(2));
        assert_eq!((twice.retried_for(), twice.is_in_vain(false)), (Some(ResticFailure::Unreachable), true));
        assert!(!twice.is_in_vain(true));
        let full = "Save(<data/1>) returned error, retrying after 1s: (507): 507 Insufficient Storage\n";
        assert!(heard(&full.repeat(2)).is_in_vain(true));
        assert!(!heard(full).is_in_vain(true));
        // A disk of this machine is not tried twice.
        let local = "Save(<data/1>) failed: write /r/data/1/1-tmp-2: no space left on device\n";
        assert!(heard(local).is_in_vain(true));
        assert!(!heard("Save(<data/1>) failed: connection reset by peer\n").is_in_vain(true));
    }

    #[test]
    fn what_could_not_be_read_is_named_once_and_bounded() {
        let error = |n: u32| {
            format!(
                "{{\"message_type\":\"error\",\"error\":{{\"message\":\"open /{n}: denied\"}},\"item\":\"/{n}\"}}\n"
            )
        };
        let twice = heard(&format!("{}{}/gone does not exist, skipping\n", error(1), error(1)));
        assert_eq!(twice.unreadable(), ["open /1: denied", "/gone does not exist, skipping"]);
        let many: String = (0..300).map(error).collect();
        assert_eq!(heard(&many).unreadable().len(), UNREADABLE);
    }

    #[test]
    fn a_flood_leaves_its_end() {
        let text = heard(&format!("{}the end\n", "é garbage\n".repeat(1_000_000))).into_text();
        assert!(text.len() <= TAIL && text.ends_with("the end\n"), "{}", text.len());
    }

    #[test]
    fn what_clears_a_terminals_line_is_left_out() {
        let heard = heard("\u{1b}[2Ksignal terminated received, cleaning up\n");
        assert_eq!(heard.into_text(), "signal terminated received, cleaning up\n");
    }

    #[test]
    fn stacks_are_left_out() {
        assert_eq!(without_stack("it broke\nmain.open\n\tgithub.com/x.go:1\nmain.run\n\ty"), "it broke");
        assert_eq!(without_stack("it broke\nIs there one?"), "it broke\nIs there one?");
        assert_eq!(without_stack("main.open\n\tx"), "");
    }

    #[test]
    fn no_secret_is_kept() {
        let mut stderr = Stderr::new(Redactor::new(&[super::super::Secret::new("canary<>".to_owned())]));
        stderr.push(
            b"{\"message_type\":\"exit_error\",\"message\":\"no canary\\u003c\\u003e\"}\nplain canary<>\n",
        );
        assert_eq!(stderr.finish().into_text(), "no ***\nplain ***\n");
    }
}
