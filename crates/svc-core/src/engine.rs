//! Runs a plan against the outside systems and tells what happens. Knows no renderer and no terminal.

mod backup;
mod closing;
mod control;
mod forget;
mod freeze;
mod health;
mod hold;
mod hooks;
mod pause;
mod prior;
mod quiet;
mod recovery;
mod restore;
mod schedule;
mod service;
mod sources;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::cancel::Cancel;
use crate::code::Code;
use crate::config::Config;
use crate::event::Body;
use crate::failure::{Failure, PANICKED};
use crate::faults::Faults;
use crate::ledger::Moment;
use crate::names::RunId;
use crate::outside::Outside;
use crate::plan::{Plan, ServicePlan};
use crate::recorder::Recorder;
use crate::report::{Report, ServiceReport};
use crate::restic::Started;
use crate::scope::Scope;

use service::ServiceRun;

/// All that a run needs.
#[derive(Clone)]
pub struct Engine {
    /// What is configured.
    pub config: Arc<Config>,
    /// Whose services.
    pub scope: Arc<Scope>,
    /// systemd, Docker, restic.
    pub outside: Outside,
    /// Where it tells what happens.
    pub recorder: Recorder,
    /// This run.
    pub run: RunId,
    /// How it is asked to end.
    pub cancel: Cancel,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Where the programs of hooks are looked for.
    pub path: String,
    /// Where a test stops it.
    pub faults: Arc<Faults>,
}

impl Engine {
    fn moment(&self) -> Moment {
        Moment { instant: Instant::now(), at: (self.now)() }
    }

    /// Runs a plan to its end. Whatever happens, what ran before runs again, or the report says 5.
    pub async fn run(&self, plan: &Plan) -> Report {
        let began = Instant::now();
        let started = Body::RunStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            plan: plan.clone(),
        };
        let services = match self.recorder.announce(started).await {
            Ok(()) => self.run_services(plan).await,
            Err(error) => {
                let failure =
                    Failure::from_error(Code::NoSpace, &error).hint("make room for svc's state directory");
                plan.services.iter().map(|service| untouched(service, &failure)).collect()
            }
        };
        let codes = services.iter().map(|report| report.code).chain(self.cancel.code());
        let report = Report {
            code: Code::worst(codes),
            verb: plan.goal.verb().to_owned(),
            took_ms: millis(began),
            crashed: false,
            services,
        };
        // A log that cannot take its end shows as a run that crashed; the report is true all the same.
        let _ = self.recorder.announce(Body::RunFinished { report: report.clone() }).await;
        report
    }

    /// Ends a run that could not begin: nothing was touched.
    pub async fn refuse(&self, plan: &Plan, failure: &Failure) -> Report {
        let (version, pid) = (env!("CARGO_PKG_VERSION").to_owned(), std::process::id());
        let _ = self.recorder.announce(Body::RunStarted { version, pid, plan: plan.clone() }).await;
        let services = plan.services.iter().map(|service| untouched(service, failure)).collect();
        let (code, verb) = (failure.code, plan.goal.verb().to_owned());
        let report = Report { code, verb, took_ms: 0, crashed: false, services };
        let _ = self.recorder.announce(Body::RunFinished { report: report.clone() }).await;
        report
    }

    async fn run_services(&self, plan: &Plan) -> Vec<ServiceReport> {
        let watch = async {
            self.cancel.token().cancelled().await;
            let by = match self.cancel.code() {
                Some(Code::Interrupted) => "SIGINT",
                Some(Code::Terminated) => "SIGTERM",
                Some(Code::Hangup) => "SIGHUP",
                _ => "svc cancel",
            };
            self.recorder.tell(Body::CancelRequested { by: by.to_owned() });
            std::future::pending::<()>().await;
        };
        let begin = |service| ServiceRun::new(self, &plan.goal, service);
        tokio::select! {
            reports = self.run_to_the_end(plan, begin) => reports,
            () = watch => Vec::new(),
        }
    }

    /// Works on all services, and then on what needs their repositories alone.
    async fn run_to_the_end<'a>(
        &'a self,
        plan: &'a Plan,
        begin: impl Fn(&'a ServicePlan) -> ServiceRun<'a>,
    ) -> Vec<ServiceReport> {
        let starts = self.outside.restic.starts();
        let work = async { closing::run(schedule::run(self, plan, begin).await).await };
        tokio::select! {
            reports = work => reports,
            () = self.tell_starts(starts) => Vec::new(),
        }
    }

    /// Writes down each process that locks a repository: one that dies leaves a lock, and that proves whose it is.
    async fn tell_starts(&self, starts: Option<broadcast::Receiver<Started>>) {
        if let Some(mut starts) = starts {
            while let Ok(Started { repository, pid, born }) = starts.recv().await {
                self.recorder.tell(Body::ResticStarted { repository, pid, born });
            }
        }
        std::future::pending::<()>().await;
    }
}

/// The report of a service that nothing was done to.
fn untouched(plan: &ServicePlan, failure: &Failure) -> ServiceReport {
    let mut report = ServiceReport::new(plan.service.clone());
    report.code = failure.code;
    report.failures.push(failure.clone());
    report
}

/// Does the work; a panic becomes a failure, so that what is owed is paid back all the same.
async fn caught<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let failed = |_| Err(Failure::new(Code::Internal, PANICKED));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(failed)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
