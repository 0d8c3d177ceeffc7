//! restic's JSON messages. Unknown types and fields, and lines that are no JSON, are passed over: new ones may appear
//! at any time.

use serde::Deserialize;

use super::{Counts, Progress};
use crate::names::SnapshotId;

/// One message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub(super) enum Message {
    /// How far a backup or a restore is.
    Status(Status),
    /// What a backup did.
    Summary(Summary),
    /// Something that could not be read or written.
    Error(ItemError),
    /// Why restic ends.
    ExitError(ExitError),
    /// A repository was made.
    Initialized(Initialized),
    /// An entry of `ls`.
    Node(Node),
    /// Any other.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    total_files: u64,
    #[serde(alias = "files_restored")]
    files_done: u64,
    total_bytes: u64,
    #[serde(alias = "bytes_restored")]
    bytes_done: u64,
}

impl Status {
    pub(super) fn progress(&self) -> Progress {
        let total = Counts { files: self.total_files, bytes: self.total_bytes };
        Progress {
            done: Counts { files: self.files_done, bytes: self.bytes_done },
            // restic leaves the totals out until it has counted.
            total: (total != Counts::default()).then_some(total),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) files_new: u64,
    pub(super) files_changed: u64,
    data_added: u64,
    data_added_packed: Option<u64>,
    total_files_processed: u64,
    total_bytes_processed: u64,
    snapshot_id: Option<String>,
}

impl Summary {
    /// Nothing when no snapshot was made.
    pub(super) fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshot_id.as_deref()?.parse().ok()
    }

    pub(super) const fn counts(&self) -> Counts {
        Counts { files: self.total_files_processed, bytes: self.total_bytes_processed }
    }

    /// Bytes as stored; before compression where restic does not say.
    pub(super) fn added(&self) -> u64 {
        self.data_added_packed.unwrap_or(self.data_added)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ItemError {
    error: ErrorText,
    pub(super) item: String,
    /// `check` says it so.
    message: String,
}

impl ItemError {
    pub(super) fn text(&self) -> &str {
        if self.error.message.is_empty() { &self.message } else { &self.error.message }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct ErrorText {
    message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ExitError {
    pub(super) message: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Initialized {
    pub(super) id: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Node {
    pub(super) path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    pub(super) size: u64,
}

impl Node {
    /// Whether restic counts it among a snapshot's files: links, pipes and devices are not.
    pub(super) fn is_file(&self) -> bool {
        self.kind == "file"
    }
}

/// The message in a line of output; nothing when there is none.
pub(super) fn message(line: &[u8]) -> Option<Message> {
    // The cheap look first: stderr may bring megabytes of other text.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_has_no_total_until_restic_knows_it() {
        let status = |line: &[u8]| match message(line) {
            Some(Message::Status(status)) => status.progress(),
            other => panic!("{other:?}"),
        };
        let early = status(br#"{"message_type":"status","percent_done":0,"bytes_done":7,"new_field":[1]}"#);
        assert_eq!(early, Progress { done: Counts { files: 0, bytes: 7 }, total: None });
        let restore = status(
            br#"{"message_type":"status","total_files":3,"files_restored":1,"total_bytes":9,"bytes_restored":4}"#,
        );
        assert_eq!(restore.done, Counts { files: 1, bytes: 4 });
        assert_eq!(restore.total, Some(Counts { files: 3, bytes: 9 }));
    }

    #[test]
    fn a_summary_without_a_snapshot_id_is_one_all_the_same() {
        for line in [r#"{"message_type":"summary"}"#, r#"{"message_type":"summary","snapshot_id":""}"#] {
            let Some(Message::Summary(summary)) = message(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(summary.snapshot(), None);
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        assert_eq!(message(br#"{"message_type":"hologram","x":1}"#), Some(Message::Other));
        for line in
            ["", "plain", "{", "[1]", r#"{"message_type":7}"#, r#"{"message_type":"node"}"#, "{\"a\":1}"]
        {
            assert_eq!(message(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = message(&line);
            let _ = message(&[b"{\"message_type\":\"status\",".as_slice(), &line].concat());
        }
    }
}
