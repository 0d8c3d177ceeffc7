//! Old logs go when a new run begins.

use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Fate, log, runs, summary};
use crate::code::Code;
use crate::names::RunId;
use crate::run_log;

/// Logs older than this go.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// More logs than these are not kept.
const MOST: usize = 200;

/// Removes the logs of runs that are older than 90 days or not among the last 200. The newest stays in any case, so
/// does one that is at work, and for 90 days one that never said how it ended, or that something stayed down: it may still
/// be so.
pub fn prune(directory: &Path, now: Timestamp) {
    // What cannot be removed now is removed another time: no run fails because of it.
    let Ok(all) = runs(directory) else { return };
    let dated = all.iter().filter_map(|run| Some((run, began(run)?)));
    for (place, (run, began)) in dated.enumerate().skip(1) {
        let is_old = now.duration_since(began) > KEPT;
        if (is_old || place >= MOST) && may_go(directory, run, is_old) {
            let _ = std::fs::remove_dir_all(directory.join(run.as_str()));
        }
    }
}

fn may_go(directory: &Path, run: &RunId, is_old: bool) -> bool {
    if is_old {
        return run_log::is_held(&log(directory, run)).is_ok_and(|held| !held);
    }
    summary(directory, run).is_ok_and(|summary| match summary.fate {
        Fate::Ended { code } | Fate::Recovered { code } => code != Code::NotResumed,
        Fate::Running | Fate::Crashed => false,
    })
}

/// The time that an id begins with; nothing for a directory that is no run of ours.
fn began(run: &RunId) -> Option<Timestamp> {
    let (time, _) = run.as_str().split_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
