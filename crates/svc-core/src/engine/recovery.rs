//! Doing what a run that died owes.

use std::time::Duration;

use super::Engine;
use super::service::ServiceRun;
use crate::cancel::Cancel;
use crate::code::Code;
use crate::event::Body;
use crate::failure::Failure;
use crate::names::ServiceName;
use crate::plan::ServicePlan;
use crate::recover::Recovery;
use crate::report::{Report, ServiceReport};

impl Engine {
    /// Does what a run that died owes, and ends its log. It may be done again: what is done already stays done. Nobody
    /// cancels it: what is owed does not become less.
    pub async fn recover(&self, recovery: &Recovery) -> Report {
        let to_its_end = Self { cancel: Cancel::default(), ..self.clone() };
        to_its_end.pay(recovery).await
    }

    async fn pay(&self, recovery: &Recovery) -> Report {
        self.take_over().await;
        let plan = &recovery.plan;
        let mut services = recovery.settled.clone();
        services.extend(self.run_to_the_end(plan, |service| self.go_on(recovery, service)).await);
        let took = Duration::try_from((self.now)().duration_since(recovery.began)).unwrap_or_default();
        let report = Report {
            code: Code::worst(services.iter().map(|report: &ServiceReport| report.code)),
            verb: plan.goal.verb().to_owned(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            crashed: true,
            services,
        };
        let _ = self.recorder.announce(Body::RunFinished { report: report.clone() }).await;
        report
    }

    /// The part of that which needs only file systems: trees that changed places in part come to one side. What is left to
    /// do stays in the log. Gives the services whose trees could not: they must stay off.
    pub async fn recover_data(&self, recovery: &Recovery) -> Vec<(ServiceName, Failure)> {
        self.take_over().await;
        let mut stuck = Vec::new();
        for (name, unfinished) in &recovery.unfinished {
            let settled = ServiceRun::resumed(self, &recovery.plan.goal, unfinished).settle().await;
            stuck.extend(settled.err().map(|failure| (name.clone(), failure)));
        }
        stuck
    }

    /// Says that another process goes on; what is owed is paid back also when that cannot be written down.
    async fn take_over(&self) {
        let (version, pid) = (env!("CARGO_PKG_VERSION").to_owned(), std::process::id());
        let _ = self.recorder.announce(Body::Recovering { version, pid }).await;
    }

    fn go_on<'a>(&'a self, recovery: &'a Recovery, service: &'a ServicePlan) -> ServiceRun<'a> {
        match recovery.unfinished.get(&service.service) {
            Some(unfinished) => ServiceRun::resumed(self, &recovery.plan.goal, unfinished),
            None => ServiceRun::new(self, &recovery.plan.goal, service),
        }
    }
}
