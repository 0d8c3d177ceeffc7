//! Whether a snapshot is good: restic's word alone is not enough.

use crate::code::Code;
use crate::failure::Failure;
use crate::plan::BackupStep;
use crate::restic::BackupSummary;

/// What speaks against a snapshot that restic made; nothing: it is good.
#[must_use]
pub fn judge(step: &BackupStep, summary: &BackupSummary) -> Option<Failure> {
    let id = summary.snapshot.short();
    if summary.partial {
        let message = format!("snapshot {id} lacks what could not be read");
        let failure = Failure { causes: summary.unreadable.clone(), ..Failure::new(Code::Partial, message) };
        return Some(failure.hint("make it readable, then back up again"));
    }
    // The manifest is svc's own: alone it saves nothing of the service.
    let own = summary.counts.files.saturating_sub(1);
    if own < step.min_files {
        let message = format!("snapshot {id} holds {own} files, fewer than `minFiles` ({})", step.min_files);
        return Some(
            Failure::new(Code::Failed, message).hint("look at the sources; the older snapshots are kept"),
        );
    }
    let previous = step.previous?;
    let shrunk =
        [("files", previous.files, summary.counts.files), ("bytes", previous.bytes, summary.counts.bytes)];
    let (what, before, after) = shrunk
        .into_iter()
        .find(|(_, before, after)| lost_percent(*before, *after) > step.max_shrink_percent)?;
    let message = format!(
        "snapshot {id} holds {after} {what} where the last one held {before}: more than `maxShrinkPercent` ({} %) is gone",
        step.max_shrink_percent
    );
    Some(kept_all(Failure::new(Code::Failed, message), step))
}

/// A loss stays one until somebody says otherwise: that the same is gone the next night proves nothing.
pub(crate) fn kept_all(failure: Failure, step: &BackupStep) -> Failure {
    failure.because("the older snapshots are kept, and nothing is forgotten").hint(format!(
        "look at the sources; if it was meant: svc backup {} {} --accept-shrink",
        step.repository,
        step.tags.first().and_then(|tag| tag.strip_prefix("svc:")).unwrap_or("all")
    ))
}

/// Whole percent lost, rounded up, so that anything over the bound shows.
fn lost_percent(before: u64, after: u64) -> u8 {
    let lost = u128::from(before.saturating_sub(after)) * 100;
    let percent = lost.checked_div(u128::from(before)).unwrap_or(0);
    let rounded = percent + u128::from(percent * u128::from(before) < lost);
    u8::try_from(rounded).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::Counts;

    fn step(previous: Option<Counts>) -> BackupStep {
        BackupStep {
            repository: "local".parse().unwrap(),
            sources: Vec::new(),
            tags: Vec::new(),
            exclude: Vec::new(),
            host: "h".to_owned(),
            parent: None,
            previous,
            min_files: 2,
            max_shrink_percent: 50,
            timeout: None,
            binds: Vec::new(),
            ignore_inode: false,
            pass: crate::plan::Pass::Only,
        }
    }

    fn summary(files: u64, bytes: u64) -> BackupSummary {
        BackupSummary {
            snapshot: "a".repeat(64).parse().unwrap(),
            counts: Counts { files, bytes },
            added: 0,
            changed_files: 0,
            unreadable: Vec::new(),
            partial: false,
        }
    }

    fn verdict(before: Option<(u64, u64)>, after: (u64, u64)) -> Option<Code> {
        let previous = before.map(|(files, bytes)| Counts { files, bytes });
        judge(&step(previous), &summary(after.0, after.1)).map(|failure| failure.code)
    }

    #[test]
    fn a_first_snapshot_with_enough_files_is_good() {
        assert_eq!(verdict(None, (3, 10)), None);
    }

    #[test]
    fn a_snapshot_with_only_the_manifest_is_a_failure() {
        assert_eq!(verdict(None, (1, 500)), Some(Code::Failed));
    }

    #[test]
    fn losing_more_than_half_of_the_files_or_bytes_is_a_failure() {
        assert_eq!(verdict(Some((100, 1000)), (50, 500)), None);
        assert_eq!(verdict(Some((100, 1000)), (49, 1000)), Some(Code::Failed));
        assert_eq!(verdict(Some((100, 1000)), (100, 499)), Some(Code::Failed));
        assert_eq!(verdict(Some((100, 0)), (100, 0)), None);
    }

    #[test]
    fn what_could_not_be_read_makes_a_snapshot_partial() {
        let partial = BackupSummary { partial: true, unreadable: vec!["/a: denied".into()], ..summary(9, 9) };
        let failure = judge(&step(None), &partial).unwrap();
        assert_eq!((failure.code, failure.causes), (Code::Partial, vec!["/a: denied".to_owned()]));
    }
}
