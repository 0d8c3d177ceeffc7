//! Tags of snapshots.

use super::decode::{Decoder, Node};
use super::scalar::word;
use crate::names::shown;

/// What svc's own tags begin with; `svc:<name>` says whose a snapshot is.
const OWN: &str = "svc:";

/// Reads a tag of the service with this key.
pub(super) fn decode(service: &str, node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let tag = word(node, d)?;
    if let Some(owner) = tag.strip_prefix(OWN) {
        let message = if owner == service {
            format!("tag `{}` is svc's own and added without being listed", shown(&tag))
        } else {
            format!("tag `{}` would make these snapshots another service's", shown(&tag))
        };
        return d.refuse_hinting(node, message, "tags that begin with `svc:` are reserved: leave it out");
    }
    match tag {
        tag if tag.contains(',') => d.refuse(node, "restic splits tags at commas: list them one by one"),
        tag if tag.trim() != tag => {
            d.refuse(node, "this tag begins or ends with a space, which restic drops")
        }
        tag if tag.starts_with('-') => d.refuse(node, "this tag begins with `-`, like an option"),
        tag => Some(tag),
    }
}
