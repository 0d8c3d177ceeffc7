//! One line of the engine's events.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Happening, HappeningKind};
use crate::docker::labels;

/// What is asked for: `{"type":["container"],"event":["start","destroy"]}`.
pub(crate) const FILTERS: &str =
    "%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22start%22%2C%22destroy%22%5D%7D";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    action: String,
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    /// The container's labels, and its name.
    #[serde(rename = "Attributes", default)]
    attributes: HashMap<String, String>,
}

/// What a line tells; nothing for one that svc has no use for.
pub(crate) fn read(line: &[u8]) -> Option<Happening> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let kind = match line.action.as_str() {
        "start" => HappeningKind::Started,
        // Podman's word, then Docker's.
        "remove" | "destroy" => HappeningKind::Removed,
        _ => return None,
    };
    let compose = labels::compose(&line.actor.attributes);
    let name = line.actor.attributes.get("name").cloned().unwrap_or_default();
    Some(Happening { kind, id: line.actor.id, name, compose })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 26 wrote it, shortened.
    const START: &str = r#"{"status":"start","id":"5c0f","from":"homeserver/paperless:1","Type":"container",
        "Action":"start","Actor":{"ID":"5c0f","Attributes":{"com.docker.compose.container-number":"1",
        "com.docker.compose.oneoff":"False","com.docker.compose.project":"paperless",
        "com.docker.compose.service":"web","image":"homeserver/paperless:1","name":"paperless-web-1"}},
        "scope":"local","time":1795171544,"timeNano":1795171544783863000}"#;

    #[test]
    fn a_start_tells_whose_container_it_is() {
        let seen = read(START.as_bytes()).unwrap();
        assert_eq!((seen.kind, seen.id.as_str()), (HappeningKind::Started, "5c0f"));
        assert_eq!(seen.name, "paperless-web-1");
        assert_eq!(seen.compose.unwrap().project, "paperless");
    }

    #[test]
    fn other_lines_tell_nothing() {
        for line in ["", "{}", "[", r#"{"Action":"die","Actor":{"ID":"5"}}"#, r#"{"Action":"start"}"#] {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
        assert!(read(br#"{"Action":"remove","Actor":{"ID":"5"}}"#).is_some());
    }
}
