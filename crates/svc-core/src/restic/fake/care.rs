//! What the fake restic does with locks, and with what lies in a repository already.

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::fault::failed;
use super::{Call, FakeRepository, FakeRestic};
use crate::names::{RepositoryName, SnapshotId};
use crate::restic::{ForgetQuestion, ResticError, ResticFailure, Snapshot, Stats, Subset, Verb, Weighed};
use crate::retention::policy;

/// A backup that is under way.
pub(super) struct AtWork<'a> {
    restic: &'a FakeRestic,
    name: &'a RepositoryName,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.restic.change(self.name, |open| open.at_work -= 1);
    }
}

impl FakeRestic {
    pub(super) fn at_work<'a>(&'a self, name: &'a RepositoryName) -> AtWork<'a> {
        self.change(name, |open| open.at_work += 1);
        AtWork { restic: self, name }
    }

    /// Does something with a repository that takes a lock; `exclusive`: one beside which no other may be.
    pub(super) async fn alone<T>(
        &self,
        call: Call,
        exclusive: bool,
        work: impl FnOnce(&mut FakeRepository) -> Result<T, ResticError> + Send,
    ) -> Result<T, ResticError> {
        let (verb, name) = (call.verb(), call.repository().to_owned());
        self.call(call, &CancellationToken::new()).await?;
        let Ok(name) = name.parse::<RepositoryName>() else {
            return Err(failed(verb, &name, ResticFailure::NoRepository));
        };
        self.open(&name, verb, |open| {
            let is_locked = open.locks.iter().any(|lock| exclusive || lock.exclusive);
            if is_locked || exclusive && open.at_work > 0 {
                return Err(failed(verb, name.as_str(), ResticFailure::Locked));
            }
            work(open)
        })
    }
}

impl FakeRepository {
    /// restic's policy over one group, newest first.
    pub(super) fn weigh(&self, question: &ForgetQuestion) -> Vec<Weighed> {
        let is_meant = |snapshot: &&Snapshot| {
            snapshot.host == question.host && question.tags.iter().any(|tag| snapshot.has_tag(tag))
        };
        let list = self.list();
        let mut meant: Vec<&Snapshot> = list.iter().filter(is_meant).collect();
        meant.reverse();
        let times: Vec<_> = meant.iter().map(|snapshot| snapshot.wall_clock()).collect();
        let reasons = policy::reasons(&question.policy, &times);
        let weigh =
            |(snapshot, reasons): (&Snapshot, Vec<String>)| Weighed { snapshot: snapshot.clone(), reasons };
        meant.into_iter().zip(reasons).map(weigh).collect()
    }

    pub(super) fn remove(&mut self, ids: &[SnapshotId]) {
        self.snapshots.retain(|(snapshot, _)| !ids.contains(&snapshot.id));
    }

    /// A damaged pack is seen only where its bytes are read.
    pub(super) fn check_data(
        &self,
        name: &RepositoryName,
        subset: Option<Subset>,
    ) -> Result<(), ResticError> {
        let reads = |part: u32| subset.is_some_and(|subset| subset.of == 1 || subset.part == part);
        match self.damaged {
            Some(part) if part == 0 || reads(part) => {
                Err(failed(Verb::Check, name.as_str(), ResticFailure::Damaged))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn unlock(&mut self, now: Timestamp) {
        let is_old = |time: Timestamp| now.duration_since(time) > SignedDuration::from_mins(30);
        let Self { locks, dead, .. } = self;
        locks.retain(|lock| !is_old(lock.time) && !dead.contains(&lock.pid));
    }

    pub(super) fn stats(&self) -> Stats {
        let bytes = self.snapshots.iter().map(|(_, tree)| tree.total().bytes).sum();
        Stats { stored_bytes: bytes, uncompressed_bytes: bytes, snapshots: self.snapshots.len() as u64 }
    }
}
