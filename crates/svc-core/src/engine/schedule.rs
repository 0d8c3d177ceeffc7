//! Which services are worked on at once: as many as the plan says, in its order, never two of one group.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::service::ServiceRun;
use super::{Engine, untouched};
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::names::ServiceName;
use crate::plan::{Plan, ServicePlan};

/// Runs every service of the plan; one's failure does not stop the others. Gives them back in the plan's order.
pub(super) async fn run<'a>(
    engine: &'a Engine,
    plan: &'a Plan,
    begin: impl Fn(&'a ServicePlan) -> ServiceRun<'a>,
) -> Vec<ServiceRun<'a>> {
    let mut waiting: Vec<&ServicePlan> = plan.services.iter().collect();
    let mut running: Vec<&ServicePlan> = Vec::new();
    let mut ended: Vec<ServiceRun<'a>> = Vec::new();
    let mut work = FuturesUnordered::new();
    loop {
        while let Some(next) = next_ready(&waiting, &running, &ended, plan.jobs) {
            let service = waiting.remove(next);
            let run = begin(service);
            if let Some(code) = engine.cancel.code() {
                let report = untouched(service, &Failure::new(code, "cancelled before it began"));
                engine.recorder.tell(Body::ServiceFinished { report: report.clone() });
                ended.push(run.with(report));
                continue;
            }
            running.push(service);
            work.push(run.run());
        }
        let Some(run) = work.next().await else { break };
        running.retain(|service| service.service != run.plan.service);
        ended.push(run);
    }
    let missing = Failure::new(Code::Internal, "the run ended without it");
    ended.extend(waiting.into_iter().map(|service| begin(service).with(untouched(service, &missing))));
    ended.sort_by_key(|run| plan.services.iter().position(|service| service.service == run.plan.service));
    ended
}

fn next_ready(
    waiting: &[&ServicePlan],
    running: &[&ServicePlan],
    ended: &[ServiceRun<'_>],
    jobs: usize,
) -> Option<usize> {
    if running.len() >= jobs.max(1) {
        return None;
    }
    let done = |name: &ServiceName| ended.iter().any(|run| run.plan.service == *name);
    let free = |plan: &ServicePlan| !running.iter().any(|other| other.group == plan.group);
    let ready = |plan: &&ServicePlan| free(plan) && plan.after.iter().all(done);
    // A cycle cannot be configured; were there one, the first in line goes rather than none.
    waiting.iter().position(ready).or_else(|| (running.is_empty() && !waiting.is_empty()).then_some(0))
}
