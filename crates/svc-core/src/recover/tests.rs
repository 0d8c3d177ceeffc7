//! Logs of made-up runs, cut at any byte, and what is owed after them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

mod restores;

use super::*;
use crate::names::RepositoryName;
use crate::prior::Prior;
use crate::run_log;

/// What a made-up run stops, one wave after the other, and how it goes.
#[derive(Debug, Clone)]
struct Made {
    /// Which of the planned targets ran; the others were off when it began.
    ran: Vec<bool>,
    pauses: bool,
    /// For each order in turn: whether it was answered.
    answers: Vec<bool>,
    /// For each step in turn: whether it failed.
    failures: Vec<bool>,
    /// Where the logs of the run and of its recovery are cut.
    cuts: [Index; 2],
}

fn made() -> impl Strategy<Value = Made> {
    let ran = vec(any::<bool>(), 1..6);
    let answers = vec(proptest::bool::weighted(0.8), 24);
    let failures = vec(proptest::bool::weighted(0.1), 24);
    (ran, any::<bool>(), answers, failures, any::<[Index; 2]>())
        .prop_map(|(ran, pauses, answers, failures, cuts)| Made { ran, pauses, answers, failures, cuts })
}

fn notes() -> ServiceName {
    "notes".parse().unwrap()
}

fn run() -> RunId {
    "r1".parse().unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// As many targets as there are marks.
fn targets(ran: &[bool]) -> Vec<Target> {
    (0..ran.len()).map(|number| Target::Container(format!("c{number}"))).collect()
}

/// Those of the targets that are marked.
fn running(ran: &[bool]) -> Vec<Target> {
    targets(ran).into_iter().zip(ran).filter(|(_, ran)| **ran).map(|(target, _)| target).collect()
}

impl Made {
    fn plan(&self) -> Plan {
        let mut steps = Vec::new();
        let mut add = |step: Step, when: When| steps.push(PlannedStep { step, when, reason: String::new() });
        add(Step::RecordPrior { running: targets(&self.ran) }, When::Normal);
        for target in targets(&self.ran) {
            let targets = vec![target];
            let down = if self.pauses { Step::Pause { targets } } else { Step::Stop { targets } };
            add(down, When::Normal);
        }
        for target in targets(&self.ran).into_iter().rev() {
            add(Step::Resume { targets: vec![target] }, When::Always);
        }
        let repositories: Vec<RepositoryName> = Vec::new();
        let service = ServicePlan { steps, ..ServicePlan::empty(notes()) };
        let goal = Goal::Backup { repositories, services: vec![notes()] };
        Plan { goal, made_at: now(), jobs: 1, services: vec![service] }
    }

    /// The whole log of the run, as it would write it.
    fn log(&self) -> Vec<Body> {
        let (plan, ran) = (self.plan(), running(&self.ran));
        let mut answers = self.answers.iter().copied().cycle();
        let mut failures = self.failures.iter().copied().cycle();
        let (mut down, mut aborted): (Vec<Target>, bool) = (Vec::new(), false);
        let mut log = vec![
            Body::RunStarted { version: "1".to_owned(), pid: 1, plan: plan.clone() },
            Body::ServiceStarted { service: notes() },
        ];
        for (index, planned) in plan.services[0].steps.iter().enumerate() {
            if aborted && planned.when == When::Normal {
                continue;
            }
            log.push(Body::StepStarted { service: notes(), index, step: planned.step.clone() });
            let mut failed = failures.next() == Some(true);
            match &planned.step {
                Step::RecordPrior { .. } if !failed => {
                    let prior = Prior { running: ran.clone(), ..Prior::default() };
                    log.push(Body::PriorState { service: notes(), prior });
                }
                Step::Stop { targets } | Step::Pause { targets } if ran.contains(&targets[0]) => {
                    let target = targets[0].clone();
                    down.push(target.clone());
                    failed |= answers.next() != Some(true);
                    log.extend((!failed).then(|| Body::Stopped { service: notes(), target }));
                }
                Step::Resume { targets } if down.contains(&targets[0]) && !failed => {
                    down.retain(|target| *target != targets[0]);
                    log.push(Body::Started { service: notes(), target: targets[0].clone() });
                }
                _ => {}
            }
            let failure = failed.then(|| Failure::new(Code::Failed, "made up"));
            aborted |= failed;
            log.push(Body::StepFinished { service: notes(), index, took_ms: 1, failure });
        }
        let mut report = ServiceReport::new(notes());
        report.code = if down.is_empty() { Code::Ok } else { Code::NotResumed };
        log.push(Body::ServiceFinished { report });
        log
    }
}

/// A log's text from its bodies.
fn text(bodies: &[Body], from: u64) -> Vec<u8> {
    let line = |(seq, body): (u64, &Body)| {
        let event = Event { seq, at: now(), run: run(), body: body.clone() };
        serde_json::to_string(&event).unwrap() + "\n"
    };
    (from..).zip(bodies).map(line).collect::<String>().into_bytes()
}

/// The events up to a byte: the line that it falls into is torn. Of four logs one is whole, for a run may also have come to
/// its own end and owe something.
fn cut(text: &[u8], at: Index) -> Vec<Event> {
    let end = at.index(text.len() + text.len() / 3 + 1).min(text.len());
    run_log::parse(&text[..end])
}

/// What was ordered down and is not said to have come up again, read off the lines one by one.
fn down(events: &[Event]) -> Vec<Target> {
    let (mut prior, mut down): (Option<Vec<Target>>, Vec<Target>) = (None, Vec::new());
    for event in events {
        match &event.body {
            Body::PriorState { prior: seen, .. } => prior = Some(seen.running.clone()),
            Body::StepStarted { step: Step::Stop { targets } | Step::Pause { targets }, .. } => {
                let ran = |target: &&Target| prior.as_ref().is_none_or(|prior| prior.contains(target));
                down.extend(targets.iter().filter(ran).cloned());
            }
            Body::Started { target, .. } => down.retain(|other| other != target),
            _ => {}
        }
    }
    down.sort();
    down
}

/// What a recovery starts, in its order.
fn owed(recovery: &Recovery) -> Vec<Target> {
    let Some(unfinished) = recovery.unfinished.get(&notes()) else { return Vec::new() };
    let resumes = unfinished.plan.steps.iter().flat_map(|planned| match &planned.step {
        Step::Resume { targets } => targets.clone(),
        _ => Vec::new(),
    });
    resumes.filter(|target| unfinished.ledger.owes(target)).collect()
}

fn sorted(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort();
    targets
}

/// What a recovery that nothing goes wrong in writes.
fn paid(recovery: &Recovery) -> Vec<Body> {
    let mut log = vec![Body::Recovering { version: "1".to_owned(), pid: 2 }];
    let Some(unfinished) = recovery.unfinished.get(&notes()) else { return log };
    log.push(Body::ServiceStarted { service: notes() });
    let owed = owed(recovery);
    for (index, planned) in unfinished.plan.steps.iter().enumerate() {
        log.push(Body::StepStarted { service: notes(), index, step: planned.step.clone() });
        if let Step::Resume { targets } = &planned.step {
            let up = targets.iter().filter(|target| owed.contains(target));
            log.extend(up.map(|target| Body::Started { service: notes(), target: target.clone() }));
        }
        log.push(Body::StepFinished { service: notes(), index, took_ms: 1, failure: None });
    }
    let report = ServiceReport { code: Code::Failed, ..unfinished.report.clone() };
    log.push(Body::ServiceFinished { report });
    log
}

proptest! {
    #[test]
    fn exactly_what_was_stopped_and_not_started_is_owed_wherever_the_log_ends(made in made()) {
        let events = cut(&text(&made.log(), 0), made.cuts[0]);
        let Some(recovery) = recover(&events, now()) else {
            prop_assert!(events.is_empty(), "a plan is known, and nothing is done");
            return Ok(());
        };
        let owed = owed(&recovery);
        prop_assert_eq!(sorted(owed.clone()), down(&events));
        prop_assert!(owed.iter().all(|target| running(&made.ran).contains(target)), "it starts what was off");
        prop_assert_eq!(recovery.next, events.len() as u64);
        prop_assert_eq!(recovery.unfinished.len() + recovery.settled.len(), 1);
    }

    #[test]
    fn a_recovery_that_dies_leaves_the_rest_to_the_next_and_one_that_ends_leaves_nothing(made in made()) {
        let events = cut(&text(&made.log(), 0), made.cuts[0]);
        let Some(first) = recover(&events, now()) else { return Ok(()) };
        let log = text(&paid(&first), first.next);
        let after = |more: Vec<Event>| {
            let events: Vec<Event> = events.iter().cloned().chain(more).collect();
            (recover(&events, now()).unwrap(), events)
        };
        let (second, events) = after(cut(&log, made.cuts[1]));
        let again = owed(&second);
        prop_assert_eq!(sorted(again.clone()), down(&events));
        prop_assert!(again.iter().all(|target| owed(&first).contains(target)), "it starts something else");
        let (third, _) = after(run_log::parse(&log));
        prop_assert_eq!(owed(&third), Vec::new());
        prop_assert!(third.unfinished.is_empty());
    }
}
