//! What runs left undone, and what of it is still so.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io;
use std::path::Path;

use crate::code::Code;
use crate::docker::Container;
use crate::history::{self, CutOff, Fate, cut_off};
use crate::names::{RunId, ServiceName};
use crate::observe::{Parts, is_up};
use crate::plan::Target;
use crate::report::ServiceReport;
use crate::run_log;
use crate::systemd::{Unit, UnitDetails};

/// What runs left undone, newest first; where a later run brought the service to its end, that is settled.
pub(crate) fn of(directory: &Path) -> io::Result<Vec<CutOff>> {
    let (mut left, mut settled, mut replaced) = (Vec::new(), HashSet::new(), HashSet::new());
    for run in history::runs(directory)? {
        // One that vanishes meanwhile is none.
        let Ok(summary) = history::summary(directory, &run) else { continue };
        let cuts = if summary.fate == Fate::Crashed || summary.owes {
            let events = run_log::read(&history::log(directory, &run)).unwrap_or_default();
            cut_off(&run, &events)
        } else {
            Vec::new()
        };
        let is_cut = |service: &ServiceName| cuts.iter().any(|cut| cut.service == *service);
        let report = history::report_of(directory, &run).ok().flatten();
        let ended: Vec<ServiceReport> = report.map_or_else(Vec::new, |report| report.services);
        let ended: Vec<ServiceReport> =
            ended.into_iter().filter(|report| !is_cut(&report.service) && has_touched(report)).collect();
        // Data that is old and new in part does not become whole by what runs on it.
        let is_settled =
            |cut: &CutOff| if cut.exchanging { &replaced } else { &settled }.contains(&cut.service);
        left.extend(cuts.into_iter().filter(|cut| !is_settled(cut)));
        let whole = ended.iter().filter(|report| report.restored.is_some());
        replaced.extend(whole.map(|report| report.service.clone()));
        settled.extend(ended.into_iter().map(|report| report.service));
    }
    Ok(left)
}

/// Whether a run came to the service at all.
const fn has_touched(report: &ServiceReport) -> bool {
    !matches!(report.code, Code::Busy | Code::Refused)
}

/// The runs whose work another process has to end, oldest first: those that died, or that the machine went down under;
/// and where it is wished, those that ended and could not bring everything back.
///
/// # Errors
/// When the directory cannot be read.
pub fn unfinished(directory: &Path, also_ended: bool) -> io::Result<Vec<RunId>> {
    let mut runs = history::runs(directory)?;
    let left = Unfinished { directory, also_ended, cuts: OnceCell::new() };
    runs.retain(|run| left.holds(run));
    runs.reverse();
    Ok(runs)
}

/// Whether a run is one of these. The logs of others are read only when it needs them, for something may be down.
#[must_use]
pub fn is_unfinished(directory: &Path, run: &RunId) -> bool {
    Unfinished { directory, also_ended: true, cuts: OnceCell::new() }.holds(run)
}

struct Unfinished<'a> {
    directory: &'a Path,
    also_ended: bool,
    /// What all runs left undone, once somebody asked.
    cuts: OnceCell<Vec<CutOff>>,
}

impl Unfinished<'_> {
    fn holds(&self, run: &RunId) -> bool {
        let Ok(summary) = history::summary(self.directory, run) else { return false };
        match summary.fate {
            // One that never began owes nothing.
            Fate::Crashed => summary.began.is_some(),
            // It tried all it could, and said so.
            Fate::Ended { code: Code::NotResumed } => self.also_ended && self.is_left(run),
            // The machine went down under it, or under its recovery: nobody has tried since.
            Fate::Ended { .. } | Fate::Recovered { .. } => summary.owes && self.is_left(run),
            Fate::Running => false,
        }
    }

    fn is_left(&self, run: &RunId) -> bool {
        let cuts = self.cuts.get_or_init(|| of(self.directory).unwrap_or_default());
        cuts.iter().any(|cut| cut.run == *run)
    }
}

/// The same without what is seen running now.
pub(crate) fn still(cut: &CutOff, parts: Option<&Parts>) -> CutOff {
    let Some(parts) = parts else { return cut.clone() };
    let unit =
        |(unit, _): &(Unit, Option<UnitDetails>)| is_up(unit.active).then(|| Target::Unit(unit.name.clone()));
    let container = |one: &Container| one.state.is_up().then(|| Target::container(one));
    let up: HashSet<Target> =
        parts.units.iter().filter_map(unit).chain(parts.containers.iter().filter_map(container)).collect();
    let mut cut = cut.clone();
    cut.down.retain(|target| !up.contains(target));
    cut
}
