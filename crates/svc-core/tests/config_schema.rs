//! The published schema and the decoder agree on what may stand in `services.json`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use svc_core::config::{Config, Defaults, Problem, parse, schema};

const EXAMPLE: &str = include_str!("data/services.example.json");
const FULL: &str = include_str!("data/services.full.json");

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    let defaults = Defaults {
        hostname: "box".into(),
        state_dir: "/var/lib/svc".into(),
        cache_dir: "/var/cache/svc".into(),
    };
    parse(text.as_bytes(), &defaults)
}

/// Whether the schema takes a document.
fn valid(document: &Value) -> bool {
    jsonschema::is_valid(schema().as_value(), document)
}

/// Every object with keys of its own in a document: where it is, and which part of the schema describes it.
fn objects<'s>(schema: &'s Value, root: &'s Value, value: &Value, at: &str) -> Vec<(String, &'s Value)> {
    let schema = resolve(schema, root);
    match value {
        Value::Object(object) => {
            let own = schema.get("properties");
            let here = own.map(|_| (at.to_owned(), schema));
            let below = object.iter().flat_map(|(key, value)| {
                let inner = own.and_then(|own| own.get(key)).or(schema.get("additionalProperties"));
                inner
                    .into_iter()
                    .flat_map(|inner| objects(inner, root, value, &format!("{at}/{key}")))
                    .collect::<Vec<_>>()
            });
            here.into_iter().chain(below).collect()
        }
        Value::Array(elements) => (0..)
            .zip(elements)
            .flat_map(|(index, value)| match schema.get("items") {
                Some(items) => objects(items, root, value, &format!("{at}/{index}")),
                None => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let schema = schema.get("anyOf").and_then(|any| any.get(0)).unwrap_or(schema);
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_format_in_use_today_is_valid_and_loads_without_a_warning() {
    assert!(valid(&serde_json::from_str(EXAMPLE).unwrap()));
    assert_eq!(load(EXAMPLE).unwrap().warnings, []);
}

#[test]
fn a_file_with_every_key_is_valid_and_loads_without_a_warning() {
    let full = serde_json::from_str(FULL).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(schema().as_value())
        .unwrap()
        .iter_errors(&full)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    assert_eq!(load(FULL).unwrap().warnings, []);
}

#[test]
fn the_file_with_every_key_has_every_key_of_the_schema() {
    let (schema, full) = (schema().to_value(), serde_json::from_str(FULL).unwrap());
    let mut seen: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (at, part) in objects(&schema, &schema, &full, "") {
        let entry = seen.entry(part["description"].to_string()).or_default();
        entry.0.extend(keys(&part["properties"]));
        entry.1.extend(keys(full.pointer(&at).unwrap()));
    }
    assert_eq!(seen.len(), 17, "{:?}", seen.keys());
    for (part, (published, present)) in seen {
        assert_eq!(published, present, "{part}");
    }
}

#[test]
fn the_decoder_takes_exactly_the_keys_of_the_schema() {
    let (schema, full): (_, Value) = (schema().to_value(), serde_json::from_str(FULL).unwrap());
    for (at, part) in objects(&schema, &schema, &full, "") {
        let mut broken = full.clone();
        broken.pointer_mut(&at).unwrap()["xxxxxxxxxxxxxxxxxxxx"] = json!(1);
        assert!(!valid(&broken), "{at}");
        let problems = load(&broken.to_string()).unwrap_err();
        let hint = problems.first().unwrap().hint.as_deref().unwrap();
        let taken = hint.strip_prefix("known here: ").unwrap().split(", ").map(str::to_owned).collect();
        assert_eq!(keys(&part["properties"]), taken, "{at}");
    }
}

#[test]
fn whatever_loads_without_a_key_or_with_null_is_valid() {
    let (schema, full): (_, Value) = (schema().to_value(), serde_json::from_str(FULL).unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut loaded = 0;
    for (at, _) in objects(&schema, &schema, &full, "") {
        for key in keys(full.pointer(&at).unwrap()) {
            let mut nulled = full.clone();
            nulled.pointer_mut(&at).unwrap()[&key] = Value::Null;
            let mut without = full.clone();
            without.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(&key);
            let nulled_config = load(&nulled.to_string());
            assert_eq!(nulled_config.is_ok(), load(&without.to_string()).is_ok(), "{at}/{key}");
            if nulled_config.is_ok() {
                loaded += 1;
                assert!(validator.is_valid(&nulled), "{at}/{key} null");
                assert!(validator.is_valid(&without), "{at}/{key} absent");
            }
        }
    }
    assert!(loaded > 60, "{loaded}");
}

#[test]
fn a_value_of_the_wrong_type_is_neither_valid_nor_loaded() {
    let (schema, full): (_, Value) = (schema().to_value(), serde_json::from_str(FULL).unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (at, _) in objects(&schema, &schema, &full, "") {
        for key in keys(full.pointer(&at).unwrap()) {
            let mut broken = full.clone();
            let value = &mut broken.pointer_mut(&at).unwrap()[&key];
            *value = if value.is_boolean() { json!("yes") } else { json!(true) };
            assert!(!validator.is_valid(&broken), "{at}/{key}");
            let problems = load(&broken.to_string()).expect_err(&key);
            assert!(problems.iter().any(|problem| problem.message.contains("belongs here")), "{at}/{key}");
        }
    }
}

#[test]
fn what_is_shown_of_a_configuration_loads_as_the_same() {
    for text in [EXAMPLE, FULL, "{}", r#"{"services": {"a": {}}, "repositories": {}}"#] {
        let config = load(text).unwrap();
        let shown = serde_json::to_value(&config).unwrap();
        assert!(valid(&shown), "{shown}");
        assert_eq!(load(&shown.to_string()).as_ref(), Ok(&config));
    }
}

#[test]
fn services_that_today_load_have_no_key_that_the_schema_would_refuse() {
    let named = |name: &str| valid(&json!({"services": {name: {}}}));
    assert!(named("a.b-c_9"));
    assert!(!named("all") && !named("A") && !named("-a") && !named(""));
}
