//! The list of a repository's snapshots.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer};
use tokio_util::sync::CancellationToken;

use super::program::{Invocation, ResticProgram, odd};
use super::{Counts, ResticError, Snapshot, Verb};
use crate::names::{RepositoryName, SnapshotId};

/// A snapshot in restic's own words.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: SnapshotId,
    time: Made,
    #[serde(default)]
    hostname: String,
    tags: Option<Vec<String>>,
    #[serde(default)]
    paths: Vec<PathBuf>,
    summary: Option<ListedSummary>,
}

/// When it was made, and where the clock stood.
struct Made(Timestamp, Offset);

impl<'de> Deserialize<'de> for Made {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = text.parse().map_err(serde::de::Error::custom)?;
        let pieces = Pieces::parse(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(time, pieces.to_numeric_offset().unwrap_or(Offset::UTC)))
    }
}

#[derive(Deserialize)]
struct ListedSummary {
    #[serde(default)]
    total_files_processed: u64,
    #[serde(default)]
    total_bytes_processed: u64,
}

impl From<Listed> for Snapshot {
    fn from(listed: Listed) -> Self {
        let counts = listed.summary.map(|summary| Counts {
            files: summary.total_files_processed,
            bytes: summary.total_bytes_processed,
        });
        Self {
            id: listed.id,
            time: listed.time.0,
            offset: listed.time.1,
            host: listed.hostname,
            tags: listed.tags.unwrap_or_default(),
            paths: listed.paths,
            counts,
        }
    }
}

/// Oldest first, those of one moment by their ids: restic lists them as they come. An empty repository may say `null`.
fn parse(output: &[u8]) -> Result<Vec<Snapshot>, serde_json::Error> {
    let listed: Option<Vec<Listed>> = serde_json::from_slice(output)?;
    let mut snapshots: Vec<Snapshot> = listed.unwrap_or_default().into_iter().map(Into::into).collect();
    snapshots.sort_by_key(|snapshot| (snapshot.time, snapshot.id.clone()));
    Ok(snapshots)
}

impl ResticProgram {
    pub(super) async fn list_snapshots(
        &self,
        repository: &RepositoryName,
    ) -> Result<Vec<Snapshot>, ResticError> {
        self.check_mount(repository).await?;
        let arguments = ["--json", "--no-lock"].map(Into::into).to_vec();
        let invocation = Invocation::of(Verb::Snapshots, repository, arguments);
        let mut output = Vec::new();
        let ended = self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        let readable = parse(&output)
            .map_err(|error| odd(Verb::Snapshots, repository, format!("no list of snapshots ({error})")))?;
        // restic leaves a damaged one out and ends with 0.
        match ended.heard.ignored() {
            [] => Ok(readable),
            ignored => {
                let (repository, unreadable) = (repository.to_string(), ignored.to_vec());
                Err(ResticError::DamagedSnapshots { repository, unreadable, readable })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_read_oldest_first_with_what_restic_knows() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let list = format!(
            r#"[{{"time":"2026-11-20T10:06:42.045+01:00","tree":"x","paths":["/d"],"hostname":"H","tags":["t"],
                 "summary":{{"total_files_processed":35,"total_bytes_processed":250,"new":1}},"id":"{a}","short_id":"a"}},
                {{"time":"2026-11-20T09:00:00Z","paths":["/d"],"id":"{b}"}}]"#
        );
        let snapshots = parse(list.as_bytes()).unwrap();
        assert_eq!([snapshots[0].id.as_str(), snapshots[1].id.as_str()], [&b, &a]);
        assert_eq!((snapshots[0].counts, snapshots[0].tags.len()), (None, 0));
        assert_eq!(snapshots[1].counts, Some(Counts { files: 35, bytes: 250 }));
        assert_eq!((snapshots[1].host.as_str(), snapshots[1].has_tag("t")), ("H", true));
        assert_eq!(snapshots[1].wall_clock().to_string(), "2026-11-20T10:06:42.045");
    }

    #[test]
    fn an_empty_list_is_none_and_rubbish_is_an_error() {
        assert_eq!(parse(b"null\n").unwrap(), []);
        assert_eq!(parse(b"[]").unwrap(), []);
        for rubbish in ["", "{", "[{}]", r#"[{"id":"zz","time":"2026-11-20T09:00:00Z"}]"#] {
            assert!(parse(rubbish.as_bytes()).is_err(), "{rubbish}");
        }
    }
}
