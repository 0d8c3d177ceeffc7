//! How a backup keeps the stop short: by a frozen copy, by two passes, or not at all.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::lifecycle::running;
use super::{BackupStep, FreezeStep, HotLeft, Pass, ServicePlan, Step, When};
use crate::code::Code;
use crate::config::{Config, Freeze, Quiesce, Service};
use crate::failure::Failure;
use crate::freeze::{Bind, FROZEN_PREFIX, FrozenCopy, How, Means, Part};
use crate::names::{RepositoryName, ServiceName};
use crate::observe::ObservedService;
use crate::restic::{Counts, Snapshot};

/// A reflink copy takes 50–70 µs a file, a cold pass half a second and 25 µs a file: here they meet.
const REFLINKS: u64 = 10_000;
/// A cold pass takes about a second, and so does a hot one of what has not changed; a backup that is not longer than both
/// needs no hot one before.
const SHORT_MS: u64 = 2_500;
/// What is read within that time when nobody has done it before, be it over a slow line.
const SMALL: Counts = Counts { files: 2_000, bytes: 64 << 20 };

type Repositories<'a> = &'a [(&'a RepositoryName, &'a [Snapshot])];

/// How the sources are read.
pub(super) enum Way {
    /// From copies, while the service runs again; why.
    Frozen(FreezeStep, String),
    /// First with the service running, then quiesced; why.
    TwoPasses(String),
    /// While the service is down; why, if it could be otherwise.
    Classic(Option<String>),
}

/// The tag of hot snapshots. They carry no other, so that nothing ever takes one for a backup.
fn hot_tag(service: &ServiceName) -> String {
    format!("svc-hot:{service}")
}

/// Whether a snapshot is a hot one of this service, made by this host.
pub(crate) fn is_hot(snapshot: &Snapshot, service: &ServiceName, host: &str) -> bool {
    snapshot.host == host && snapshot.has_tag(&hot_tag(service))
}

/// Chooses by file systems, numbers of files and the last figures.
pub(super) fn choose(
    service: &Service,
    seen: &ObservedService,
    repositories: Repositories<'_>,
    now: Timestamp,
) -> Result<Way, Failure> {
    let is_pointless = service.backup.quiesce == Quiesce::None || running(&seen.parts).is_empty();
    match service.backup.freeze {
        Freeze::Never => return Ok(Way::Classic(None)),
        Freeze::Auto if is_pointless => return Ok(Way::Classic(None)),
        Freeze::Auto | Freeze::Require => {}
    }
    let frozen = frozen(service, seen, now);
    if service.backup.freeze == Freeze::Require {
        return frozen.map(|step| Way::Frozen(step, "it is required".to_owned())).map_err(|reason| {
            let message = format!("`{}` cannot be frozen, and `backup.freeze` is `require`", service.name);
            Failure::new(Code::Refused, message).because(reason).hint("set `backup.freeze` to `auto`")
        });
    }
    Ok(match frozen {
        Ok(step) if reflinks(&seen.ground).is_some_and(|files| files <= REFLINKS) => {
            let reason = format!("{}: the stop need not last until all is read", step.means());
            Way::Frozen(step, reason)
        }
        Ok(_) => read(seen, repositories, "it has too many files for reflink copies"),
        Err(reason) => read(seen, repositories, &reason),
    })
}

/// Without a copy: in two passes if one was long, or will be.
fn read(seen: &ObservedService, repositories: Repositories<'_>, why: &str) -> Way {
    let last = |(name, _): &(&RepositoryName, &[Snapshot])| {
        let attempt = seen.record.backups.get(*name)?.last_attempt.as_ref()?;
        attempt.snapshot.as_ref().map(|_| attempt.took_ms)
    };
    let figures: Option<Vec<u64>> = repositories.iter().map(last).collect();
    match figures.and_then(|figures| figures.into_iter().max()) {
        Some(last) if last > SHORT_MS => {
            let reason =
                format!("{why}, and the last backup took {} s: the service runs on meanwhile", last / 1000);
            Way::TwoPasses(reason)
        }
        Some(_) => Way::Classic(Some(format!("{why}, and the last backup was short"))),
        None if is_small(&seen.ground) => Way::Classic(Some(format!("{why}, and there is not much of it"))),
        None => Way::TwoPasses(format!("{why}, and there is much of it: the service runs on meanwhile")),
    }
}

fn is_small(parts: &[Part]) -> bool {
    let fits =
        |part: &Part| part.size.is_some_and(|size| size.files <= SMALL.files && size.bytes <= SMALL.bytes);
    parts.iter().all(fits)
}

/// How many files are to be copied one by one; nothing: very many.
fn reflinks(parts: &[Part]) -> Option<u64> {
    let copied = parts.iter().filter(|part| part.means.as_ref().is_ok_and(|means| means.how == How::Reflink));
    copied.map(|part| part.size.map(|size| size.files)).sum()
}

/// The copies that all parts need; or why one of them cannot be had.
fn frozen(service: &Service, seen: &ObservedService, now: Timestamp) -> Result<FreezeStep, String> {
    let mut step = FreezeStep { copies: Vec::new(), binds: Vec::new() };
    // Two plans of one second are two: the copy of one must not be taken for that of the other.
    let stamp = format!("{}-{}", service.name, now.strftime("%Y%m%dT%H%M%S%.9fZ"));
    for part in &seen.ground {
        let means = part.means.as_ref().map_err(|reason| format!("`{}`: {reason}", part.path.display()))?;
        let is_same =
            |copy: &&FrozenCopy| copy.how == means.how && (copy.from == means.from || means.how.names_all());
        let known = step.copies.iter().find(is_same);
        let copy = known.map_or_else(|| place(means, &stamp, step.copies.len()), |copy| copy.to.clone());
        if known.is_none() {
            let (how, from) = (means.how.clone(), means.from.clone());
            step.copies.push(FrozenCopy { how, from, to: copy.clone() });
        }
        step.binds.push(Bind { from: within(&copy, &part.path, &means.from), to: part.path.clone() });
    }
    if step.copies.is_empty() { Err("there is nothing to freeze".to_owned()) } else { Ok(step) }
}

/// Numbered, for names of sources may be long, or the same in several places.
fn place(means: &Means, stamp: &str, number: usize) -> PathBuf {
    match &means.how {
        How::Btrfs | How::Reflink | How::ZfsClone(_) => {
            means.place.join(format!("{FROZEN_PREFIX}{stamp}/{number}"))
        }
        // A snapshot's name may not begin with a dot.
        How::Zfs(_) => {
            let name = format!("{}{stamp}", FROZEN_PREFIX.trim_start_matches('.'));
            means.place.join(".zfs/snapshot").join(name)
        }
    }
}

fn within(copy: &Path, part: &Path, from: &Path) -> PathBuf {
    match part.strip_prefix(from) {
        Ok(below) if !below.as_os_str().is_empty() => copy.join(below),
        _ => copy.to_path_buf(),
    }
}

/// The step as this way and this pass want it.
pub(super) fn adapt(step: BackupStep, service: &Service, pass: Pass, way: &Way) -> BackupStep {
    let step = BackupStep { pass, ..step };
    match way {
        _ if pass == Pass::Hot => BackupStep { tags: vec![hot_tag(&service.name)], ..step },
        Way::Frozen(frozen, _) => BackupStep {
            binds: frozen.binds.clone(),
            // Snapshots and clones keep the inodes of what they are of, and restic compares no devices.
            ignore_inode: frozen.copies.iter().any(|copy| copy.how == How::Reflink),
            ..step
        },
        Way::TwoPasses(_) | Way::Classic(_) => step,
    }
}

/// Hot snapshots go when the run is over, whatever became of it; those that a killed run left, too.
pub(super) fn add_forget(
    plan: &mut ServicePlan,
    config: &Config,
    service: &Service,
    repositories: Repositories<'_>,
    way: &Way,
) {
    let is_left = |snapshot: &&Snapshot| is_hot(snapshot, &service.name, &config.host);
    let of = |(repository, snapshots): &(&RepositoryName, &[Snapshot])| HotLeft {
        repository: (*repository).clone(),
        snapshots: snapshots.iter().filter(is_left).map(|snapshot| snapshot.id.clone()).collect(),
    };
    let mut left: Vec<HotLeft> = repositories.iter().map(of).collect();
    if !matches!(way, Way::TwoPasses(_)) {
        left.retain(|left| !left.snapshots.is_empty());
    }
    if !left.is_empty() {
        plan.close(
            Step::ForgetHot { left },
            When::Always,
            "they only shortened the stop and count for nothing",
        );
    }
}
