//! The plan of what is forgotten: at the end of a backup, or alone.

use jiff::Timestamp;

use super::{ForgetStep, ServicePlan, Step, When};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName};
use crate::observe::{Observed, ObservedService};
use crate::records::{Damage, RepositoryRecord};
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
    if let Some(damage) = observed.known.get(repository).and_then(|known| known.damaged.as_ref()) {
        return Some(damaged(repository, damage));
    }
    let last = seen.record.backups.get(repository)?.last_attempt.as_ref()?;
    if last.code == Code::Ok {
        return None;
    }
    let message = format!("the last backup of `{}` to `{repository}` was less than good", service.name);
    let failure = Failure::new(Code::Refused, message).because("nothing is forgotten until one is good");
    Some(failure.hint(format!("svc backup {repository} {}", service.name)))
}

/// Why nothing is removed from a repository that is marked.
pub(crate) fn damaged(repository: &RepositoryName, damage: &Damage) -> Failure {
    let when = damage.at.strftime("%F %T UTC");
    let message =
        format!("repository `{repository}` was found damaged at {when}: nothing is removed from it");
    Failure::new(Code::Damaged, message).because(damage.said.clone()).hint(format!(
        "svc repo check {repository} --subset all   # after a repair: https://restic.readthedocs.io/en/stable/077_troubleshooting.html"
    ))
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
    let protected = protected(observed, plan, repository, next);
    let (Decision { forget, keep }, held) = match decide(&owner, &weighed, policy, &protected, now) {
        Ok(decision) => (decision, None),
        Err(hold) if next.is_none() => return plan.refused.push(held(&hold)),
        // The run says it, once the backup is there.
        Err(hold) => (Decision::default(), Some(held(&hold))),
    };
    if forget.is_empty() && listed.left.is_empty() && held.is_none() {
        return;
    }
    let kept = listed.own.len() - forget.len();
    let reason = format!("`{policy}` keeps {kept} of {} snapshots", listed.own.len());
    let reason =
        if held.is_some() { "nothing goes while times cannot be trusted".to_owned() } else { reason };
    let (repository, policy) = (repository.clone(), policy.clone());
    let step =
        ForgetStep { repository, owner, tags: listed.tags, policy, forget, keep, left: listed.left, held };
    let step = Step::Forget(Box::new(step));
    if next.is_some() { plan.close(step, When::Normal, reason) } else { plan.push(step, reason) }
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
) -> Protected {
    let record = observed.services.get(&plan.service).and_then(|seen| seen.record.backups.get(repository));
    let good = record.and_then(|record| record.last_good.as_ref()).and_then(|good| good.snapshot.clone());
    Protected {
        last_good: good,
        proven_until: observed.known.get(repository).and_then(RepositoryRecord::proven_until),
        doubts: record.map(|record| record.doubts.clone()).unwrap_or_default(),
        next,
    }
}
