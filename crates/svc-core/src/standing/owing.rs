//! What other runs owe to a service: whoever holds its lock looks here before anything is done to it.

use std::path::Path;
use std::time::Instant;

use crate::event::{Body, Event};
use crate::history;
use crate::ledger::{Ledger, Moment};
use crate::names::{RunId, ServiceName};
use crate::run_log;

/// What is found in the log of another run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owing {
    /// It died over the service: what it owes comes first.
    Died(RunId),
    /// It left the service's data old and new in part, or died over that: nothing of it may be started.
    Unsettled {
        /// The run.
        run: RunId,
        /// It died, and nobody has tried yet what it owes.
        died: bool,
    },
}

/// What other runs owe to a service whose lock the caller holds: so whoever began with it and has not ended is dead. That
/// trees are not on one side comes before all else, unless a later restore put all of them in place.
pub(crate) fn owing(directory: &Path, service: &ServiceName, own: &RunId) -> Option<Owing> {
    let mut died = None;
    let mut is_replaced = false;
    for run in history::runs(directory).unwrap_or_default() {
        if run == *own {
            continue;
        }
        // One that vanishes meanwhile owes nothing.
        let Ok(text) = std::fs::read(history::log(directory, &run)) else { continue };
        let exchanges = has(&text, b"\"event\":\"exchanging\"");
        let is_ended = run_log::is_ended(&text);
        if is_ended && !exchanges {
            continue;
        }
        let trace = Trace::of(&run_log::parse(&text), service);
        if trace.ledger.is_unsettled() && !is_replaced {
            return Some(Owing::Unsettled { run, died: !is_ended });
        }
        is_replaced |= !trace.ledger.exchanged.is_empty();
        if died.is_none() && trace.is_open && trace.is_known && !is_ended {
            died = Some(Owing::Died(run));
        }
    }
    died
}

/// Whether the trees of a service may be old and new in part, as a run's log says.
pub(crate) fn is_unsettled(events: &[Event], service: &ServiceName) -> bool {
    Trace::of(events, service).ledger.is_unsettled()
}

/// What a log says of one service.
struct Trace {
    ledger: Ledger,
    /// Something was done to it, and its end was not told.
    is_open: bool,
    /// It says what was to be done, so that it can be recovered.
    is_known: bool,
}

impl Trace {
    fn of(events: &[Event], service: &ServiceName) -> Self {
        let is_start = |event: &Event| matches!(event.body, Body::RunStarted { .. });
        let is_known = events.iter().any(is_start);
        let mut trace = Self { ledger: Ledger::default(), is_open: false, is_known };
        for event in events.iter().filter(|event| event.body.service() == Some(service)) {
            trace.ledger.apply(&event.body, Moment { instant: Instant::now(), at: event.at });
            match &event.body {
                Body::StepStarted { step, .. } => trace.is_open |= step.has_side_effect(),
                Body::ServiceFinished { .. } => trace.is_open = false,
                _ => {}
            }
        }
        trace
    }
}

/// Reading a log as events takes far longer than looking whether it can say anything.
fn has(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}
