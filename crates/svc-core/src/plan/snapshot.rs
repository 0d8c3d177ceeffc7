//! Which of a repository's snapshots are a service's, and which one a person means.

use jiff::Timestamp;

use crate::code::Code;
use crate::config::Service;
use crate::failure::Failure;
use crate::goal::SnapshotChoice;
use crate::names::RepositoryName;
use crate::records::ServiceRecord;
use crate::restic::Snapshot;

/// The service's own snapshots: by its identity tag, or by the tag of the time before svc.
pub fn snapshots_of<'a>(snapshots: &'a [Snapshot], service: &Service) -> impl Iterator<Item = &'a Snapshot> {
    let identity = format!("svc:{}", service.name);
    let old = service.restore.tag.clone();
    snapshots.iter().filter(move |snapshot| {
        let is_old = || !snapshot.tags.iter().any(|tag| tag.starts_with("svc:"));
        snapshot.has_tag(&identity) || old.as_ref().is_some_and(|tag| snapshot.has_tag(tag) && is_old())
    })
}

/// The snapshot that is meant.
///
/// `latest` is the newest good one that is not from the future. The host does not matter: a restore onto new hardware
/// is what backups are for.
///
/// # Errors
/// When none, or more than one, is meant.
pub fn choose<'a>(
    snapshots: &'a [Snapshot],
    service: &Service,
    repository: &RepositoryName,
    choice: &SnapshotChoice,
    record: &ServiceRecord,
    now: Timestamp,
) -> Result<&'a Snapshot, Failure> {
    let own: Vec<&Snapshot> = snapshots_of(snapshots, service).collect();
    let list = format!("svc list-backups {repository} {}", service.name);
    let none = |what: String| Failure::new(Code::Failed, what).hint(list.clone());
    let good = |snapshot: &&&Snapshot| !record.is_not_good(repository, snapshot);
    let newest = |moment: Timestamp| {
        own.iter()
            .filter(|snapshot| snapshot.time <= moment)
            .filter(good)
            .max_by_key(|snapshot| snapshot.time)
            .copied()
    };
    let name = &service.name;
    match choice {
        SnapshotChoice::Latest => newest(now)
            .ok_or_else(|| {
                let failure = none(format!("repository `{repository}` has no good snapshot of `{name}`"));
                let is_early = own.iter().filter(good).any(|snapshot| snapshot.time > now);
                let early = is_early.then_some("those from the future do not count: is the clock right?");
                early.into_iter().fold(failure, Failure::because)
            })
            .and_then(|chosen| known_good(chosen, repository, record, &list)),
        SnapshotChoice::At(moment) => newest(*moment)
            .ok_or_else(|| {
                none(format!("repository `{repository}` has no snapshot of `{name}` as old as {moment}"))
            })
            .and_then(|chosen| known_good(chosen, repository, record, &list)),
        SnapshotChoice::Id(prefix) => by_prefix(&own, prefix).map_err(|count| match count {
            0 => none(format!("repository `{repository}` has no snapshot `{prefix}` of `{name}`")),
            count => none(format!("`{prefix}` is the beginning of {count} snapshots of `{name}`")),
        }),
    }
}

/// The snapshot, unless it is not known any more which ones are less than good: then a person has to name one.
fn known_good<'a>(
    chosen: &'a Snapshot,
    repository: &RepositoryName,
    record: &ServiceRecord,
    command: &str,
) -> Result<&'a Snapshot, Failure> {
    let last = record.backups.get(repository).and_then(|record| record.last_good.as_ref());
    let is_known = last.is_some_and(|last| last.snapshot.as_ref() == Some(&chosen.id));
    match record.lost.failure() {
        Some(unread) if !is_known => {
            let message = format!("whether snapshot {} is good is not known any more", chosen.id.short());
            let failure = Failure::new(Code::Refused, message).because(unread.message);
            Err(failure.hint(format!("{command}   # then restore one by its id")))
        }
        _ => Ok(chosen),
    }
}

fn by_prefix<'a>(own: &[&'a Snapshot], prefix: &str) -> Result<&'a Snapshot, usize> {
    let found: Vec<&&Snapshot> =
        own.iter().filter(|snapshot| snapshot.id.as_str().starts_with(prefix)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        several => Err(several.len()),
    }
}
