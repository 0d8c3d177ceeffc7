//! The end of a run: what needs a repository alone. restic forgets only where nobody else is at work, so it is done when
//! everything is saved, one service after the other: nobody waits for it, and nothing is down meanwhile.

use super::service::ServiceRun;
use crate::code::Code;
use crate::plan::When;
use crate::report::ServiceReport;

/// Does it for all services that were worked on; what each of them came to in the end.
pub(super) async fn run(ended: Vec<ServiceRun<'_>>) -> Vec<ServiceReport> {
    let mut reports = Vec::new();
    for run in ended {
        let closes = run.later.is_some() && !run.plan.closing.is_empty();
        // Boxed: it would make every future that holds it twice as large.
        reports.push(if closes { Box::pin(run.close()).await } else { run.report });
    }
    reports
}

impl ServiceRun<'_> {
    async fn close(mut self) -> ServiceReport {
        // It was free for all that waited for the others: whoever has it now may be saving it.
        let _lock = match self.lock().await {
            Ok(lock) => lock,
            Err(failure) => {
                self.note(format!("nothing is forgotten this time: {}", failure.message));
                return self.report;
            }
        };
        let plan = self.plan;
        for (index, planned) in (plan.steps.len()..).zip(&plan.closing) {
            if planned.when == When::Always || self.engine.cancel.code().is_none() {
                self.step(index, planned).await;
            }
        }
        self.report.failures.extend(self.keep_forgotten().err());
        self.report.code = Code::worst(self.report.failures.iter().map(|failure| failure.code));
        self.report
    }
}
