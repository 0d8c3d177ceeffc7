//! One line of `journalctl --output=json`. A field may be text, bytes, several of either, or nothing at all.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What svc takes of an entry, in the words of `systemd.journal-fields(7)`. The address fields come unasked.
pub(super) const FIELDS: &str = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT,\
                                 _SYSTEMD_USER_UNIT,USER_UNIT,OBJECT_SYSTEMD_USER_UNIT";

/// Where the unit's name is: its own messages, then what systemd says of it.
const UNITS: [&str; 7] = [
    "_SYSTEMD_UNIT",
    "_SYSTEMD_USER_UNIT",
    "UNIT",
    "USER_UNIT",
    "OBJECT_SYSTEMD_UNIT",
    "OBJECT_SYSTEMD_USER_UNIT",
    "COREDUMP_UNIT",
];

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) message: String,
    pub(super) priority: Option<u8>,
    /// The units that it may be of, the likeliest first.
    pub(super) units: Vec<String>,
    /// Its place in the journal.
    pub(super) cursor: Option<String>,
}

/// The entry in a line; nothing in one that is no entry. `last` is the time of the entry before, for one without.
pub(super) fn read(line: &[u8], last: Timestamp) -> Option<Entry> {
    if line.first() != Some(&b'{') {
        return None;
    }
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(line) else {
        return Some(unreadable(line, last));
    };
    let field = |name: &str| fields.get(name).and_then(text);
    Some(Entry {
        at: field("__REALTIME_TIMESTAMP").and_then(|micros| moment(&micros)).unwrap_or(last),
        message: field("MESSAGE").unwrap_or_default(),
        priority: field("PRIORITY").and_then(|text| text.parse().ok()).filter(|priority| *priority <= 7),
        units: UNITS.iter().filter_map(|name| field(name)).collect(),
        cursor: field("__CURSOR"),
    })
}

/// An entry that was cut because it is too long: that it was there is said all the same.
fn unreadable(line: &[u8], last: Timestamp) -> Entry {
    let head = String::from_utf8_lossy(line);
    let quoted = |name: &str| {
        let (_, after) = head.split_once(&format!("\"{name}\":\""))?;
        after.split('"').next().map(str::to_owned)
    };
    Entry {
        at: quoted("__REALTIME_TIMESTAMP").and_then(|micros| moment(&micros)).unwrap_or(last),
        message: "(an entry that is too long to be shown)".to_owned(),
        priority: None,
        units: UNITS.iter().filter_map(|name| quoted(name)).collect(),
        cursor: None,
    }
}

fn moment(micros: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros.parse().ok()?).ok()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => bytes(values).or_else(|| {
            let texts: Vec<String> = values.iter().filter_map(text).collect();
            Some(texts.join("\n"))
        }),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
    }
}

/// What is not UTF-8 or has control characters in it comes as an array of its bytes.
fn bytes(values: &[Value]) -> Option<String> {
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes: Option<Vec<u8>> = values.iter().map(byte).collect();
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(value: &str) -> String {
        let line = format!(r#"{{"__REALTIME_TIMESTAMP":"1795171544783863","MESSAGE":{value}}}"#);
        read(line.as_bytes(), Timestamp::MIN).unwrap().message
    }

    #[test]
    fn an_entry_has_time_text_priority_unit_and_place() {
        let line = r#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795171544783863","PRIORITY":"3",
            "UNIT":"notes.service","_SYSTEMD_UNIT":"init.scope","MESSAGE":"Started","_PID":"1"}"#;
        let entry = read(line.as_bytes(), Timestamp::MIN).unwrap();
        assert_eq!(entry.at.to_string(), "2026-11-20T10:45:44.783863Z");
        assert_eq!((entry.message.as_str(), entry.priority), ("Started", Some(3)));
        assert_eq!(entry.units, ["init.scope", "notes.service"]);
        assert_eq!(entry.cursor.as_deref(), Some("s=1;i=2"));
    }

    #[test]
    fn odd_messages_are_messages() {
        for (value, wanted) in [
            ("null", ""),
            ("[98,105,110,1,255]", "bin\u{1}\u{fffd}"),
            ("[27,91,51,49,109]", "\u{1b}[31m"),
            (r#"["one","two"]"#, "one\ntwo"),
            (r#"["one",[116,119,111]]"#, "one\ntwo"),
            (r#""two\nlines""#, "two\nlines"),
            (r#""\ud83d\ude00""#, "😀"),
            ("[]", ""),
            ("[300]", "300"),
            ("7", "7"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            assert_eq!(message(value), wanted, "{value}");
        }
        let without = read(br#"{"PRIORITY":"99"}"#, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((without.message.as_str(), without.priority), ("", None));
        assert_eq!(without.at, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_cut_entry_is_still_told_of() {
        let line = format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795171544783863","_SYSTEMD_UNIT":"a.service","MESSAGE":"{}"#,
            "x".repeat(100)
        );
        let entry = read(line.as_bytes(), Timestamp::MIN).unwrap();
        assert_eq!(entry.at.to_string(), "2026-11-20T10:45:44.783863Z");
        assert_eq!(entry.units, ["a.service"]);
        assert!(entry.message.contains("too long"), "{}", entry.message);
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        for line in ["", "-- Boot 4f1c --", "-- No entries --", "[]"] {
            assert_eq!(read(line.as_bytes(), Timestamp::MIN), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_ends_well(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&line, Timestamp::MIN);
            let _ = read(&[b"{", line.as_slice()].concat(), Timestamp::MIN);
        }

        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            prop_assert_eq!(message(&serde_json::to_string(&text).unwrap()), text.clone());
            let bytes = serde_json::to_string(text.as_bytes()).unwrap();
            prop_assert_eq!(message(&bytes), text);
        }
    }
}
