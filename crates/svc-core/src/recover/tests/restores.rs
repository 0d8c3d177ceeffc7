//! Logs of made-up restores and of their recoveries, cut at any byte: trees come to one side, and nothing starts before.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{cut, notes, now, owed, running, sorted, targets, text};
use crate::code::Code;
use crate::event::{Body, Event};
use crate::exchange::Tree;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::plan::{ExchangePair, Plan, PlannedStep, ServicePlan, Step, Target, When};
use crate::prior::Prior;
use crate::recover::{Recovery, recover};
use crate::report::ServiceReport;

/// How trees that are to change places, or to go back, do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Well,
    Back,
    /// So many stay on the wrong side.
    Stuck(usize),
}

/// A made-up restore: what ran, how it goes, and where its log and those of two recoveries are cut.
#[derive(Debug, Clone)]
struct Made {
    ran: Vec<bool>,
    turns: Vec<Turn>,
    failures: Vec<bool>,
    cuts: [Index; 3],
}

fn made() -> impl Strategy<Value = Made> {
    let turn =
        prop_oneof![4 => Just(Turn::Well), 1 => Just(Turn::Back), 1 => (1..=2_usize).prop_map(Turn::Stuck)];
    let failures = vec(proptest::bool::weighted(0.1), 48);
    (vec(any::<bool>(), 1..4), vec(turn, 8), failures, any::<[Index; 3]>())
        .prop_map(|(ran, turns, failures, cuts)| Made { ran, turns, failures, cuts })
}

/// Where the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trees {
    Old,
    Changing,
    New,
    GoingBack,
    Mixed,
}

/// What one reads off the lines, one by one.
#[derive(Debug)]
struct Known {
    trees: Trees,
    began: bool,
    failed: bool,
    /// Those that could not be put back.
    stuck: Vec<PathBuf>,
    ran: Vec<Target>,
    down: BTreeSet<Target>,
    /// How it ended, unless somebody began anew.
    ended: Option<Code>,
}

impl Known {
    fn of(bodies: &[Body]) -> Self {
        let blank = Self {
            trees: Trees::Old,
            began: false,
            failed: false,
            stuck: Vec::new(),
            ran: Vec::new(),
            down: BTreeSet::new(),
            ended: None,
        };
        bodies.iter().fold(blank, Self::heed)
    }

    fn heed(mut self, body: &Body) -> Self {
        match body {
            Body::ServiceStarted { .. } => (self.began, self.ended) = (true, None),
            Body::PriorState { prior, .. } => self.ran.clone_from(&prior.running),
            Body::StepStarted { step: Step::Stop { targets }, .. } => self.goes_down(targets),
            Body::StepStarted { step: Step::Revert { stop, .. }, .. } => {
                self.failed = true;
                if self.have_changed() {
                    self.goes_down(&stop.concat());
                }
            }
            Body::StepFinished { failure: Some(_), .. } => self.failed = true,
            Body::Started { target, .. } => _ = self.down.remove(target),
            Body::Exchanging { .. } => self.trees = Trees::Changing,
            Body::Exchanged { .. } => self.trees = Trees::New,
            Body::PuttingBack { .. } => self.trees = Trees::GoingBack,
            Body::PutBack { .. } => self.trees = Trees::Old,
            Body::Mixed { stuck, .. } => {
                self.trees = Trees::Mixed;
                self.stuck.clone_from(stuck);
            }
            Body::ServiceFinished { report } => self.ended = Some(report.code),
            _ => {}
        }
        self
    }

    fn goes_down(&mut self, targets: &[Target]) {
        self.down.extend(targets.iter().filter(|target| self.ran.contains(target)).cloned());
    }

    /// Whether it is brought to its end.
    fn goes_on(&self) -> bool {
        self.trees == Trees::Changing || (self.trees == Trees::New && !self.failed)
    }

    /// Whether there is a way back. While they change places there is only forward.
    fn have_changed(&self) -> bool {
        matches!(self.trees, Trees::New | Trees::GoingBack | Trees::Mixed)
    }

    fn is_unsettled(&self) -> bool {
        matches!(self.trees, Trees::Changing | Trees::GoingBack | Trees::Mixed)
    }
}

fn trees() -> Vec<Tree> {
    let tree = |name: &str| {
        let (live, staged) =
            (format!("/srv/{name}").into(), format!("/srv/.svc-stage-notes/srv/{name}").into());
        Tree { pair: ExchangePair { live, staged }, old: Some(1), new: 2 }
    };
    vec![tree("notes"), tree("pictures")]
}

/// Whoever works on the service, and writes down what it does.
struct Worker<'a> {
    made: &'a Made,
    log: Vec<Body>,
    turns: Box<dyn Iterator<Item = Turn> + 'a>,
    failures: Box<dyn Iterator<Item = bool> + 'a>,
}

impl<'a> Worker<'a> {
    fn new(made: &'a Made, log: Vec<Body>) -> Self {
        // Each goes otherwise than the one before.
        let at = log.len();
        let turns = Box::new(made.turns.iter().copied().cycle().skip(at));
        let failures = Box::new(made.failures.iter().copied().cycle().skip(at));
        Self { made, log, turns, failures }
    }

    /// One whom nothing goes wrong for.
    fn lucky(made: &'a Made, log: Vec<Body>) -> Self {
        let (turns, failures) = (Box::new(std::iter::repeat(Turn::Well)), Box::new(std::iter::repeat(false)));
        Self { made, log, turns, failures }
    }

    fn known(&self) -> Known {
        Known::of(&self.log)
    }

    fn work(&mut self, steps: &[PlannedStep], mut aborted: bool) {
        self.log.push(Body::ServiceStarted { service: notes() });
        for (index, planned) in steps.iter().enumerate() {
            let skipped = if aborted { When::Normal } else { When::OnFailure };
            if planned.when == skipped {
                continue;
            }
            self.log.push(Body::StepStarted { service: notes(), index, step: planned.step.clone() });
            let failed = self.step(&planned.step);
            let failure = failed.then(|| Failure::new(Code::Failed, "made up"));
            aborted |= failed;
            self.log.push(Body::StepFinished { service: notes(), index, took_ms: 1, failure });
        }
        let (known, mut report) = (self.known(), ServiceReport::new(notes()));
        report.code = match known {
            _ if known.is_unsettled() || !known.down.is_empty() => Code::NotResumed,
            _ if aborted => Code::Failed,
            _ => Code::Ok,
        };
        self.log.push(Body::ServiceFinished { report });
    }

    /// Does a step; whether it failed.
    fn step(&mut self, step: &Step) -> bool {
        let (known, mut failed) = (self.known(), self.failures.next() == Some(true));
        match step {
            Step::RecordPrior { .. } if !failed => {
                let running = running(&self.made.ran);
                let prior = Prior { running, ..Prior::default() };
                self.log.push(Body::PriorState { service: notes(), prior });
            }
            Step::Exchange { .. } if !failed || known.trees == Trees::Changing => {
                if known.trees != Trees::Changing {
                    self.log.push(Body::Exchanging { service: notes(), trees: trees() });
                }
                failed = !self.turn(Body::Exchanged { service: notes() });
            }
            Step::Revert { start, .. } if !failed && known.have_changed() => {
                self.log.push(Body::PuttingBack { service: notes() });
                failed = !self.turn(Body::PutBack { service: notes() });
                failed |= !self.start(&start.concat());
            }
            Step::Resume { targets } if !failed => failed = !self.start(targets),
            _ => {}
        }
        failed
    }

    /// Trees change sides, and all went well; or they are told to be on the old side, or on none.
    fn turn(&mut self, well: Body) -> bool {
        let is_way_back = matches!(well, Body::PutBack { .. });
        let (turn, known) = (self.turns.next().unwrap_or(Turn::Well), self.known());
        let all = || trees().into_iter().map(|tree| tree.pair.live).collect();
        let left: Vec<PathBuf> = if known.stuck.is_empty() { all() } else { known.stuck };
        self.log.push(match turn {
            Turn::Back if !is_way_back => Body::PutBack { service: notes() },
            Turn::Stuck(count) => {
                Body::Mixed { service: notes(), stuck: left.into_iter().take(count).collect() }
            }
            Turn::Well | Turn::Back => well,
        });
        turn == Turn::Well || (is_way_back && turn == Turn::Back)
    }

    fn start(&mut self, targets: &[Target]) -> bool {
        let known = self.known();
        let is_allowed = !known.is_unsettled();
        let down = targets.iter().filter(|target| is_allowed && known.down.contains(target));
        let started = down.map(|target| Body::Started { service: notes(), target: target.clone() });
        self.log.extend(started);
        is_allowed
    }
}

impl Made {
    fn plan(&self) -> Plan {
        let pairs: Vec<ExchangePair> = trees().into_iter().map(|tree| tree.pair).collect();
        let waves: Vec<Vec<Target>> = targets(&self.ran).into_iter().map(|target| vec![target]).collect();
        let mut service = ServicePlan::empty(notes());
        let mut add = |step: Step, when: When| {
            service.steps.push(PlannedStep { step, when, reason: String::new() });
        };
        add(Step::RecordPrior { running: targets(&self.ran) }, When::Normal);
        for targets in waves.clone() {
            add(Step::Stop { targets }, When::Normal);
        }
        add(Step::Exchange { pairs: pairs.clone() }, When::Normal);
        for targets in waves.iter().rev().cloned() {
            add(Step::Resume { targets }, When::Always);
        }
        let timeout = std::time::Duration::from_secs(1);
        add(Step::AwaitHealth { targets: targets(&self.ran), timeout }, When::Normal);
        let start = waves.iter().rev().cloned().collect();
        add(Step::Revert { pairs, stop: waves, start }, When::OnFailure);
        let goal = Goal::Restore {
            repository: "local".parse().unwrap(),
            services: vec![notes()],
            snapshot: crate::goal::SnapshotChoice::Latest,
            start: false,
        };
        Plan { goal, made_at: now(), jobs: 1, services: vec![service] }
    }

    /// The whole log of the run.
    fn run(&self) -> Vec<Body> {
        let plan = self.plan();
        let begin = Body::RunStarted { version: "1".to_owned(), pid: 1, plan: plan.clone() };
        let mut worker = Worker::new(self, vec![begin]);
        worker.work(&plan.services[0].steps, false);
        worker.log
    }
}

fn bodies(events: &[Event]) -> Vec<Body> {
    events.iter().map(|event| event.body.clone()).collect()
}

fn place(steps: &[PlannedStep], is_wanted: impl Fn(&Step) -> bool) -> Option<usize> {
    steps.iter().position(|planned| is_wanted(&planned.step))
}

/// Holds what is to be done against what one reads off the lines.
fn check(events: &[Event], recovery: &Recovery) -> Result<(), TestCaseError> {
    let known = Known::of(&bodies(events));
    let Some(unfinished) = recovery.unfinished.get(&notes()) else {
        let is_over = known.ended.is_some_and(|code| code != Code::NotResumed) || !known.began;
        prop_assert!(is_over, "nothing is done after {:?}", known);
        return Ok(());
    };
    prop_assert!(known.began && !matches!(known.ended, Some(Code::Ok | Code::Failed)), "{:?}", known);
    prop_assert_eq!(unfinished.aborted, !known.goes_on(), "{:?}", known);
    prop_assert_eq!(unfinished.ledger.is_unsettled(), known.is_unsettled(), "{:?}", known);
    let down: Vec<Target> = known.down.iter().cloned().collect();
    prop_assert_eq!(sorted(owed(recovery)), down);

    if known.trees == Trees::Mixed {
        let left: Vec<&PathBuf> = unfinished.ledger.exchanged.iter().map(|tree| &tree.pair.live).collect();
        prop_assert_eq!(left, known.stuck.iter().collect::<Vec<_>>());
    }

    let steps = &unfinished.plan.steps;
    let exchange = place(steps, |step| matches!(step, Step::Exchange { .. }));
    let stop = place(steps, |step| matches!(step, Step::Stop { .. }));
    let revert = place(steps, |step| matches!(step, Step::Revert { .. }));
    let resume = place(steps, |step| matches!(step, Step::Resume { .. }));
    if known.trees == Trees::Changing {
        prop_assert!(stop.is_some() && stop < exchange && exchange < resume, "{:?}", steps);
    } else {
        prop_assert_eq!((exchange, stop), (None, None), "it begins anew");
    }
    if unfinished.aborted {
        prop_assert_eq!(revert, Some(0), "something comes before the way back");
        prop_assert!(steps.iter().all(|planned| planned.when != When::Normal), "it goes on");
    }
    Ok(())
}

proptest! {
    #[test]
    fn trees_come_to_one_side_and_nothing_starts_before_wherever_the_logs_end(made in made()) {
        let mut events = cut(&text(&made.run(), 0), made.cuts[0]);
        for at in &made.cuts[1..] {
            let Some(recovery) = recover(&events, now()) else {
                prop_assert!(events.is_empty());
                return Ok(());
            };
            check(&events, &recovery)?;
            let mut worker = Worker::new(&made, bodies(&events));
            worker.log.push(Body::Recovering { version: "1".to_owned(), pid: 2 });
            if let Some(unfinished) = recovery.unfinished.get(&notes()) {
                worker.work(&unfinished.plan.steps, unfinished.aborted);
            }
            // What was written before stays written.
            let before = text(&bodies(&events), 0).len();
            let whole = text(&worker.log, 0);
            let end = before + at.index(whole.len() - before + 1);
            events = crate::run_log::parse(&whole[..end]);
        }
        let Some(last) = recover(&events, now()) else { return Ok(()) };
        check(&events, &last)?;
        let Some(unfinished) = last.unfinished.get(&notes()) else { return Ok(()) };
        let mut worker = Worker::lucky(&made, bodies(&events));
        worker.work(&unfinished.plan.steps, unfinished.aborted);
        let known = worker.known();
        prop_assert!(!known.is_unsettled() && known.down.is_empty(), "{:?}", known);
        let after = crate::run_log::parse(&text(&worker.log, 0));
        prop_assert!(recover(&after, now()).unwrap().unfinished.is_empty(), "something is left");
    }
}
