//! From bytes to a tree that knows where each value stands. Strict JSON, nothing more.

use jsonc_parser::ast::Value;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};
use serde::de::IgnoredAny;

use super::position::{Draft, Drafts, repeated};
use super::strict;

/// Deeper nesting is refused before any parser that recurses sees it. The format itself needs ten levels.
const DEEPEST: usize = 64;

/// The text of the file; the problem with its encoding otherwise.
pub(super) fn text(bytes: &[u8]) -> Result<&str, (&str, Draft)> {
    let (valid, rest) = match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with('\u{feff}') => {
            let draft = draft(0, "the file begins with a byte order mark");
            return Err((text, Draft { hint: Some("save it as UTF-8 without one".to_owned()), ..draft }));
        }
        Ok(text) => return Ok(text),
        Err(error) => bytes.split_at(error.valid_up_to()),
    };
    let byte = rest.first().copied().unwrap_or_default();
    let message = format!("byte 0x{byte:02x} is not UTF-8");
    Err((std::str::from_utf8(valid).unwrap_or_default(), draft(valid.len(), &message)))
}

/// The tree of a text that is strict JSON; the first place where it is not, otherwise.
pub(super) fn tree(text: &str) -> Result<Value<'_>, Draft> {
    strict::tree(text, DEEPEST).map_or_else(|| by_others(text), Ok)
}

/// The same by parsers that can say what is wrong.
///
/// Three passes, for `jsonc-parser` alone is no judge of JSON even with every option off: it recurses as deep as
/// the text, lets commas between array elements go missing and takes raw control characters and exotic white space.
fn by_others(text: &str) -> Result<Value<'_>, Draft> {
    if let Some(offset) = too_deep(text.as_bytes()) {
        return Err(draft(offset, &format!("nested deeper than {DEEPEST} levels")));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(text, &error))?;
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    match parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(result) => result.value.ok_or_else(|| draft(0, "the file is empty")),
        Err(error) => Err(draft(error.range().start, jsonc_message(error.kind()))),
    }
}

/// Notes every key that an object has twice, anywhere in the tree.
pub(super) fn note_repeated_keys(root: &Value<'_>, problems: &mut Drafts) {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        match node {
            Value::Object(object) => {
                for (property, first) in repeated(&object.properties) {
                    let message = "this key is here a second time";
                    problems.push(Draft { first: Some(first), ..draft(property.range.start, message) });
                }
                waiting.extend(object.properties.iter().map(|property| &property.value));
            }
            Value::Array(array) => waiting.extend(&array.elements),
            Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
        }
    }
}

/// Lone surrogates are all that serde lets pass when it only looks.
fn jsonc_message(kind: &ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::String(ParseStringErrorKind::InvalidUnicodeEscapeSequence(_)) => {
            "this escape is half a character: a lone surrogate"
        }
        _ => "this is not JSON",
    }
}

/// Where nesting goes beyond the limit. Looks at brackets outside strings only, so that it needs no stack.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    let counts = |byte: &u8| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}');
    while let Some(offset) = position(bytes, at, counts) {
        at = offset + 1;
        match bytes[offset] {
            b'"' => at = end_of_string(bytes, at)?,
            b'[' | b'{' if depth == DEEPEST => return Some(offset),
            b'[' | b'{' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
    }
    None
}

/// What comes after the string that began before `at`; nothing: it does not end.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let offset = position(bytes, at, |byte| matches!(byte, b'"' | b'\\'))?;
        if bytes[offset] == b'"' {
            return Some(offset + 1);
        }
        at = offset + 2;
    }
}

fn position(bytes: &[u8], from: usize, is_wanted: impl Fn(&u8) -> bool) -> Option<usize> {
    bytes.get(from..)?.iter().position(is_wanted).map(|place| from + place)
}

fn not_json(text: &str, error: &serde_json::Error) -> Draft {
    if text.trim().is_empty() {
        let hint = Some("begin with `{\"services\": {}}`".to_owned());
        return Draft { hint, ..draft(0, "the file is empty") };
    }
    if error.is_eof() {
        let message = without_place(error).replace("EOF", "the file ends");
        let hint = Some("was it cut off?".to_owned());
        return Draft { hint, ..draft(text.trim_end().len(), &message) };
    }
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(0, |(offset, _)| offset + 1),
    };
    let message = without_place(error);
    // The last byte read is the culprit, but for control characters, which are only peeked at.
    let culprit =
        error.column() - usize::from(!message.starts_with("control character") && error.column() > 0);
    let offset = text.floor_char_boundary(line_start + culprit);
    Draft { hint: slip(text, offset, &message).map(str::to_owned), ..draft(offset, &message) }
}

/// What people write who take JSON for JavaScript, YAML or Nix.
fn slip(text: &str, offset: usize, message: &str) -> Option<&'static str> {
    let (before, rest) = text.split_at_checked(offset)?;
    match message {
        "trailing characters" if !rest.starts_with(['/', '#']) => {
            return Some("the object ends before this: is there a bracket too many?");
        }
        "invalid escape" => return Some("write a backslash as `\\\\`"),
        "invalid number" => return Some("JSON knows no numbers such as `01`, `+1`, `.5` or `0x1f`"),
        _ => {}
    }
    match rest.chars().next()? {
        c if c.is_alphabetic() && before.trim().is_empty() => {
            Some("the file is one JSON object: it begins with `{`")
        }
        '}' | ']' if before.trim_end().ends_with(',') => Some("leave out the comma before it"),
        '/' | '#' => Some("JSON has no comments"),
        '\'' => Some("JSON has only double quotes"),
        '"' | '{' | '[' if message.starts_with("expected `,`") => Some("put a comma before it"),
        '}' | ']' if message.starts_with("expected `,`") => Some("is there a bracket too many?"),
        '\n' | '\t' | '\r' => Some("write a line break as `\\n` and a tab as `\\t`"),
        c if c.is_alphabetic() || c == '_' => Some("put it in double quotes"),
        _ => None,
    }
}

/// `serde_json`'s message without " at line 1 column 2": we count columns in characters, and at the end.
fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

fn draft(offset: usize, message: &str) -> Draft {
    Draft { offset, message: message.to_owned(), hint: None, first: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        r#"{"a":[1, -2.5e+3,0,{}, []], "b" : {"c\n\u00e9":null,"d":true ,"é":"x\"y"},"e":false}"#;

    fn assert_same(text: &str) {
        let (quick, thorough) = (strict::tree(text, DEEPEST), by_others(text));
        assert_eq!(quick, thorough.ok(), "{text}");
    }

    #[test]
    fn both_ways_give_the_same_tree() {
        assert!(strict::tree(SMALL, DEEPEST).is_some());
        for text in [
            include_str!("../../tests/data/services.example.json"),
            include_str!("../../tests/data/services.full.json"),
            SMALL,
            " 1 ",
            "\"\\ud83d\\ude00\"",
        ] {
            assert_same(text);
        }
        for levels in [DEEPEST, DEEPEST + 1] {
            assert_same(&format!("{}1{}", "[".repeat(levels), "]".repeat(levels)));
        }
    }

    #[test]
    fn both_ways_refuse_the_same_texts() {
        for (at, _) in SMALL.char_indices() {
            let (before, rest) = SMALL.split_at(at);
            let after = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
            assert_same(before);
            for other in [
                "", ",", "\"", "\\", "\n", "}", "]", "{", ":", "0", "1", "x", "-", ".", "e", "\u{b}",
                "\u{a0}", "/",
            ] {
                assert_same(&format!("{before}{other}{after}"));
                assert_same(&format!("{before}{other}{rest}"));
            }
        }
        for text in [
            "",
            " ",
            "01",
            "1.",
            "-",
            "1e",
            "+1",
            ".5",
            "nul",
            "\"\\ud800\"",
            "\u{feff}{}",
            "{} {}",
            "[1 2]",
            "[,]",
        ] {
            assert_same(text);
            assert!(strict::tree(text, DEEPEST).is_none(), "{text}");
        }
    }
}
