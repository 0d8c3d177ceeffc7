//! What the process that shows a run hands over to the one that does it: `<stateDir>/runs/<id>/plan.json`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::names::RunId;
use crate::plan::Plan;
use crate::scope::Scope;

/// All that a run needs to know; a unit inherits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What is done: the very plan that was shown.
    pub plan: Plan,
    /// Whose services, and where everything is.
    pub scope: Scope,
    /// Where programs are looked for.
    pub path: String,
    /// `HOME`.
    pub home: PathBuf,
    /// `TMPDIR`, if it was set.
    pub temp_dir: Option<PathBuf>,
}

impl Order {
    /// Writes it into the run's directory, for its owner alone.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, runs: &Path, run: &RunId) -> io::Result<()> {
        durable::replace(&file(runs, run), &serde_json::to_vec(self)?, 0o600)
    }

    /// Reads that of a run.
    ///
    /// # Errors
    /// When it is missing, unreadable or torn.
    pub fn load(runs: &Path, run: &RunId) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(file(runs, run))?)?)
    }
}

fn file(runs: &Path, run: &RunId) -> PathBuf {
    runs.join(run.as_str()).join("plan.json")
}
