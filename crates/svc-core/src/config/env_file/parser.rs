//! systemd's automaton for environment files.

use super::{EnvFile, EnvFileFault, LineFault, OddLine, is_variable_name};

/// Reads the content of a file.
pub fn parse(bytes: &[u8]) -> Result<EnvFile, EnvFileFault> {
    if let Some(nul) = bytes.iter().position(|&c| c == 0) {
        let line = 1 + bytes.iter().take(nul).filter(|&&c| c == b'\n').count();
        return Err(EnvFileFault::Nul { line });
    }
    let mut parser = Parser::default();
    for &c in bytes {
        parser.step(c)?;
        parser.line += usize::from(c == b'\n');
    }
    parser.end()?;
    Ok(parser.file)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    BeforeKey,
    Key,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuoted,
    DoubleQuoted,
    DoubleQuotedEscape,
    Comment,
    CommentEscape,
}

/// systemd's automaton.
#[derive(Default)]
struct Parser {
    state: State,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Where the white space begins that ends the value so far.
    trailing: Option<usize>,
    /// Lines already read.
    line: usize,
    /// Those before the key and before the last quotation mark.
    key_line: usize,
    quote_line: usize,
    file: EnvFile,
}

impl Parser {
    fn step(&mut self, c: u8) -> Result<(), EnvFileFault> {
        match self.state {
            State::BeforeKey => self.before_key(c),
            State::Key => self.key(c),
            State::BeforeValue => return self.before_value(c),
            State::Value => return self.value(c),
            State::ValueEscape => self.value_escape(c),
            State::SingleQuoted if c == b'\'' => self.state = State::BeforeValue,
            State::DoubleQuoted if c == b'"' => self.state = State::BeforeValue,
            State::DoubleQuoted if c == b'\\' => self.state = State::DoubleQuotedEscape,
            State::SingleQuoted | State::DoubleQuoted => self.value.push(c),
            State::DoubleQuotedEscape => self.double_quoted_escape(c),
            State::Comment if c == b'\\' => self.state = State::CommentEscape,
            // Since systemd 254 a backslash does not continue a comment.
            State::Comment | State::CommentEscape if is_newline(c) => self.state = State::BeforeKey,
            State::Comment => {}
            State::CommentEscape => self.state = State::Comment,
        }
        Ok(())
    }

    fn before_key(&mut self, c: u8) {
        if matches!(c, b'#' | b';') {
            self.state = State::Comment;
        } else if !is_space(c) {
            self.key_line = self.line;
            self.key.clear();
            self.key.push(c);
            self.state = State::Key;
        }
    }

    fn key(&mut self, c: u8) {
        if is_newline(c) {
            self.odd(self.key_line, LineFault::NoAssignment);
            self.state = State::BeforeKey;
        } else if c == b'=' {
            self.value.clear();
            self.trailing = None;
            self.state = State::BeforeValue;
        } else {
            self.key.push(c);
        }
    }

    fn before_value(&mut self, c: u8) -> Result<(), EnvFileFault> {
        match c {
            _ if is_newline(c) => return self.assign(),
            b'\'' | b'"' => {
                self.quote_line = self.line;
                self.state = if c == b'"' { State::DoubleQuoted } else { State::SingleQuoted };
            }
            b'\\' => self.state = State::ValueEscape,
            _ if is_space(c) => {}
            _ => {
                self.value.push(c);
                self.state = State::Value;
            }
        }
        Ok(())
    }

    fn value(&mut self, c: u8) -> Result<(), EnvFileFault> {
        if is_newline(c) {
            self.trim_value();
            return self.assign();
        }
        if c == b'\\' {
            self.trailing = None;
            self.state = State::ValueEscape;
            return Ok(());
        }
        if !is_space(c) {
            self.trailing = None;
        } else if self.trailing.is_none() {
            self.trailing = Some(self.value.len());
        }
        self.value.push(c);
        Ok(())
    }

    /// Whatever is escaped stands for itself; an escaped line break for nothing.
    fn value_escape(&mut self, c: u8) {
        if !is_newline(c) {
            self.value.push(c);
        }
        self.state = State::Value;
    }

    /// As in a shell: before anything that needs no escape the backslash stays.
    fn double_quoted_escape(&mut self, c: u8) {
        match c {
            b'"' | b'\\' | b'`' | b'$' => self.value.push(c),
            b'\n' => {}
            _ => self.value.extend([b'\\', c]),
        }
        self.state = State::DoubleQuoted;
    }

    fn trim_value(&mut self) {
        if let Some(end) = self.trailing {
            self.value.truncate(end);
        }
    }

    fn end(&mut self) -> Result<(), EnvFileFault> {
        match self.state {
            State::BeforeKey | State::Comment | State::CommentEscape => return Ok(()),
            State::Key => {
                self.odd(self.key_line, LineFault::NoAssignment);
                return Ok(());
            }
            State::Value => self.trim_value(),
            State::SingleQuoted | State::DoubleQuoted | State::DoubleQuotedEscape => {
                self.odd(self.quote_line, LineFault::OpenQuote);
            }
            State::BeforeValue | State::ValueEscape => {}
        }
        self.assign()
    }

    fn assign(&mut self) -> Result<(), EnvFileFault> {
        self.state = State::BeforeKey;
        let not_utf8 = |_| EnvFileFault::NotUtf8 { line: self.key_line + 1 };
        let key = std::str::from_utf8(&self.key).map_err(not_utf8)?.trim_end_matches([' ', '\t']);
        let value = std::str::from_utf8(&self.value).map_err(not_utf8)?;
        if is_variable_name(key) {
            self.file.variables.insert(key.to_owned(), value.to_owned());
        } else {
            self.odd(self.key_line, LineFault::BadName);
        }
        Ok(())
    }

    fn odd(&mut self, lines_before: usize, fault: LineFault) {
        self.file.odd_lines.push(OddLine { line: lines_before + 1, fault });
    }
}

fn is_newline(c: u8) -> bool {
    matches!(c, b'\n' | b'\r')
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap().variables.into_iter().collect()
    }

    fn value(text: &str) -> String {
        match variables(text).as_slice() {
            [(key, value)] if key == "A" => value.clone(),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn values_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("A=b", "b"),
            ("A=b\n", "b"),
            ("  A = b \n", "b"),
            ("A=\n", ""),
            ("A=", ""),
            ("A=b c\td \n", "b c\td"),
            // Quotation marks count at the beginning only, and what follows the closing one is joined on.
            ("A='b c'\n", "b c"),
            ("A=\"b c\"\n", "b c"),
            ("A='b' 'c'\n", "bc"),
            ("A=\"b\" c\n", "bc"),
            ("A=b'c'\n", "b'c'"),
            ("A=b\"c d\"\n", "b\"c d\""),
            ("A=' b '\n", " b "),
            ("A='b\nc'\n", "b\nc"),
            ("A=\"b\nc\"\n", "b\nc"),
            ("A='it\\'\n", "it\\"),
            // In double quotes only these four can be escaped.
            (r#"A="\"\\\`\$""#, "\"\\`$"),
            (r#"A="\n\t\'""#, "\\n\\t\\'"),
            ("A=\"b\\\nc\"", "bc"),
            // Outside of them everything.
            (r"A=b\ c\n\\", "b cn\\"),
            (r"A=b\ ", "b "),
            ("A=b\\\n  c\n", "b  c"),
            ("A=\\\n", ""),
            // Nothing is expanded, and a `#` later on is no comment.
            ("A=$HOME ${B} %h `id`\n", "$HOME ${B} %h `id`"),
            ("A=b # c\n", "b # c"),
            ("A=b=c==\n", "b=c=="),
            ("A=b\r\n", "b"),
            ("A=b\rC", "b"),
            ("A=pässwörd\n", "pässwörd"),
            ("A=b\\", "b"),
            ("A='open\n", "open\n"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_passed_over() {
        let text = "# x=1\n; y=1\n\n   \n  # B=c \nA=b\n";
        assert_eq!(value(text), "b");
        assert_eq!(parse(text.as_bytes()).unwrap().odd_lines, []);
        // systemd 253 and before took the second line as part of the comment.
        assert_eq!(value("# x \\\nA=b\n"), "b");
        assert_eq!(value("# x \\y\nA=b\n"), "b");
    }

    #[test]
    fn of_two_assignments_the_last_counts() {
        assert_eq!(value("A=1\nA=2\n"), "2");
    }

    #[test]
    fn what_systemd_ignores_is_reported_by_line() {
        let odd = |text: &str| parse(text.as_bytes()).unwrap().odd_lines;
        let line = |line, fault| vec![OddLine { line, fault }];
        assert_eq!(odd("A=1\n\nnonsense\nB=2\n"), line(3, LineFault::NoAssignment));
        assert_eq!(odd("A=1\nnonsense"), line(2, LineFault::NoAssignment));
        assert_eq!(odd("A='x\ny'\nexport B=2\n"), line(3, LineFault::BadName));
        assert_eq!(odd("1A=2\n"), line(1, LineFault::BadName));
        // Even `=` begins a name.
        assert_eq!(odd("=2\n"), line(1, LineFault::NoAssignment));
        assert_eq!(odd("\u{feff}A=2\n"), line(1, LineFault::BadName));
        assert_eq!(odd("A=1\nB=\"x\nC=3\n"), line(2, LineFault::OpenQuote));
    }

    #[test]
    fn a_file_with_a_nul_or_in_another_encoding_is_refused_whole() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(refused(b"A=1\nB=\0\n"), "has a NUL in line 2");
        assert_eq!(refused(b"A=1\nB=\xe9\n"), "is not UTF-8 in line 2");
        assert!(parse(b"# caf\xe9\nA=1\n").is_ok(), "systemd does not read comments");
    }

    #[test]
    fn neither_debug_nor_a_message_shows_what_is_in_the_file() {
        let file = parse(b"A=hunter2\nhunter2\nhunter2=='hunter2\n").unwrap();
        let shown = format!("{file:?} {}", file.odd_lines.first().unwrap());
        assert!(!shown.replace("\"hunter2\"", "").contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn syntax_in_any_order_gives_only_valid_names(text in "[A=\"'\\\\# \n\r;$b]{0,40}") {
            let file = parse(text.as_bytes()).unwrap();
            prop_assert!(file.variables.keys().all(|key| is_variable_name(key)));
        }

        #[test]
        fn single_quotes_keep_everything(value in "[^'\0]*") {
            let text = format!("A='{value}'\n");
            prop_assert_eq!(&parse(text.as_bytes()).unwrap().variables["A"], &value);
        }

        #[test]
        fn what_is_written_for_systemd_is_read_back_as_it_was(values in proptest::collection::vec("[^\0]*", 0..4)) {
            let names = ["A", "B", "C"].map(str::to_owned);
            let variables: indexmap::IndexMap<String, String> = names.into_iter().zip(values).collect();
            let read = parse(crate::config::env_file::text(&variables).as_bytes()).unwrap();
            prop_assert_eq!((read.variables, read.odd_lines), (variables, Vec::new()));
        }
    }
}
