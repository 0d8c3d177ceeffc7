//! From a byte offset to what people look for: line, column, and path in the document.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;

use super::Problem;
use super::decode::SHORT;
use crate::names::shown;

/// More problems than this are not kept: a hostile file has millions, a person reads ten.
const MOST: usize = 1000;

/// A problem that still stands at a byte offset.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where it starts.
    pub(super) offset: usize,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
    /// Another place that the message is about: where the same was said first.
    pub(super) first: Option<usize>,
}

/// Problems in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    kept: Vec<Draft>,
    cut: bool,
}

impl Drafts {
    /// Notes a problem, unless there are too many already.
    pub(super) fn push(&mut self, draft: Draft) {
        if self.is_full() {
            self.cut = true;
        } else {
            self.kept.push(draft);
        }
    }

    /// Whether further problems are dropped, so that nobody needs to work on their hints.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= MOST
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The problems with line, column and path, sorted by position.
    pub(super) fn finish(mut self, text: &str, root: Option<&Value<'_>>) -> Vec<Problem> {
        self.kept.sort_by_key(|draft| draft.offset);
        let offsets = self.kept.iter().flat_map(|draft| [Some(draft.offset), draft.first]);
        let places = places(text, offsets.flatten().collect());
        let place = |offset| places.get(&offset).copied().unwrap_or((1, 1));
        let mut problems: Vec<Problem> = Vec::with_capacity(self.kept.len() + 1);
        for draft in self.kept {
            let (line, column) = place(draft.offset);
            let first = draft.first.map(place).map(|(l, c)| format!("the first is at line {l}, column {c}"));
            let path = root.map_or_else(String::new, |root| path_at(root, draft.offset));
            problems.push(Problem { line, column, path, message: draft.message, hint: first.or(draft.hint) });
        }
        if let (true, Some(last)) = (self.cut, problems.last()) {
            let message = format!("more than {MOST} problems: the rest is not listed");
            problems.push(Problem { path: String::new(), message, hint: None, ..last.clone() });
        }
        problems
    }
}

/// Line and column of each offset, found in one sweep: generated files are one single long line.
fn places(text: &str, mut offsets: Vec<usize>) -> HashMap<usize, (usize, usize)> {
    offsets.sort_unstable();
    let (mut at, mut line, mut column) = (0, 1, 1);
    let mut places = HashMap::with_capacity(offsets.len());
    for offset in offsets {
        let offset_on_char = text.floor_char_boundary(offset);
        for c in text.get(at..offset_on_char).unwrap_or_default().chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        at = at.max(offset_on_char);
        places.insert(offset, (line, column));
    }
    places
}

/// The path to whatever stands at an offset: `services["a.b"].backup.volumes[2]`.
fn path_at(root: &Value<'_>, offset: usize) -> String {
    let mut path = String::new();
    let mut node = root;
    loop {
        node = match node {
            Value::Object(object) => match at(&object.properties, offset) {
                Some((_, property)) => {
                    push_key(&mut path, property.name.as_str());
                    if offset < property.value.range().start {
                        return path;
                    }
                    &property.value
                }
                None => return path,
            },
            Value::Array(array) => match at(&array.elements, offset) {
                Some((index, element)) => {
                    // Writing to a string cannot fail.
                    let _ = write!(path, "[{index}]");
                    element
                }
                None => return path,
            },
            Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {
                return path;
            }
        };
    }
}

/// Line and column of every value but null, by its path.
pub(super) fn spots(text: &str, root: &Value<'_>) -> HashMap<String, (usize, usize)> {
    let (mut offsets, mut waiting) = (HashMap::new(), vec![(String::new(), root)]);
    while let Some((path, node)) = waiting.pop() {
        match node {
            Value::Object(object) => waiting.extend(object.properties.iter().map(|property| {
                let mut path = path.clone();
                push_key(&mut path, property.name.as_str());
                (path, &property.value)
            })),
            Value::Array(array) => {
                let elements = array.elements.iter().enumerate();
                waiting.extend(elements.map(|(index, element)| (format!("{path}[{index}]"), element)));
            }
            Value::NullKeyword(_) => continue,
            Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) => {}
        }
        offsets.insert(path, node.range().start);
    }
    let places = places(text, offsets.values().copied().collect());
    let place = |offset| places.get(&offset).copied().unwrap_or((1, 1));
    offsets.into_iter().map(|(path, offset)| (path, place(offset))).collect()
}

fn at<T: Ranged>(nodes: &[T], offset: usize) -> Option<(usize, &T)> {
    let index = nodes.partition_point(|node| node.range().start <= offset).checked_sub(1)?;
    let node = nodes.get(index)?;
    (offset < node.range().end).then_some((index, node))
}

pub(super) fn push_key(path: &mut String, key: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= 60 && key.chars().all(plain) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        let _ = write!(path, "[\"{}\"]", shown(key));
    }
}

/// The properties of an object that repeat an earlier key, each with the offset of the first.
pub(super) fn repeated<'o, 't>(properties: &'o [ObjectProp<'t>]) -> Vec<(&'o ObjectProp<'t>, usize)> {
    let again = |(at, property): (usize, &ObjectProp<'_>)| {
        properties.iter().take(at).any(|earlier| earlier.name.as_str() == property.name.as_str())
    };
    if properties.len() <= SHORT && !properties.iter().enumerate().any(again) {
        return Vec::new();
    }
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(properties.len());
    let later = |property: &'o ObjectProp<'t>| match first.entry(property.name.as_str()) {
        Entry::Occupied(first) => Some((property, *first.get())),
        Entry::Vacant(place) => {
            place.insert(property.range.start);
            None
        }
    };
    properties.iter().filter_map(later).collect()
}
