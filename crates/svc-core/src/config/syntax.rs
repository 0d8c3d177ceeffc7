//! From bytes to a tree that knows where each value stands. Strict JSON, nothing more.

use jsonc_parser::ast::Value;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};
use serde::de::IgnoredAny;

use super::position::{Draft, Drafts, repeated};

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
///
/// Three passes, for `jsonc-parser` alone is no judge of JSON even with every option off: it recurses as deep as
/// the text, lets commas between array elements go missing and takes raw control characters and exotic white space.
pub(super) fn tree(text: &str) -> Result<Value<'_>, Draft> {
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
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' if depth == DEEPEST => return Some(offset),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
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
