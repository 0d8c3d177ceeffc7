//! Units that must not start: since boot their data is old and new in part, and nobody could bring it to one side.
//!
//! Docker waits for that by itself, see `svc-recover-data.service`. Units of the host are held by a drop-in that lasts until
//! the machine goes down: it asserts that a mark is not there, which is looked at with each start. So taking the mark away
//! is enough to let them start.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use svc_core::names::{RunId, UnitName};

/// Where drop-ins are until the machine goes down; they count for units of all other directories, too.
const DROP_INS: &str = "/run/systemd/system";
const MARKS: &str = "/run/svc/held";

/// Keeps these units from starting, on behalf of this run.
pub(crate) fn raise(run: &RunId, units: &[UnitName]) -> io::Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    let mark = mark(run);
    std::fs::create_dir_all(MARKS)?;
    std::fs::write(&mark, "")?;
    for unit in units {
        let directory = Path::new(DROP_INS).join(format!("{unit}.d"));
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(format!("50-svc-{run}.conf")), drop_in(run, &mark))?;
    }
    // The bus is not there yet; systemctl asks systemd itself.
    let mut reload = Command::new("systemctl");
    let reloaded = reload.arg("daemon-reload").stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if reloaded.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("systemctl daemon-reload: {reloaded}")))
    }
}

/// Lets them start again.
pub(crate) fn lower(run: &RunId) -> io::Result<()> {
    std::fs::remove_file(mark(run))
}

/// Whether units are held on behalf of this run.
pub(crate) fn is_raised(run: &RunId) -> bool {
    mark(run).exists()
}

fn mark(run: &RunId) -> PathBuf {
    Path::new(MARKS).join(run.as_str())
}

fn drop_in(run: &RunId, mark: &Path) -> String {
    format!(
        "# The data of this unit's service is old and new in part: `svc recover {run}` brings it to one side.\n\
         [Unit]\nAssertPathExists=!{}\n",
        mark.display()
    )
}
