//! Text that came from outside, made fit for a terminal: no control characters, a known width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text without control characters, so that no file name or program can move the cursor or hide a line.
#[must_use]
pub fn clean(text: &str) -> String {
    visible(text.trim_end())
}

/// The same with the blanks at its end.
#[must_use]
pub fn visible(text: &str) -> String {
    let is_bad = |c: char| c.is_control() || is_direction(c);
    text.chars()
        .flat_map(|c| if is_bad(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// Marks that turn the reading direction: a name could show itself as another.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text, cut to a number of columns; what was cut shows as `…`.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The text in exactly this many columns, cut or filled up on the right.
#[must_use]
pub fn pad(text: &str, columns: usize) -> String {
    let mut text = fit(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// The text in exactly this many columns, cut or filled up on the left.
#[must_use]
pub fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let missing = columns.saturating_sub(width(&text));
    " ".repeat(missing) + &text
}

/// The text on lines of at most this many columns, broken at blanks; a longer word is broken anywhere.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        let used = lines.last().map_or(0, |line| width(line));
        if used > 0 && used + 1 + width(&word) > columns {
            lines.push(String::new());
        } else if used > 0 {
            word.insert(0, ' ');
        }
        for c in word.chars() {
            let full = |line: &String| !line.is_empty() && width(line) + c.width().unwrap_or(0) > columns;
            if lines.last().is_some_and(full) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_for_two_columns() {
        assert_eq!(width("日本語"), 6);
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(pad("日本語", 4), "日… ");
        assert_eq!(pad_left("日", 4), "  日");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a /var/lib/docker b", 6), ["a", "/var/l", "ib/doc", "ker b"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(clean("a\x1b[2Jb\nc\u{9b}d\u{202e}e \n"), "a\\u{1b}[2Jb\\nc\\u{9b}d\\u{202e}e");
        assert_eq!(clean("größe 日本"), "größe 日本");
    }
}
