//! Who holds a repository, and whether its lock may be removed: only when it is proven to be svc's own, or far too old.
//!
//! `restic unlock` sends SIGHUP to the process named by a lock of this host that is younger than half an hour, whoever has
//! that process id by now. So it is never called while such a lock's process lives, or is not known to have been svc's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::figure::moment;
use crate::history;
use crate::life::{Life, life};
use crate::names::RepositoryName;
use crate::outside::Outside;
use crate::records::RepositoryRecord;
use crate::restic::Lock;
use crate::retention::SKEW;
use crate::run_log;
use crate::scope::Scope;

/// From this age on restic takes any lock for stale, without a look at its process.
const OLD: SignedDuration = SignedDuration::from_mins(30);
/// restic refreshes its lock so often.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// How often a lock is looked at again.
const LOOK: Duration = Duration::from_secs(5);

/// A process of restic that svc started, and the span in which its lock may have been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its id.
    pub pid: u32,
    /// When it was started, in ticks after the machine: its id may be another's by now. Nothing: not known.
    pub born: Option<u64>,
    /// When it was started.
    pub from: Timestamp,
    /// The last that was heard of its run; nothing: not known.
    pub until: Option<Timestamp>,
}

/// What can be done about the locks of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There are none.
    Free,
    /// restic may remove those that it takes for stale.
    Stale,
    /// svc itself is at work there.
    Busy(String),
    /// Somebody holds it, or may.
    Held(String),
}

/// Judges locks. `host` is this machine's name; `life` looks at one of its processes.
#[must_use]
pub fn judge(locks: &[Lock], host: &str, own: &[Own], now: Timestamp, life: impl Fn(u32) -> Life) -> Verdict {
    let is_old = |lock: &Lock| now.duration_since(lock.time) > OLD + SKEW;
    let is_ours = |lock: &Lock| own.iter().any(|own| own.wrote(lock));
    let is_left = |lock: &Lock| lock.host == host && life(lock.pid) == Life::Gone && is_ours(lock);
    let held: Vec<&Lock> = locks.iter().filter(|lock| !is_old(lock) && !is_left(lock)).collect();
    let holds = |lock: &Lock| own.iter().any(|own| own.wrote(lock) && own.is(life(lock.pid)));
    let at_work = |lock: &&&Lock| lock.host == host && holds(lock);
    let say = |lock: &Lock| match life(lock.pid) {
        _ if lock.host != host => held_by(lock, ","),
        Life::Gone => held_by(lock, ", which does not live here, and is not known to be svc's;"),
        Life::Lives(_) if is_ours(lock) && !holds(lock) => left_behind(lock),
        Life::Lives(_) => held_by(lock, ", which lives here;"),
    };
    match (held.iter().find(|lock| !at_work(lock)), held.first()) {
        (Some(lock), _) => Verdict::Held(say(lock)),
        (None, Some(lock)) => Verdict::Busy(say(lock)),
        (None, None) if locks.is_empty() => Verdict::Free,
        (None, None) => Verdict::Stale,
    }
}

impl Own {
    fn wrote(&self, lock: &Lock) -> bool {
        let too_early = self.from.duration_since(lock.time) > SKEW;
        let too_late = self.until.is_some_and(|until| lock.time.duration_since(until) > REFRESH + SKEW);
        self.pid == lock.pid && !too_early && !too_late
    }

    /// Whether the process that has its id is this one. One of which that is not known is not.
    fn is(&self, life: Life) -> bool {
        self.born.is_some() && life == Life::Lives(self.born)
    }
}

fn held_by(Lock { pid, host, time, .. }: &Lock, what: &str) -> String {
    format!("held by process {pid} on `{host}`{what} last heard of at {}", moment(*time))
}

/// restic would ask the other program by a signal that ends most: only time tells.
fn left_behind(Lock { pid, time, .. }: &Lock) -> String {
    let stale = time.checked_add(OLD + SKEW).unwrap_or(*time);
    format!(
        "left by a restic that svc had started; its process id {pid} is another program's by now, so it is nobody's only \
         from {} on",
        moment(stale)
    )
}

/// How long it is waited in all.
#[derive(Debug)]
pub struct Patience {
    until: Instant,
}

impl Patience {
    /// So long from now on.
    #[must_use]
    pub fn new(span: Duration) -> Self {
        let now = Instant::now();
        Self { until: now.checked_add(span).unwrap_or(now) }
    }
}

/// Waits a moment for whoever holds a repository, or removes locks that are proven to be dead; then it is worth another try.
///
/// # Errors
/// When the patience is at an end: 11, with who holds it.
pub async fn settle(
    scope: &Scope,
    outside: &Outside,
    repository: &RepositoryName,
    now: Timestamp,
    patience: &mut Patience,
) -> Result<(), Failure> {
    let locks = outside.restic.locks(repository).await.map_err(|error| Failure::from(&error))?;
    match judge(&locks, &host(), &own(scope, repository), now, life) {
        Verdict::Free => tokio::time::sleep(Duration::from_millis(200)).await,
        Verdict::Stale => outside.restic.unlock(repository).await.map_err(|error| Failure::from(&error))?,
        Verdict::Busy(who) if Instant::now() >= patience.until => {
            let message = format!("svc itself is at work in repository `{repository}`");
            return Err(Failure::new(Code::Busy, message).because(who).hint("svc runs"));
        }
        Verdict::Held(who) if Instant::now() >= patience.until => return Err(locked(repository, &who)),
        Verdict::Busy(_) | Verdict::Held(_) => {
            let left = patience.until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
    // Whoever takes and lets go of it all the time would keep it from ever ending.
    if Instant::now() >= patience.until + LOOK {
        Err(locked(repository, "it is locked again and again"))
    } else {
        Ok(())
    }
}

/// That somebody holds a repository.
#[must_use]
pub fn locked(repository: &RepositoryName, who: &str) -> Failure {
    Failure::new(Code::RepositoryLocked, format!("repository `{repository}` is locked"))
        .because(who)
        .hint(format!("svc repo unlock {repository}"))
}

/// This machine's name, as restic writes it into its locks.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The processes that svc is known to have started for a repository: from the logs of its runs and the repository's record.
#[must_use]
pub fn own(scope: &Scope, repository: &RepositoryName) -> Vec<Own> {
    let runs = scope.runs_dir();
    let logs = history::runs(&runs).unwrap_or_default();
    let logged = logs.iter().flat_map(|run| {
        let events = run_log::read(&history::log(&runs, run)).unwrap_or_default();
        let until = events.last().map(|event| event.at);
        let started = events.into_iter().filter_map(move |event| match event.body {
            Body::ResticStarted { repository, pid, born } => {
                Some((repository, Own { pid, born, from: event.at, until }))
            }
            _ => None,
        });
        started.filter(|(name, _)| name == repository).map(|(_, own)| own).collect::<Vec<_>>()
    });
    let record = RepositoryRecord::load(&scope.records_dir(), repository);
    let noted = record.processes.into_iter().map(|one| Own {
        pid: one.pid,
        born: one.born,
        from: one.from,
        until: None,
    });
    logged.chain(noted).collect()
}

#[cfg(test)]
mod tests;
