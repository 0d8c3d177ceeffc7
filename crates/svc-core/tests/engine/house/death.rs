//! A process that dies at a moment, whatever it does then.

use std::time::Duration;

use svc_core::names::RunId;
use svc_core::plan::Plan;
use svc_core::recorder::Recorder;
use svc_core::run_log::RunLog;
use tokio::sync::mpsc;

use super::{House, noon};

impl House {
    /// Runs until the process dies after this time.
    pub(crate) async fn run_for(&self, plan: Plan, time: Duration) -> RunId {
        let run = self.next_run();
        let log = RunLog::create(&self.scope.runs_dir(), &run).unwrap();
        let (events, _) = mpsc::unbounded_channel();
        let (recorder, thread) = Recorder::start(run.clone(), log, noon, events);
        let engine = self.engine(&run, recorder);
        let ended = tokio::time::timeout(time, async move { engine.run(&plan).await }).await;
        thread.join();
        assert!(ended.is_err(), "it came to its end before");
        run
    }
}
