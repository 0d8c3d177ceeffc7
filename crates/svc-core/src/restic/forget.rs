//! `restic forget`: asked first with a policy and nothing removed, then told exactly which.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::listing::Listed;
use super::outcome::PARTIAL;
use super::pattern::option;
use super::program::{Invocation, ResticProgram, failed, odd};
use super::{ForgetQuestion, ResticError, ResticFailure, Snapshot, Verb, Weighed};
use crate::names::{RepositoryName, SnapshotId};

/// What restic says of one group; there is one at most, since nothing is grouped by.
#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    keep: Option<Vec<Listed>>,
    #[serde(default)]
    remove: Option<Vec<Listed>>,
    #[serde(default)]
    reasons: Option<Vec<Reason>>,
}

#[derive(Deserialize)]
struct Reason {
    snapshot: Named,
    #[serde(default)]
    matches: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Named {
    id: SnapshotId,
}

/// Newest first. Nothing at all is written where no snapshot is meant.
fn parse(output: &[u8]) -> Result<Vec<Weighed>, serde_json::Error> {
    if output.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let groups: Option<Vec<Group>> = serde_json::from_slice(output)?;
    let mut weighed = Vec::new();
    for group in groups.unwrap_or_default() {
        let reasons = group.reasons.unwrap_or_default().into_iter();
        let mut reasons: BTreeMap<_, _> =
            reasons.map(|reason| (reason.snapshot.id, reason.matches.unwrap_or_default())).collect();
        for listed in group.keep.unwrap_or_default() {
            let known = reasons.remove(&listed.id).filter(|known| !known.is_empty());
            // That it is kept is what counts; why is for people.
            let reasons = known.unwrap_or_else(|| vec!["restic keeps it".to_owned()]);
            weighed.push(Weighed { snapshot: listed.into(), reasons });
        }
        let removed = group.remove.unwrap_or_default().into_iter();
        weighed.extend(removed.map(|listed| Weighed { snapshot: listed.into(), reasons: Vec::new() }));
    }
    weighed.sort_by_key(|one| std::cmp::Reverse(Snapshot::wall_clock(&one.snapshot)));
    Ok(weighed)
}

impl ResticProgram {
    pub(super) async fn weigh(
        &self,
        repository: &RepositoryName,
        question: &ForgetQuestion,
    ) -> Result<Vec<Weighed>, ResticError> {
        self.check_mount(repository).await?;
        let arguments = question_arguments(question);
        let own = Invocation::of(Verb::Forget, repository, arguments);
        let invocation = Invocation { steps_back: true, ..own };
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        parse(&output).map_err(|error| odd(Verb::Forget, repository, format!("no preview ({error})")))
    }

    pub(super) async fn remove_snapshots(
        &self,
        repository: &RepositoryName,
        ids: &[SnapshotId],
    ) -> Result<(), ResticError> {
        // Without an id restic would take this for a question about all of them.
        if ids.is_empty() {
            return Ok(());
        }
        self.check_mount(repository).await?;
        let mut arguments: Vec<OsString> = vec!["--json".into(), "--".into()];
        arguments.extend(ids.iter().map(|id| id.as_str().into()));
        let own = Invocation::of(Verb::Forget, repository, arguments);
        let invocation = Invocation { steps_back: true, ..own };
        let ended = self.invoke(invocation, &mut Vec::new(), &CancellationToken::new()).await?;
        // A server that only appends refuses: 0.18 ends with 0 all the same, 0.19 with 3.
        let is_clear = ended.status.success() || ended.status.code() == Some(PARTIAL);
        if let Some(kind) = ended.heard.symptom().filter(|_| is_clear) {
            let (verb, repository) = (Verb::Forget.as_str(), repository.to_string());
            return Err(ResticError::Failed { verb, repository, kind, text: ended.heard.into_text() });
        }
        failed(Verb::Forget, repository.as_str(), self.limits, ended).map(drop)
    }
}

fn question_arguments(question: &ForgetQuestion) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["--json", "--dry-run", "--no-lock"].map(Into::into).to_vec();
    // Any other grouping keeps one of each group for ever.
    arguments.push("--group-by=".into());
    arguments.push(option("--host", &question.host));
    arguments.extend(question.tags.iter().map(|tag| option("--tag", tag)));
    let counts = question.policy.counts().into_iter();
    let counts = counts.filter_map(|(word, count)| Some(format!("--keep-{word}={}", count?).into()));
    arguments.extend(counts);
    arguments
}

/// Whether restic says that somebody else works there.
#[must_use]
pub(crate) const fn is_locked(error: &ResticError) -> bool {
    matches!(error, ResticError::Failed { kind: ResticFailure::Locked, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;

    #[test]
    fn a_preview_asks_for_one_group_and_takes_no_lock() {
        let policy = Policy { last: Some(3), weekly: Some(2), ..Policy::default() };
        let question = ForgetQuestion { tags: vec!["svc:a".into(), "-a".into()], host: "h".into(), policy };
        let expected = [
            "--json",
            "--dry-run",
            "--no-lock",
            "--group-by=",
            "--host=h",
            "--tag=svc:a",
            "--tag=-a",
            "--keep-last=3",
            "--keep-weekly=2",
        ];
        assert_eq!(question_arguments(&question), expected);
    }

    #[test]
    fn what_is_kept_and_what_goes_is_told_apart() {
        let snapshot = |digit: &str, time: &str| {
            format!(
                r#"{{"time":"{time}","paths":["/d"],"hostname":"H","tags":["svc:a"],"id":"{}"}}"#,
                digit.repeat(64)
            )
        };
        let (new, old) = (snapshot("a", "2026-11-20T10:00:00Z"), snapshot("b", "2026-11-19T10:00:00Z"));
        let text = format!(
            r#"[{{"tags":null,"host":"","keep":[{new}],"remove":[{old}],"reasons":[{{"snapshot":{new},"matches":["daily snapshot"],"counters":{{}}}}]}}]"#
        );
        let weighed = parse(text.as_bytes()).unwrap();
        let reasons: Vec<_> = weighed.iter().map(|one| one.reasons.clone()).collect();
        assert_eq!(reasons, [vec!["daily snapshot".to_owned()], vec![]]);
        assert_eq!(parse(b"").unwrap(), []);
        assert_eq!(parse(b"null").unwrap(), []);
        assert!(parse(b"[{").is_err());
    }
}
