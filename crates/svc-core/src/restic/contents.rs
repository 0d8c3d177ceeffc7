//! What a snapshot holds at and below some paths: one `restic ls` for all of them, counted as it comes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::message::{Message, Node, message};
use super::process::Sink;
use super::program::{Invocation, ResticProgram};
use super::{Counts, ResticError, Verb};
use crate::lines::Lines;
use crate::names::{RepositoryName, SnapshotId};

/// Counts entries by the path that they belong to.
struct Census {
    lines: Lines,
    roots: Vec<Root>,
}

struct Root {
    /// As restic writes it in JSON, without `/` at the end.
    path: String,
    counts: Option<Counts>,
}

impl Root {
    fn new(path: &Path) -> Self {
        let clean: PathBuf = path.components().collect();
        Self { path: as_in_json(&clean).trim_end_matches('/').to_owned(), counts: None }
    }

    fn see(&mut self, node: &Node) {
        let below = match node.path.strip_prefix(&self.path) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        if below {
            let counts = self.counts.get_or_insert_default();
            if node.is_file() {
                counts.files += 1;
                counts.bytes += node.size;
            }
        }
    }
}

impl Sink for Census {
    fn take(&mut self, bytes: &[u8]) {
        let Self { lines, roots } = self;
        lines.push(bytes, &mut |line| see(line, roots));
    }
}

fn see(line: &[u8], roots: &mut [Root]) {
    if let Some(Message::Node(node)) = message(line) {
        for root in roots {
            root.see(&node);
        }
    }
}

/// A path as Go writes it in JSON: U+FFFD for every single byte that is not UTF-8.
fn as_in_json(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

impl ResticProgram {
    pub(super) async fn count_contents(
        &self,
        repository: &RepositoryName,
        snapshot: &SnapshotId,
        paths: &[PathBuf],
    ) -> Result<Vec<Option<Counts>>, ResticError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        self.check_mount(repository).await?;
        let mut arguments: Vec<OsString> =
            ["--json", "--no-lock", "--recursive", "--"].map(Into::into).to_vec();
        arguments.push(snapshot.as_str().into());
        arguments.extend(paths.iter().map(Into::into));
        let invocation = Invocation::of(Verb::Ls, repository, arguments);
        let roots = paths.iter().map(|path| Root::new(path)).collect();
        let mut census = Census { lines: Lines::default(), roots };
        // Its code is 0 for paths that are absent: only what it lists is there.
        self.succeed(invocation, &mut census, &CancellationToken::new()).await?;
        let Census { mut lines, mut roots } = census;
        lines.finish(&mut |line| see(line, &mut roots));
        Ok(roots.into_iter().map(|root| root.counts).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn counted(paths: &[&[u8]], nodes: &[(&str, &str, u64)]) -> Vec<Option<Counts>> {
        let mut roots: Vec<_> =
            paths.iter().map(|path| Root::new(Path::new(OsStr::from_bytes(path)))).collect();
        for (kind, path, size) in nodes {
            let node =
                serde_json::json!({"message_type": "node", "type": kind, "path": path, "size": size, "x": 1});
            see(node.to_string().as_bytes(), &mut roots);
        }
        roots.into_iter().map(|root| root.counts).collect()
    }

    #[test]
    fn files_are_counted_below_their_path_and_not_below_one_that_begins_alike() {
        let nodes = [("dir", "/a", 0), ("file", "/a/f", 3), ("symlink", "/a/l", 9), ("file", "/ab", 5)];
        let counts = counted(&[b"/a", b"/ab/", b"/c", b"/"], &nodes);
        let all = |files, bytes| Some(Counts { files, bytes });
        assert_eq!(counts, [all(1, 3), all(1, 5), None, all(2, 8)]);
    }

    #[test]
    fn an_empty_directory_is_there() {
        assert_eq!(counted(&[b"/e"], &[("dir", "/e", 0)]), [Some(Counts::default())]);
    }

    #[test]
    fn bytes_that_are_no_text_are_found_again() {
        let counts = counted(&[b"/bad-\xe2\x82"], &[("file", "/bad-\u{fffd}\u{fffd}", 4)]);
        assert_eq!(counts, [Some(Counts { files: 1, bytes: 4 })]);
    }
}
