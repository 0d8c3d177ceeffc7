//! A run that dies at any moment, and what is done about it: what ran before runs again, and a tree is old or new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use svc_core::code::Code;
use svc_core::config::Quiesce;
use svc_core::docker::Docker;
use svc_core::event::{Body, Event};
use svc_core::goal::Goal;
use svc_core::history::{self, Fate};
use svc_core::names::RunId;
use svc_core::plan::Step;
use svc_core::recover::recover;
use svc_core::report::Report;
use svc_core::run_log;
use svc_core::standing::{is_unfinished, unfinished};
use svc_core::systemd::ActiveState;
use svc_core::testing::{DockerFault, DockerVerb, When};

use crate::house::{
    DB, House, STACK, WEB, backup, backup_to, never, noon, repository, restart, restore, stop,
};
use crate::tap::Order;

/// A goal, and what the house is like where it is to be reached.
struct Case {
    goal: Goal,
    prepare: fn(&House),
}

/// The house, its data changed since it was saved to both repositories.
async fn changed() -> House {
    prepared(|_| ()).await
}

async fn prepared(prepare: fn(&House)) -> House {
    let house = House::new();
    house.run(&backup_to(&["local", "remote"], &["paperless", "notes"])).await;
    prepare(&house);
    house.write("srv/paperless/media/page", "a page as it is now");
    house.write("docker/volumes/paperless_db/_data/table", "a table as it is now");
    house.tap.clear();
    house
}

/// What a run may leave, whatever becomes of it.
struct Sides {
    running: BTreeSet<String>,
    old: BTreeMap<PathBuf, String>,
    new: BTreeMap<PathBuf, String>,
}

impl Sides {
    /// The house as it is, and as the goal makes it when nobody dies.
    async fn of(case: &Case) -> Self {
        let house = prepared(case.prepare).await;
        let (running, old) = (house.running(), relative(&house));
        assert_eq!(house.run(&case.goal).await.code(), 0);
        Self { running, old, new: relative(&house) }
    }

    fn hold(&self, house: &House, report: &Report, when: &str) {
        assert_eq!(house.running(), self.running, "{when}");
        let tree = relative(house);
        assert!(tree == self.old || tree == self.new, "a mixture {when}: {tree:?}");
        // Whoever reads 0 reads the new data.
        assert!(report.code.number() != 0 || tree == self.new, "{when}");
        assert!(matches!(report.code.number(), 0 | 4), "{when}: {report:?}");
        assert!(report.crashed, "{when}");
        // What lies about is the old data after an exchange, and nothing before.
        let kept = house.record("paperless").replaced.map(|replaced| replaced.stages).unwrap_or_default();
        assert_eq!(house.stages(), kept, "{when}");
        assert_eq!(house.left_over(), Vec::<String>::new(), "{when}");
    }
}

/// The data below the house, by paths that are the same in every house.
fn relative(house: &House) -> BTreeMap<PathBuf, String> {
    let root = house.path("");
    house
        .tree("")
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text))
        .collect()
}

fn cases() -> [Case; 5] {
    let both = ["paperless", "notes"];
    let backup = || backup_to(&["local", "remote"], &both);
    [
        Case { goal: backup(), prepare: |_| () },
        Case { goal: backup(), prepare: House::can_freeze },
        Case { goal: backup(), prepare: |house| house.took(&["paperless", "notes"], 9000) },
        Case { goal: restore(&["paperless"]), prepare: |_| () },
        Case { goal: restart(&both, false), prepare: |_| () },
    ]
}

/// Runs the goal until it dies at its n-th event; nothing: it has not so many.
async fn die_at_event(house: &House, goal: &Goal, nth: u64) -> Option<RunId> {
    let plan = house.plan(goal).await;
    house.run_and_die(plan, |event| event.seq == nth).await
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_after_any_event_is_brought_to_an_end() {
    for case in cases() {
        let sides = Sides::of(&case).await;
        let goal = &case.goal;
        for nth in 0.. {
            let house = prepared(case.prepare).await;
            let Some(run) = die_at_event(&house, goal, nth).await else { break };
            let summary = history::summary(&house.scope.runs_dir(), &run).unwrap();
            if matches!(summary.fate, Fate::Ended { .. }) {
                break;
            }
            assert_eq!(summary.fate, Fate::Crashed);
            let report = house.recover(&run, never).await.unwrap();
            sides.hold(&house, &report, &format!("{} after event {nth}", goal.verb()));
            let summary = history::summary(&house.scope.runs_dir(), &run).unwrap();
            assert_eq!(summary.fate, Fate::Recovered { code: report.code });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_over_any_order_is_brought_to_an_end() {
    for case in cases() {
        let sides = Sides::of(&case).await;
        let goal = &case.goal;
        for nth in 1.. {
            for order in [Order::Lost, Order::Done] {
                let house = prepared(case.prepare).await;
                let plan = house.plan(goal).await;
                house.tap.die_at(nth, order);
                let Some(run) = house.run_and_die(plan, never).await else {
                    assert!(nth > 4, "{} gives more orders", goal.verb());
                    break;
                };
                let report = house.recover(&run, never).await.unwrap();
                let when = format!("{} over order {nth}: {order:?}", goal.verb());
                sides.hold(&house, &report, &when);
            }
            if house_orders(&case).await < nth {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_stopping_when_the_run_dies_runs_again() {
    let verbs = [(DockerVerb::Stop, Quiesce::Stop), (DockerVerb::Pause, Quiesce::Pause)];
    for ((verb, quiesce), container) in verbs.into_iter().flat_map(|verb| [(verb, DB), (verb, WEB)]) {
        let house = || {
            let mut house = House::new();
            house.service("paperless").backup.quiesce = quiesce;
            house
        };
        let order = format!("docker {verb} {container}");
        let rehearsal = house();
        rehearsal.run(&backup(&["paperless"])).await;
        let nth = rehearsal.tap.orders().iter().position(|given| *given == order).unwrap() + 1;
        let house = house();
        let before = house.running();
        house.docker.fault(verb, container, When::Always, DockerFault::Slow(Duration::from_secs(3)));
        house.tap.die_at(nth, Order::UnderWay);
        let plan = house.plan(&backup(&["paperless"])).await;
        let run = house.run_and_die(plan, never).await.unwrap();
        assert!(house.running().contains(container), "{order}: it has come to its end already");
        house.recover(&run, never).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(house.running(), before, "{order}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_began_after_it_was_asked_to_stop_is_not_stopped_again() {
    let house = House::new();
    let before = house.running();
    house.tap.die_at(1, Order::Lost);
    let plan = house.plan(&backup(&["paperless"])).await;
    let run = house.run_and_die(plan, never).await.unwrap();
    // As after a power cut: Docker starts what ran.
    Docker::stop(&house.docker, WEB).await.unwrap();
    Docker::start(&house.docker, WEB).await.unwrap();
    house.tap.clear();
    house.recover(&run, never).await.unwrap();
    assert_eq!(house.running(), before);
    assert_eq!(house.tap.orders(), [format!("docker start {WEB}")]);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_brings_the_containers_up_itself_is_waited_for_first() {
    let house = House::new();
    let before = house.running();
    house.tap.die_at(1, Order::Done);
    let plan = house.plan(&backup(&["paperless"])).await;
    let run = house.run_and_die(plan, never).await.unwrap();
    // As at boot.
    house.systemd.change(STACK, |unit| unit.in_state(ActiveState::Activating));
    house.tap.clear();
    house.recover(&run, never).await.unwrap();
    assert_eq!(house.running(), before);
    assert_eq!(house.tap.orders()[0], format!("systemd start {STACK}"));
}

async fn house_orders(case: &Case) -> usize {
    let house = prepared(case.prepare).await;
    house.run(&case.goal).await;
    house.tap.orders().len()
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_dies_itself_is_recovered_in_the_same_way() {
    for case in cases() {
        let sides = Sides::of(&case).await;
        let goal = &case.goal;
        for first in (0..).step_by(5) {
            let house = prepared(case.prepare).await;
            let Some(run) = die_at_event(&house, goal, first).await else { break };
            let fate = history::summary(&house.scope.runs_dir(), &run).unwrap().fate;
            if matches!(fate, Fate::Ended { .. }) {
                break;
            }
            // Each recovery dies one event later than the one before it.
            for second in 1.. {
                let mut left = second;
                let dies = |_: &Event| {
                    left -= 1;
                    left == 0
                };
                if let Some(report) = house.recover(&run, dies).await {
                    sides.hold(&house, &report, &format!("{} after event {first}", goal.verb()));
                    break;
                }
                assert!(second < 100, "it never ends");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_cut_at_any_byte_names_all_that_may_be_down() {
    let house = changed().await;
    let outcome = house.run(&restore(&["paperless"])).await;
    let text = std::fs::read(&outcome.log).unwrap();
    let mut owed = 0;
    for cut in 0..text.len() {
        let events = run_log::parse(&text[..cut]);
        // What was stopped and not started is among what the recovery starts.
        let down: Vec<_> = svc_core::history::cut_off(&"20261120T120002-2".parse().unwrap(), &events);
        let down: Vec<_> = down.into_iter().flat_map(|cut| cut.down).collect();
        let Some(recovery) = recover(&events, noon()) else {
            assert!(down.is_empty() && events.is_empty());
            continue;
        };
        let rest = format!("{:?}", recovery.plan);
        assert!(down.iter().all(|target| rest.contains(&target.to_string())), "cut at {cut}: {rest}");
        owed += down.len();
    }
    assert!(owed > 0);
}

#[tokio::test(start_paused = true)]
async fn what_svc_stop_stopped_stays_off_when_it_dies() {
    let house = changed().await;
    let plan = house.plan(&stop(&["paperless"])).await;
    house.tap.die_at(1, Order::Done);
    let run = house.run_and_die(plan, never).await.unwrap();
    let down = house.running();
    assert_eq!(house.recover(&run, never).await.unwrap().code.number(), 4);
    assert_eq!(house.running(), down);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_left_until_it_is_recovered_and_what_it_brought_back_is_settled() {
    let house = changed().await;
    let plan = house.plan(&restart(&["paperless"], false)).await;
    house.tap.die_at(1, Order::Done);
    let run = house.run_and_die(plan, never).await.unwrap();
    let runs = house.scope.runs_dir();
    let is_left = |run: &RunId| (is_unfinished(&runs, run), unfinished(&runs, true).unwrap().contains(run));
    assert_eq!(is_left(&run), (true, true));
    house.recover(&run, never).await.unwrap();
    assert_eq!(is_left(&run), (false, false));
    // One that could not bring something back is left until another one does.
    house.docker.fault(DockerVerb::Start, WEB, When::Always, DockerFault::Exits(1));
    let failed = house.run(&backup(&["paperless"])).await;
    assert_eq!(failed.code(), 5);
    let failed = failed.events[0].run.clone();
    assert_eq!(is_left(&failed), (true, true));
    house.docker.clear_faults();
    assert_eq!(house.run(&restart(&["paperless"], false)).await.code(), 0);
    assert_eq!(is_left(&failed), (false, false));
}

#[tokio::test(start_paused = true)]
async fn a_run_at_work_is_nobody_elses_to_recover() {
    let house = changed().await;
    let log = run_log::RunLog::create(&house.scope.runs_dir(), &"r9".parse().unwrap()).unwrap();
    assert!(run_log::RunLog::reopen(&house.scope.runs_dir(), &"r9".parse().unwrap()).unwrap().is_none());
    drop(log);
    assert!(run_log::RunLog::reopen(&house.scope.runs_dir(), &"r9".parse().unwrap()).unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn that_a_backup_died_is_known_also_when_the_configuration_could_not_be_read_then() {
    let (mut house, goal) = (House::new(), backup(&["notes"]));
    let saves = |event: &Event| matches!(&event.body, Body::StepStarted { step: Step::Backup(_), .. });
    let run = house.run_and_die(house.plan(&goal).await, saves).await.unwrap();
    house.config.services.clear();
    house.recover(&run, never).await.unwrap();
    let last = house.record("notes").backups.swap_remove(&repository("local")).unwrap().last_attempt.unwrap();
    assert_eq!((last.run, last.code, last.snapshot), (run, Code::Failed, None));
}
