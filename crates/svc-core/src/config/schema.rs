//! The format of `services.json` as JSON Schema.
//!
//! The types describe the file with its defaults filled in, which is a valid file too. What people may write besides
//! is made of that: nearly every key may be absent or null, and nothing unknown may be there.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::Config;

/// The format of `services.json`, as it is read.
#[must_use]
pub fn schema() -> Schema {
    let mut root = schemars::schema_for!(Config).to_value();
    open(&mut root, &[]);
    for (name, definition) in root.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flatten() {
        open(definition, if name == "Timer" { &["name", "unit"] } else { &[] });
    }
    put(&mut root, "/title", json!("services.json"));
    put(&mut root, "/description", json!("Which services svc runs, and how it guards their data."));
    for (keys, names) in [("services", "ServiceName"), ("repositories", "RepositoryName")] {
        let pointer = format!("/$defs/{names}");
        put(&mut root, &format!("{pointer}/pattern"), json!("^[a-z0-9][a-z0-9._-]{0,62}$"));
        put(&mut root, &format!("{pointer}/not"), json!({"const": "all"}));
        put(&mut root, &format!("/properties/{keys}/propertyNames"), json!({"$ref": format!("#{pointer}")}));
    }
    put(
        &mut root,
        "/$defs/Backup/properties/needsServiceStopped",
        json!({"type": ["boolean", "null"], "description": "The older way to say `quiesce`: true is stop, false is none."}),
    );
    // An object it was and is.
    root.try_into().unwrap_or_default()
}

/// Makes an object of the output one of the input, where only a few keys are needed. What is no object with keys of
/// its own stays as it is.
fn open(schema: &mut Value, needed: &[&str]) {
    let Some(object) = schema.as_object_mut().filter(|object| object.contains_key("properties")) else {
        return;
    };
    let choices = choices(object, true);
    for word in ["allOf", "anyOf", "oneOf", "required"] {
        object.remove(word);
    }
    let mut properties = object.remove("properties").unwrap_or_default();
    if let Some(properties) = properties.as_object_mut() {
        for choice in &choices {
            choice.take_in(properties);
        }
        let optional = properties.iter_mut().filter(|(key, _)| !needed.contains(&key.as_str()));
        optional.for_each(|(_, property)| allow_null(property));
    }
    object.insert("properties".to_owned(), properties);
    if !needed.is_empty() {
        object.insert("required".to_owned(), json!(needed));
    }
    object.insert("additionalProperties".to_owned(), json!(false));
    let rules: Vec<Value> = choices.iter().filter_map(Choice::rule).collect();
    if !rules.is_empty() {
        object.insert("allOf".to_owned(), rules.into());
    }
}

/// Keys of which at most one may be there: a flattened enum.
struct Choice {
    /// Each an object with one property.
    variants: Vec<Value>,
    /// Whether one must be there.
    needed: bool,
}

fn choices(object: &Map<String, Value>, needed: bool) -> Vec<Choice> {
    let list = |word| object.get(word).and_then(Value::as_array);
    if let Some(variants) = list("oneOf") {
        return vec![Choice { variants: variants.clone(), needed }];
    }
    // `anyOf: [the enum, {}]` is how an optional one is written.
    let optional = list("anyOf").into_iter().flatten().map(|inner| (inner, false));
    let several = list("allOf").into_iter().flatten().map(|inner| (inner, needed));
    let inner = optional.chain(several);
    inner.filter_map(|(inner, needed)| Some(choices(inner.as_object()?, needed))).flatten().collect()
}

impl Choice {
    fn take_in(&self, properties: &mut Map<String, Value>) {
        for variant in &self.variants {
            for (key, property) in variant.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                let mut property = property.clone();
                put(&mut property, "/description", variant.get("description").cloned().unwrap_or_default());
                properties.insert(key.clone(), property);
            }
        }
    }

    fn rule(&self) -> Option<Value> {
        let keys = self.variants.iter().filter_map(|variant| variant.get("required")?.get(0)?.as_str());
        let set = |key: &str| json!({"required": [key], "properties": {key: {"not": {"type": "null"}}}});
        let mut ways: Vec<Value> = keys.map(set).collect();
        if !self.needed {
            if ways.len() < 2 {
                return None;
            }
            ways.push(json!({"not": {"anyOf": ways}}));
        }
        Some(json!({"oneOf": ways}))
    }
}

fn allow_null(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    if let Some(reference) = object.remove("$ref") {
        object.insert("anyOf".to_owned(), json!([{"$ref": reference}, {"type": "null"}]));
    } else if let Some(name @ Value::String(_)) = object.get("type").cloned() {
        object.insert("type".to_owned(), json!([name, "null"]));
    }
}

/// Sets the last key of a pointer, in an object that is there.
fn put(root: &mut Value, pointer: &str, value: Value) {
    if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(object) = root.pointer_mut(parent).and_then(Value::as_object_mut)
    {
        object.insert(key.to_owned(), value);
    }
}
