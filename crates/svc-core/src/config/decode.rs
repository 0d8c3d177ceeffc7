//! The tree, read into types: every problem is noted where it stands, and reading goes on.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::PathBuf;
use std::str::FromStr;

use indexmap::IndexMap;
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;

use super::position::{Draft, Drafts};
use super::references::References;
use super::suggest::closest;
use super::{Defaults, Paths};
use crate::names::{NameError, shown};

/// Up to here comparing each with each is faster than any table.
pub(super) const SHORT: usize = 24;

/// A value with its place.
pub(super) type Node<'t> = &'t Value<'t>;

/// What stands where.
#[derive(Debug, Clone)]
pub(super) struct Spotted<T> {
    /// The value.
    pub(super) value: T,
    /// Where it starts.
    pub(super) offset: usize,
}

/// What is carried along while the tree is read.
pub(super) struct Decoder<'d> {
    /// What the file need not say.
    pub(super) defaults: &'d Defaults,
    /// What keeps the file from being used.
    pub(super) problems: Drafts,
    /// What does not.
    pub(super) warnings: Drafts,
    /// Names that must exist, looked up at the end.
    pub(super) references: References,
    /// Where secrets are, known once `paths` is read.
    pub(super) secrets_root: PathBuf,
    /// svc's own directories, known once `paths` is read.
    pub(super) own_dirs: Vec<PathBuf>,
}

impl<'d> Decoder<'d> {
    /// Nothing read yet.
    pub(super) fn new(defaults: &'d Defaults) -> Self {
        Self {
            defaults,
            problems: Drafts::default(),
            warnings: Drafts::default(),
            references: References::default(),
            secrets_root: PathBuf::new(),
            own_dirs: Vec::new(),
        }
    }

    /// Takes up what the rest of the file depends on.
    pub(super) fn know(&mut self, paths: &Paths) {
        self.secrets_root.clone_from(&paths.secrets_root);
        let set_or = |set: &Option<PathBuf>, default: &PathBuf| set.as_ref().unwrap_or(default).clone();
        self.own_dirs = vec![
            set_or(&paths.state_dir, &self.defaults.state_dir),
            set_or(&paths.cache_dir, &self.defaults.cache_dir),
        ];
    }

    /// Notes a problem.
    pub(super) fn problem(&mut self, offset: usize, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Draft { offset, message: message.into(), hint, first: None });
    }

    /// Notes a warning.
    pub(super) fn warning(&mut self, offset: usize, message: impl Into<String>, hint: Option<String>) {
        self.warnings.push(Draft { offset, message: message.into(), hint, first: None });
    }

    /// Notes that a value cannot be taken.
    pub(super) fn refuse<T>(&mut self, node: Node<'_>, message: impl Into<String>) -> Option<T> {
        self.problem(node.range().start, message, None);
        None
    }

    /// Notes that a value cannot be taken, and what to do.
    pub(super) fn refuse_hinting<T>(
        &mut self,
        node: Node<'_>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.problem(node.range().start, message, Some(hint.into()));
        None
    }

    /// Notes that a value is of the wrong type, with the hint that the mistake suggests.
    pub(super) fn wrong_type<T>(&mut self, node: Node<'_>, wanted: &str) -> Option<T> {
        let hint = match node {
            Value::StringLit(text) if wanted == "a list" => {
                Some(format!("put it in brackets: `[\"{}\"]`", shown(&text.value)))
            }
            Value::StringLit(_) if wanted.ends_with("number") || wanted.starts_with("true") => {
                Some("leave the quotes out".to_owned())
            }
            Value::NumberLit(_) | Value::BooleanLit(_) if wanted == "a text" => {
                Some("put it in quotes".to_owned())
            }
            _ => None,
        };
        let message = format!("{wanted} belongs here, not {}", kind(node));
        self.problem(node.range().start, message, hint);
        None
    }
}

/// The type of a value, for people.
fn kind(node: Node<'_>) -> &'static str {
    match node {
        Value::StringLit(_) => "a text",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(boolean) if boolean.value => "true",
        Value::BooleanLit(_) => "false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}

/// The fields of one object. What is not asked for until [`Fields::finish`] is unknown.
pub(super) struct Fields<'t> {
    object: &'t Object<'t>,
    asked: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    /// The fields of a value that should be an object.
    pub(super) fn open(node: Node<'t>, d: &mut Decoder<'_>) -> Option<Self> {
        match node {
            Value::Object(object) => Some(Self { object, asked: Vec::with_capacity(24) }),
            _ => d.wrong_type(node, "an object"),
        }
    }

    /// Where the object starts.
    pub(super) fn offset(&self) -> usize {
        self.object.range.start
    }

    /// The value of a key; nothing when it is absent or null.
    pub(super) fn node(&mut self, key: &'static str) -> Option<Node<'t>> {
        self.asked.push(key);
        let property = self.object.properties.iter().find(|property| property.name.as_str() == key)?;
        (!matches!(property.value, Value::NullKeyword(_))).then_some(&property.value)
    }

    /// The value of a key that may be absent.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        d: &mut Decoder<'_>,
        decode: impl FnOnce(Node<'t>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        self.node(key).and_then(|node| decode(node, d))
    }

    /// The value of a key that may be absent, with its place.
    pub(super) fn spot<T>(
        &mut self,
        key: &'static str,
        d: &mut Decoder<'_>,
        decode: impl FnOnce(Node<'t>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<Spotted<T>> {
        self.node(key).and_then(|node| spotted(node, d, decode))
    }

    /// The value of a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        d: &mut Decoder<'_>,
        decode: impl FnOnce(Node<'t>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.node(key) else {
            d.problem(self.offset(), format!("`{key}` is missing"), None);
            return None;
        };
        decode(node, d)
    }

    /// The elements of a list that may be absent.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        d: &mut Decoder<'_>,
        decode: impl FnMut(Node<'t>, &mut Decoder<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.get(key, d, |node, d| list(node, d, decode)).unwrap_or_default()
    }

    /// The elements of a list in which each is meant to be there once; a repetition is dropped with a warning.
    pub(super) fn set<T: Clone + Eq + Hash>(
        &mut self,
        key: &'static str,
        d: &mut Decoder<'_>,
        mut decode: impl FnMut(Node<'t>, &mut Decoder<'_>) -> Option<T>,
    ) -> Vec<Spotted<T>> {
        let mut elements = self.list(key, d, |node, d| spotted(node, d, |node, d| decode(node, d)));
        // Most lists are short: no set for those.
        let again = |(at, element): (usize, &Spotted<T>)| {
            elements.iter().take(at).any(|earlier| earlier.value == element.value)
        };
        if elements.len() <= SHORT && !elements.iter().enumerate().any(again) {
            return elements;
        }
        let mut seen = HashSet::with_capacity(elements.len());
        elements.retain(|element| {
            let new = seen.insert(element.value.clone());
            if !new {
                d.warning(element.offset, "this is listed a second time", None);
            }
            new
        });
        elements
    }

    /// Notes every key that was not asked for.
    pub(super) fn finish(mut self, d: &mut Decoder<'_>) {
        for property in &self.object.properties {
            let key = property.name.as_str();
            if self.asked.contains(&key) {
                continue;
            }
            // Some are asked for twice.
            let mut seen = HashSet::new();
            self.asked.retain(|key| seen.insert(*key));
            let hint = (!d.problems.is_full()).then(|| match closest(key, self.asked.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            });
            d.problem(property.range.start, format!("unknown key `{}`", shown(key)), hint);
        }
    }
}

fn spotted<'t, T>(
    node: Node<'t>,
    d: &mut Decoder<'_>,
    decode: impl FnOnce(Node<'t>, &mut Decoder<'_>) -> Option<T>,
) -> Option<Spotted<T>> {
    let offset = node.range().start;
    decode(node, d).map(|value| Spotted { value, offset })
}

/// The elements of a list; those that cannot be taken are left out.
pub(super) fn list<'t, T>(
    node: Node<'t>,
    d: &mut Decoder<'_>,
    mut decode: impl FnMut(Node<'t>, &mut Decoder<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    match node {
        Value::Array(array) => {
            // Most have one element, and a vector that grows begins with four.
            let mut taken = Vec::with_capacity(array.elements.len());
            taken.extend(array.elements.iter().filter_map(|element| decode(element, d)));
            Some(taken)
        }
        _ => d.wrong_type(node, "a list"),
    }
}

/// The entries of an object whose keys are names of the file's own; those that cannot be taken are left out.
pub(super) fn entries<'t, K: Eq + Hash, V>(
    node: Node<'t>,
    d: &mut Decoder<'_>,
    mut key: impl FnMut(&'t str, usize, &mut Decoder<'_>) -> Option<K>,
    mut value: impl FnMut(&'t str, Node<'t>, &mut Decoder<'_>) -> Option<V>,
) -> Option<IndexMap<K, V>> {
    let Value::Object(object) = node else {
        return d.wrong_type(node, "an object");
    };
    let mut entries = IndexMap::with_capacity(object.properties.len());
    for property in &object.properties {
        let text = property.name.as_str();
        let key = key(text, property.range.start, d);
        // Read even when the key is wrong, for the problems within.
        let value = value(text, &property.value, d);
        if let (Some(key), Some(value)) = (key, value) {
            entries.entry(key).or_insert(value);
        }
    }
    Some(entries)
}

/// A key that is a name with the rule of its type.
pub(super) fn name_key<K: FromStr<Err = NameError>>(
    key: &str,
    offset: usize,
    d: &mut Decoder<'_>,
) -> Option<K> {
    key.parse().map_err(|error: NameError| d.problem(offset, error.to_string(), None)).ok()
}

/// The values of a list, without their places.
pub(super) fn values<T>(spotted: Vec<Spotted<T>>) -> Vec<T> {
    spotted.into_iter().map(|element| element.value).collect()
}
