//! `restic backup`: what it is told, and what its end means.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::message::{Message, Summary, message};
use super::outcome::PARTIAL;
use super::pattern::option;
use super::process::{Ended, Sink};
use super::program::{Invocation, ResticProgram, failed, odd};
use super::{BackupRequest, BackupSummary, Progress, ResticError, Verb};
use crate::freeze::FROZEN_PREFIX;
use crate::lines::Lines;
use crate::names::RepositoryName;

/// The progress and the end of a transfer.
pub(super) struct Transfer<'a> {
    lines: Lines,
    progress: &'a watch::Sender<Progress>,
    summary: Option<Summary>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(progress: &'a watch::Sender<Progress>) -> Self {
        Self { lines: Lines::default(), progress, summary: None }
    }

    fn summary(mut self) -> Option<Summary> {
        let Self { lines, progress, summary } = &mut self;
        lines.finish(&mut |line| heed(line, progress, summary));
        self.summary
    }
}

impl Sink for Transfer<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let Self { lines, progress, summary } = self;
        lines.push(bytes, &mut |line| heed(line, progress, summary));
    }

    fn progress(&self) -> Progress {
        *self.progress.borrow()
    }
}

fn heed(line: &[u8], progress: &watch::Sender<Progress>, summary: &mut Option<Summary>) {
    match message(line) {
        Some(Message::Status(status)) => {
            progress.send_replace(status.progress());
        }
        Some(Message::Summary(last)) => *summary = Some(last),
        _ => {}
    }
}

impl ResticProgram {
    pub(super) async fn save(
        &self,
        repository: &RepositoryName,
        request: &BackupRequest,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Result<BackupSummary, ResticError> {
        // An unmounted disk would get its backup below the mount point.
        self.check_mount(repository).await?;
        let stdin = Some(source_list(request));
        let (arguments, binds) = (arguments(request), request.binds.as_slice());
        let steps_back = !request.is_waited_for;
        let own = Invocation::of(Verb::Backup, repository, arguments);
        let invocation = Invocation { stdin, binds, steps_back, ..own };
        let mut transfer = Transfer::new(progress);
        let ended = self.invoke(invocation, &mut transfer, cancel).await?;
        let summary = transfer.summary();
        let code_3 = ended.status.code() == Some(PARTIAL) && has_snapshot(summary.as_ref());
        let ended =
            if code_3 { ended } else { failed(Verb::Backup, repository.as_str(), self.limits, ended)? };
        judge(repository, summary, &ended)
    }
}

fn has_snapshot(summary: Option<&Summary>) -> bool {
    summary.is_some_and(|summary| summary.snapshot().is_some())
}

fn judge(
    repository: &RepositoryName,
    summary: Option<Summary>,
    ended: &Ended,
) -> Result<BackupSummary, ResticError> {
    let summary = summary.ok_or_else(|| odd(Verb::Backup, repository, "no summary"))?;
    let snapshot = summary.snapshot().ok_or_else(|| odd(Verb::Backup, repository, "no snapshot id"))?;
    let unreadable = ended.heard.unreadable();
    Ok(BackupSummary {
        snapshot,
        counts: summary.counts(),
        added: summary.added(),
        changed_files: summary.files_new + summary.files_changed,
        partial: !ended.status.success() || !unreadable.is_empty(),
        unreadable,
    })
}

fn arguments(request: &BackupRequest) -> Vec<OsString> {
    // The sources come through stdin, each ended by NUL: no name can be an option, two names or too long a line.
    let mut arguments: Vec<OsString> = vec!["--json".into(), "--files-from-raw=-".into()];
    // The service may be down: only what is over soon is waited for, such as another run's `forget`.
    arguments.push("--retry-lock=1m".into());
    arguments.push(option("--host", &request.host));
    arguments.extend(request.tags.iter().map(|tag| option("--tag", tag)));
    arguments.extend(request.exclude.iter().map(|pattern| option("--exclude", pattern)));
    // Copies of other services that lie below a source are nobody's data.
    arguments.push(option("--exclude", format!("{FROZEN_PREFIX}*")));
    arguments.extend(request.ignore_inode.then(|| "--ignore-inode".into()));
    arguments.extend(request.no_scan.then(|| "--no-scan".into()));
    arguments.extend(request.parent.iter().map(|parent| option("--parent", parent.as_str())));
    arguments
}

fn source_list(request: &BackupRequest) -> Vec<u8> {
    let sources = request.sources.iter().map(|source| source.as_os_str().as_bytes());
    sources.flat_map(|source| source.iter().chain(b"\0")).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_part_of_its_option_and_sources_are_none() {
        let request = BackupRequest {
            sources: vec!["/a\nb".into(), "/-c".into()],
            tags: vec!["svc:a".into(), "-x".into()],
            exclude: vec!["--help".into()],
            host: "-h".into(),
            parent: Some("a".repeat(64).parse().unwrap()),
            ignore_inode: true,
            ..BackupRequest::default()
        };
        let parent = format!("--parent={}", "a".repeat(64));
        let expected = [
            "--json",
            "--files-from-raw=-",
            "--retry-lock=1m",
            "--host=-h",
            "--tag=svc:a",
            "--tag=-x",
            "--exclude=--help",
        ];
        let own = ["--exclude=.svc-frozen-*", "--ignore-inode", parent.as_str()];
        assert_eq!(arguments(&request), [expected.as_slice(), &own].concat());
        assert_eq!(source_list(&request), b"/a\nb\0/-c\0");
    }
}
