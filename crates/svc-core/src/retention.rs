//! Which snapshots of a service may go: restic's policy over exactly its own ones, less what must stay whatever it says.
//!
//! Pure: `expect` says it before a run from what is listed, `decide` after restic has been asked.

mod owner;
pub(crate) mod policy;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Policy;
use crate::names::SnapshotId;
use crate::records::Doubts;
use crate::restic::{Snapshot, Weighed};

pub use owner::{Owner, Whose};

/// Clocks of two machines, or one before and after it is set right, may differ by this much.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What must stay, whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protected {
    /// The last good one.
    pub last_good: Option<SnapshotId>,
    /// Everything up to here has been read back from the repository.
    pub proven_until: Option<Timestamp>,
    /// What is less than good, or may be.
    pub doubts: Doubts,
    /// A good one is to come before anything goes, made then.
    pub next: Option<Timestamp>,
}

/// A snapshot of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Which.
    pub id: SnapshotId,
    /// When it was made.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Why it stays, or is left alone; nothing: it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What becomes of a service's snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// These go.
    pub forget: Vec<Judged>,
    /// These stay.
    pub keep: Vec<Judged>,
}

/// Why nothing may go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// Others would be weighed with the service's own.
    #[error("snapshot {} would be weighed with those of the service, and is not one of them", .0.short())]
    Foreign(SnapshotId),
    /// One is newer than now.
    #[error("snapshot {} is from the future ({}): the clock was or is wrong", id.short(), time.strftime("%F %T UTC"))]
    Future {
        /// Which.
        id: SnapshotId,
        /// When it says that it was made.
        time: Timestamp,
    },
}

/// What is listed of a service, sorted by whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Its own.
    pub own: Vec<Snapshot>,
    /// Those that are perhaps its own, each with the reason to leave it alone.
    pub left: Vec<Judged>,
    /// The tags that find its own and no others.
    pub tags: Vec<String>,
}

/// Sorts a repository's snapshots.
///
/// restic is asked for a tag or another. Where the old tag would bring in snapshots that are not certainly the service's,
/// they would take up places of the policy: then all old ones are left.
#[must_use]
pub fn sort(owner: &Owner, snapshots: &[Snapshot]) -> Listed {
    let mut listed = Listed { tags: vec![owner.identity()], ..Listed::default() };
    let mut old = Vec::new();
    for snapshot in snapshots {
        match owner.whose(snapshot) {
            Whose::Own => listed.own.push(snapshot.clone()),
            Whose::Old => old.push(snapshot),
            Whose::Doubtful(reason) => listed.left.push(judged(snapshot, vec![reason])),
            Whose::Foreign => {}
        }
    }
    let Some(tag) = owner.old_tag.as_ref().filter(|_| !old.is_empty()) else { return listed };
    let is_alien = |snapshot: &&Snapshot| {
        let found = snapshot.host == owner.host && snapshot.has_tag(tag);
        found && !matches!(owner.whose(snapshot), Whose::Own | Whose::Old)
    };
    match snapshots.iter().find(is_alien) {
        None => {
            listed.tags.push(tag.clone());
            listed.own.extend(old.into_iter().cloned());
        }
        Some(alien) => {
            let reason =
                format!("its tag `{tag}` is also on {}, which is not the service's", alien.id.short());
            listed.left.extend(old.into_iter().map(|snapshot| judged(snapshot, vec![reason.clone()])));
        }
    }
    listed
}

/// What restic will make of these, as far as can be told before it is asked; `next`: with one more, made then.
#[must_use]
pub fn expect(own: &[Snapshot], policy: &Policy, next: Option<Timestamp>) -> Vec<Weighed> {
    let mut newest_first: Vec<&Snapshot> = own.iter().collect();
    newest_first.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.time));
    let offset = newest_first.first().map_or(Offset::UTC, |newest| newest.offset);
    let next = next.map(|time| offset.to_datetime(time));
    let times: Vec<_> =
        next.into_iter().chain(newest_first.iter().map(|snapshot| snapshot.wall_clock())).collect();
    let reasons = policy::reasons(policy, &times).into_iter().skip(usize::from(next.is_some()));
    let weigh =
        |(snapshot, reasons): (&Snapshot, Vec<String>)| Weighed { snapshot: snapshot.clone(), reasons };
    newest_first.into_iter().zip(reasons).map(weigh).collect()
}

/// What may really go of what restic's policy would remove.
///
/// # Errors
/// When it cannot be trusted that these are the service's, or that their times are true.
pub fn decide(
    owner: &Owner,
    weighed: &[Weighed],
    policy: &Policy,
    protected: &Protected,
    now: Timestamp,
) -> Result<Decision, Hold> {
    let is_own = |snapshot: &Snapshot| matches!(owner.whose(snapshot), Whose::Own | Whose::Old);
    if let Some(alien) = weighed.iter().find(|one| !is_own(&one.snapshot)) {
        return Err(Hold::Foreign(alien.snapshot.id.clone()));
    }
    let newest = weighed.iter().map(|one| &one.snapshot).max_by_key(|snapshot| snapshot.time);
    if let Some(future) = newest.filter(|newest| newest.time.duration_since(now) > SKEW) {
        return Err(Hold::Future { id: future.id.clone(), time: future.time });
    }
    let spared = Spared::among(weighed, policy, protected);
    let mut decision = Decision::default();
    for Weighed { snapshot, reasons } in weighed {
        let mut reasons = reasons.clone();
        if reasons.is_empty() {
            reasons.extend(spared.reason(&snapshot.id));
        }
        let list = if reasons.is_empty() { &mut decision.forget } else { &mut decision.keep };
        list.push(judged(snapshot, reasons));
    }
    Ok(decision)
}

/// What stays against the policy.
struct Spared {
    last_good: Option<SnapshotId>,
    last_proven: Option<SnapshotId>,
    /// What the policy keeps when only good ones count: a bad night takes no good one's place.
    good: Vec<SnapshotId>,
}

impl Spared {
    fn among(weighed: &[Weighed], policy: &Policy, protected: &Protected) -> Self {
        let is_good = |snapshot: &&Snapshot| !protected.doubts.concern(snapshot);
        let all_good = || weighed.iter().map(|one| &one.snapshot).filter(is_good);
        let newest = |until: Option<Timestamp>| {
            let in_time = all_good().filter(|one| until.is_none_or(|until| one.time <= until));
            in_time.max_by_key(|one| one.time).map(|one| one.id.clone())
        };
        let known = protected.last_good.clone().filter(|id| weighed.iter().any(|one| one.snapshot.id == *id));
        let only_good: Vec<Snapshot> = all_good().cloned().collect();
        let kept =
            expect(&only_good, policy, protected.next).into_iter().filter(|one| !one.reasons.is_empty());
        Self {
            last_good: known.or_else(|| newest(None)).filter(|_| protected.next.is_none()),
            last_proven: protected.proven_until.and_then(|until| newest(Some(until))),
            good: kept.map(|one| one.snapshot.id).collect(),
        }
    }

    fn reason(&self, id: &SnapshotId) -> Option<String> {
        let reason = match id {
            _ if self.last_good.as_ref() == Some(id) => "the last good one",
            _ if self.last_proven.as_ref() == Some(id) => "the last one that was read back",
            _ if self.good.contains(id) => "newer ones are less than good",
            _ => return None,
        };
        Some(reason.to_owned())
    }
}

fn judged(snapshot: &Snapshot, reasons: Vec<String>) -> Judged {
    Judged { id: snapshot.id.clone(), time: snapshot.time, reasons }
}

#[cfg(test)]
mod tests;
