//! Texts, numbers, names and paths of the file, each with the rule it must keep.
//!
//! No message quotes a path or a value that could be a secret put in the wrong place.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use super::Period;
use super::decode::{Decoder, Node, list};
use super::suggest::did_you_mean;
use crate::names::{NameError, shown};

/// `PATH_MAX`, its NUL included.
const LONGEST_PATH: usize = 4096;

/// Any text.
pub(super) fn text<'t>(node: Node<'t>, d: &mut Decoder<'_>) -> Option<&'t str> {
    match node {
        Value::StringLit(text) => Some(&text.value),
        _ => d.wrong_type(node, "a text"),
    }
}

/// A text with something in it that a program can be given.
pub(super) fn argument(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    match any_argument(node, d)? {
        text if text.is_empty() => d.refuse(node, "this is empty"),
        text => Some(text),
    }
}

/// A text that a program can be given, empty or not: no NUL in it.
pub(super) fn any_argument(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    match text(node, d)? {
        text if text.contains('\0') => d.refuse(node, "this has a NUL in it"),
        text => Some(text.to_owned()),
    }
}

/// A text in one line that can be shown on a terminal as it is.
pub(super) fn word(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    match text(node, d)? {
        "" => d.refuse(node, "this is empty"),
        text if text.contains(char::is_control) => d.refuse(node, "this has a control character in it"),
        text => Some(text.to_owned()),
    }
}

/// A description: line breaks become spaces, for Nix's indented strings end with one.
pub(super) fn description(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let line = text(node, d)?.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.contains(char::is_control) {
        return d.refuse(node, "this has a control character in it");
    }
    (!line.is_empty()).then_some(line)
}

/// argv: a program and its arguments.
pub(super) fn argv(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Vec<String>> {
    let Value::Array(array) = node else {
        let hint = "no shell splits it: write the program and each argument as an element of a list";
        return match node {
            Value::StringLit(_) => d.refuse_hinting(node, "a list belongs here, not a text", hint),
            _ => d.wrong_type(node, "a list"),
        };
    };
    if array.elements.is_empty() {
        return d.refuse(node, "a command needs a program");
    }
    let mut first = true;
    let words = list(node, d, |element, d| {
        if std::mem::take(&mut first) { argument(element, d) } else { any_argument(element, d) }
    })?;
    (words.len() == array.elements.len()).then_some(words)
}

/// True or false.
pub(super) fn boolean(node: Node<'_>, d: &mut Decoder<'_>) -> Option<bool> {
    match node {
        Value::BooleanLit(boolean) => Some(boolean.value),
        _ => d.wrong_type(node, "true or false"),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(Node<'_>, &mut Decoder<'_>) -> Option<T> {
    move |node, d| {
        let Value::NumberLit(literal) = node else {
            return d.wrong_type(node, "a number");
        };
        let digits = literal.value.strip_prefix('-').unwrap_or(literal.value);
        if !digits.bytes().all(|c| c.is_ascii_digit()) {
            return d.refuse(node, "a whole number belongs here");
        }
        let value = literal.value.parse::<u64>().ok().filter(|value| (least..=most).contains(value));
        match value.and_then(|value| T::try_from(value).ok()) {
            Some(value) => Some(value),
            None => d.refuse(node, format!("this number must be from {least} to {most}")),
        }
    }
}

/// A name with the rule of its type.
pub(super) fn name<T: FromStr<Err = NameError>>(node: Node<'_>, d: &mut Decoder<'_>) -> Option<T> {
    match text(node, d)?.parse() {
        Ok(name) => Some(name),
        Err(error) => d.refuse(node, error.to_string()),
    }
}

/// A length of time.
pub(super) fn period(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Period> {
    if let Value::NumberLit(literal) = node {
        let hint = format!("write it with a unit: `\"{}s\"`", shown(literal.value));
        return d.refuse_hinting(node, "a length of time belongs here, not a number", hint);
    }
    match text(node, d)?.parse::<Period>() {
        Ok(period) => Some(period),
        Err(error) => d.refuse(node, error.to_string()),
    }
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(Node<'_>, &mut Decoder<'_>) -> Option<T> {
    move |node, d| {
        let text = text(node, d)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known = || words.iter().map(|(word, _)| *word);
        let hint = did_you_mean(text, known());
        let known: Vec<String> = known().map(|word| format!("`{word}`")).collect();
        let message = format!("`{}` is none of {}", shown(text), known.join(", "));
        d.problem(node.range().start, message, hint);
        None
    }
}

/// An absolute path without detours: what it says is where it leads, links aside.
pub(super) fn path(node: Node<'_>, d: &mut Decoder<'_>) -> Option<PathBuf> {
    let text = text(node, d)?;
    if is_plain(text) {
        return Some(PathBuf::from(text));
    }
    let fault = match text {
        "" => "this is empty",
        _ if text.contains(char::is_control) => "this path has a control character in it",
        _ if !text.starts_with('/') => {
            return d.refuse_hinting(node, "this path is not absolute", "begin it with `/`");
        }
        _ if text.len() >= LONGEST_PATH => "this path is too long",
        _ if text.split('/').any(|part| part == "." || part == "..") => "this path has `.` or `..` in it",
        // Without doubled and trailing slashes, so that equal paths are equal.
        _ => return Some(Path::new(text).components().collect()),
    };
    d.refuse(node, fault)
}

/// Whether a path has nothing in it that needs a closer look; nearly all have not, and looking closer takes long.
fn is_plain(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    path.len() < LONGEST_PATH
        && path
            .strip_prefix('/')
            .is_some_and(|path| path.split('/').all(|part| !part.is_empty() && part.bytes().all(plain)))
}
