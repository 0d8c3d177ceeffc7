//! `svc execute`: what a run's unit starts; nobody types it.

use std::path::Path;

use svc_core::code::Code;
use svc_core::engine::Engine;
use svc_core::failure::Failure;
use svc_core::names::RunId;
use svc_core::order::Order;
use svc_core::run_log::RunLog;

use crate::args::{ExecuteArgs, GlobalArgs};
use crate::context::Context;
use crate::run::perform;

/// Runs the plan that lies in a run's directory.
pub(crate) async fn run(global: GlobalArgs, args: &ExecuteArgs) -> Result<Code, Failure> {
    let (runs, run) = parts(&args.directory)?;
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Code::Failed, error);
    let order = Order::load(runs, &run).map_err(|error| failed(&error))?;
    let log = RunLog::reopen(runs, &run).map_err(|error| failed(&error))?;
    let Some(log) = log else {
        return Err(Failure::new(Code::Busy, format!("run {run} is at work already")));
    };
    let plan = order.plan.clone();
    let report = match Context::of_order(global.clone(), &order) {
        Ok(context) => {
            let work = async move |engine: Engine| engine.run(&plan).await;
            perform(&context, run, log, 0, work).await
        }
        // Whoever shows the run reads in its log why nothing was done.
        Err(failure) => {
            let context = Context::load_leniently(global, "the run says so in its log")?;
            let work = async move |engine: Engine| engine.refuse(&plan, &failure).await;
            perform(&context, run, log, 0, work).await
        }
    };
    Ok(report.code)
}

fn parts(directory: &Path) -> Result<(&Path, RunId), Failure> {
    let name = directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    directory.parent().zip(name).ok_or_else(|| {
        Failure::new(Code::Usage, format!("`{}` is no run's directory", directory.display())).hint("svc runs")
    })
}
