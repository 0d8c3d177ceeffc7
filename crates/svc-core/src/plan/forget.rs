//! The plan of what is forgotten: at the end of a backup, or alone.

use jiff::Timestamp;

use super::{ForgetStep, ServicePlan, Step, When};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Observed, ObservedService};
use crate::records::{Attempt, RepositoryRecord};
use crate::retention::{Decision, Hold, Owner, Protected, decide, expect, sort};

/// Plans to forget what one service does not keep, and nothing else.
pub(super) fn service(
    config: &Config,
    observed: &Observed,
    name: &ServiceName,
    repository: &RepositoryName,
    now: Timestamp,
) -> ServicePlan {
    let mut plan = ServicePlan::empty(name.clone());
    let (Some(service), Some(seen)) = (config.services.get(name), observed.services.get(name)) else {
        return plan.skip("it is not configured");
    };
    if service.backup.policy.is_none() {
        return plan.skip("`backup.policy` is not set: every snapshot is kept");
    }
    if let Some(Err(failure)) = observed.repositories.get(repository) {
        return plan.refuse(failure.clone());
    }
    if let Some(failure) = standing(service, seen, observed, repository) {
        return plan.refuse(failure);
    }
    add(&mut plan, config, observed, repository, now, None);
    if plan.steps.is_empty() && plan.refused.is_empty() {
        return plan.skip(format!("`{}` keeps every snapshot there is", policy_words(service)));
    }
    plan
}

fn policy_words(service: &Service) -> String {
    service.backup.policy.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// What forbids it, although restic would do it.
fn standing(
    service: &Service,
    seen: &ObservedService,
    observed: &Observed,
    repository: &RepositoryName,
) -> Option<Failure> {
    let known = observed.known.get(repository).and_then(|known| known.hold(repository));
    if let Some(failure) = known.or_else(|| seen.record.lost.failure()) {
        return Some(failure);
    }
    let backups = seen.record.backups.get(repository)?;
    let last = backups.last_attempt.as_ref()?;
    // What went wrong beside a good snapshot makes it no worse.
    let is_good = |good: &Attempt| good.snapshot == last.snapshot;
    if last.code == Code::Ok || backups.last_good.as_ref().is_some_and(is_good) {
        return None;
    }
    let message = format!("the last backup of `{}` to `{repository}` was less than good", service.name);
    let failure = Failure::new(Code::Refused, message).because("nothing is forgotten until one is good");
    Some(failure.hint(format!("svc backup {repository} {}", service.name)))
}

/// Adds the step, if anything is to be forgotten or to be said; `next`: at the end of a run that makes one more snapshot
/// then.
pub(super) fn add(
    plan: &mut ServicePlan,
    config: &Config,
    observed: &Observed,
    repository: &RepositoryName,
    now: Timestamp,
    next: Option<Timestamp>,
) {
    let Some((service, owner)) = config.services.get(&plan.service).zip(Owner::of(config, &plan.service))
    else {
        return;
    };
    let (Some(policy), Some(Ok(snapshots))) = (&service.backup.policy, observed.repositories.get(repository))
    else {
        return;
    };
    let listed = sort(&owner, snapshots);
    let weighed = expect(&listed.own, policy, next);
    let protected = protected(observed, plan, repository, next, now);
    let (Decision { forget, keep }, held) = match decide(&owner, &weighed, policy, &protected, now) {
        Ok(decision) => (decision, lost(observed, plan, repository)),
        Err(hold) if next.is_none() => return plan.refused.push(held(&hold)),
        // The run says it, once the backup is there.
        Err(hold) => (Decision::default(), Some(held(&hold))),
    };
    if forget.is_empty() && listed.left.is_empty() && held.is_none() {
        return;
    }
    let kept = listed.own.len() - forget.len();
    let reason = format!("`{policy}` keeps {kept} of {} snapshots", listed.own.len());
    let reason = held.as_ref().map_or(reason, |held| format!("nothing goes: {}", held.message));
    let (repository, policy) = (repository.clone(), policy.clone());
    let step =
        ForgetStep { repository, owner, tags: listed.tags, policy, forget, keep, left: listed.left, held };
    let step = Step::Forget(Box::new(step));
    if next.is_some() { plan.close(step, When::Normal, reason) } else { plan.push(step, reason) }
}

/// That what is known of the repository or the service cannot be read. A backup goes on; what goes waits.
fn lost(observed: &Observed, plan: &ServicePlan, repository: &RepositoryName) -> Option<Failure> {
    let known = observed.known.get(repository).and_then(|known| known.lost.failure());
    known.or_else(|| observed.services.get(&plan.service).and_then(|seen| seen.record.lost.failure()))
}

/// A hold as a refusal.
pub(crate) fn held(hold: &Hold) -> Failure {
    Failure::from_error(Code::Refused, hold).hint("svc doctor")
}

/// What must stay, as the records say; a backup to come will be the last good one itself.
fn protected(
    observed: &Observed,
    plan: &ServicePlan,
    repository: &RepositoryName,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Protected {
    let record = observed.services.get(&plan.service).and_then(|seen| seen.record.backups.get(repository));
    let good = record.and_then(|record| record.last_good.as_ref()).and_then(|good| good.snapshot.clone());
    Protected {
        last_good: good,
        proven_until: observed
            .known
            .get(repository)
            .and_then(|known: &RepositoryRecord| known.proven_until(now)),
        doubts: record.map(|record| record.doubts.clone()).unwrap_or_default(),
        next,
    }
}
