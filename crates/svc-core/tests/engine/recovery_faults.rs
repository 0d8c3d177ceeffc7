//! A run died between two trees of an exchange, or of its way back, and the recovery itself goes wrong at any call, is
//! cancelled anywhere, or another run comes first: the service never runs on the mixture, no old tree is ever removed while
//! it lasts, and whoever recovers again brings all trees to one side.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use svc_core::code::Code;
use svc_core::event::{Body, Event};
use svc_core::exchange::{Tree, look};
use svc_core::history;
use svc_core::names::RunId;
use svc_core::plan::{ExchangePair, Plan, Step};
use svc_core::report::Report;
use svc_core::run_log::{self, RunLog};
use svc_core::standing::unfinished;

use crate::faults::numbered;
use crate::house::{CACHE, DB, House, WEB, backup, never, noon, restore, start, stop};
use crate::restore::{PAGE, TABLE, changed_house_of, is_changed, is_restored};
use crate::restore_faults::sicken;
use crate::tap::{MISHAPS, Mishap, Order};

/// Where the run died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Forth,
    Back,
}

const WAYS: [Way; 2] = [Way::Forth, Way::Back];

/// A house whose data is half old and half new.
struct Half {
    house: Arc<House>,
    run: RunId,
    before: BTreeSet<String>,
    trees: Vec<Tree>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Half {
    async fn new(way: Way) -> Self {
        let house = changed_house_of(&["paperless"]).await;
        let before = house.running();
        if way == Way::Back {
            sicken(&house);
        }
        let plan = house.plan(&restore(&["paperless"])).await;
        let pairs = pairs(&plan);
        // Over the last stop before anything changes places: what comes after that is done here, in part.
        let orders = if way == Way::Forth { 1 + 3 } else { 1 + 3 + 3 + 3 };
        house.tap.die_at(orders, Order::Done);
        let run = house.run_and_die(plan, never).await.unwrap();
        let log = history::log(&house.scope.runs_dir(), &run);
        let service = || "paperless".parse().unwrap();
        let trees = match way {
            Way::Forth => look(&pairs).unwrap(),
            Way::Back => exchanged(&run_log::read(&log).unwrap()),
        };
        let body = match way {
            Way::Forth => Body::Exchanging { service: service(), trees: trees.clone() },
            Way::Back => Body::PuttingBack { service: service() },
        };
        append(&house, &run, body);
        let half = Self { house: Arc::new(house), run, before, trees, wrong: Arc::default() };
        assert!(!half.house.is_mixed());
        half.swap_first();
        assert!(half.house.is_mixed());
        half.watch();
        half
    }

    /// As far as the run came with changing places.
    fn swap_first(&self) {
        let pair = &self.trees[0].pair;
        let aside = pair.live.with_extension("aside");
        for (from, to) in [(&pair.live, &aside), (&pair.staged, &pair.live), (&aside, &pair.staged)] {
            fs::rename(from, to).unwrap();
        }
    }

    /// Notes whatever is started on a mixture.
    fn watch(&self) {
        self.house.tap.clear();
        let (house, wrong) = (Arc::downgrade(&self.house), Arc::clone(&self.wrong));
        self.house.tap.watch(move |call| {
            let starts =
                ["docker start paperless", "docker unpause paperless", "systemd start docker-compose-p"];
            if starts.iter().any(|start| call.starts_with(start)) && house.upgrade().unwrap().is_mixed() {
                wrong.lock().unwrap().push(call.to_owned());
            }
        });
    }

    async fn recover(&self) -> Report {
        self.house.recover(&self.run, never).await.unwrap()
    }

    /// What holds at any time, whatever goes wrong.
    fn check(&self, report: &Report, story: &str) {
        let wrong = self.wrong.lock().unwrap().clone();
        assert!(wrong.is_empty(), "{story}: {wrong:?}: {report:?}");
        let lies = |tree: &Tree| {
            let is_old = |path| fs::symlink_metadata(path).is_ok_and(|found| Some(found.ino()) == tree.old);
            is_old(&tree.pair.live) || is_old(&tree.pair.staged)
        };
        assert!(self.trees.iter().all(lies), "{story}: an old tree is gone");
        if self.house.is_mixed() {
            let up: Vec<&str> = [DB, WEB, CACHE].into_iter().filter(|name| self.is_up(name)).collect();
            assert!(up.is_empty(), "{story}: {up:?} run on a mixture");
            assert_eq!(report.code, Code::NotResumed, "{story}");
            let left = unfinished(&self.house.scope.runs_dir(), false).unwrap();
            assert_eq!(left, std::slice::from_ref(&self.run), "{story}: nobody tries again");
        } else if report.code != Code::NotResumed {
            assert_eq!(self.house.running(), self.before, "{story}: {report:?}");
        }
    }

    fn is_up(&self, container: &str) -> bool {
        self.house.running().contains(container)
    }

    /// When nothing goes wrong any more, it is brought to its end.
    async fn check_end(&self, story: &str) {
        self.house.tap.heal();
        self.watch();
        for _ in 0..2 {
            if unfinished(&self.house.scope.runs_dir(), false).unwrap().is_empty() {
                break;
            }
            let report = self.recover().await;
            self.check(&report, story);
        }
        assert!(
            unfinished(&self.house.scope.runs_dir(), false).unwrap().is_empty(),
            "{story}: it never ends"
        );
        assert!(!self.house.is_mixed(), "{story}");
        assert_eq!(self.house.running(), self.before, "{story}");
    }
}

fn pairs(plan: &Plan) -> Vec<ExchangePair> {
    let steps = plan.services.iter().flat_map(|service| &service.steps);
    let pairs = steps.filter_map(|planned| match &planned.step {
        Step::Exchange { pairs } => Some(pairs.clone()),
        _ => None,
    });
    pairs.flatten().collect()
}

/// The trees that a run has exchanged.
fn exchanged(events: &[Event]) -> Vec<Tree> {
    let trees = events.iter().find_map(|event| match &event.body {
        Body::Exchanging { trees, .. } => Some(trees.clone()),
        _ => None,
    });
    assert!(events.iter().any(|event| matches!(event.body, Body::Exchanged { .. })));
    trees.unwrap()
}

/// Writes one more event into the log of a run that died.
fn append(house: &House, run: &RunId, body: Body) {
    let mut log = RunLog::reopen(&house.scope.runs_dir(), run).unwrap().unwrap();
    let seq = run_log::read(log.path()).unwrap().last().unwrap().seq + 1;
    log.append(&Event { seq, at: noon(), run: run.clone(), body }).unwrap();
}

impl House {
    /// Some of paperless's data is as it was first, some as it was changed.
    fn is_mixed(&self) -> bool {
        let is_new = is_restored(self, TABLE) && is_restored(self, PAGE);
        let is_old = is_changed(self, TABLE) && is_changed(self, PAGE);
        !is_new && !is_old
    }
}

/// Every call of a recovery that nothing happens to.
async fn calls(way: Way) -> Vec<String> {
    let half = Half::new(way).await;
    let report = half.recover().await;
    half.check(&report, "undisturbed");
    assert_eq!(report.code.number(), if way == Way::Forth { 0 } else { 17 }, "{report:?}");
    assert_eq!(is_restored(&half.house, PAGE), way == Way::Forth);
    half.house.tap.calls()
}

#[tokio::test(start_paused = true)]
async fn a_recovery_of_half_exchanged_data_survives_one_fault_at_every_call() {
    for way in WAYS {
        for (call, nth) in numbered(&calls(way).await) {
            for mishap in MISHAPS {
                let story = format!("{way:?}: {mishap:?} at {call} #{nth}");
                let half = Half::new(way).await;
                half.house.tap.mishap(&call, nth, mishap);
                let report = half.recover().await;
                half.check(&report, &story);
                half.check_end(&story).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_of_half_exchanged_data_survives_a_call_that_never_works() {
    for way in WAYS {
        let all: BTreeSet<String> = calls(way).await.into_iter().collect();
        for call in all {
            for mishap in MISHAPS {
                let story = format!("{way:?}: {mishap:?} always at {call}");
                let half = Half::new(way).await;
                half.house.tap.always(&call, mishap);
                for _ in 0..3 {
                    if unfinished(&half.house.scope.runs_dir(), false).unwrap().is_empty() {
                        break;
                    }
                    let report = half.recover().await;
                    half.check(&report, &story);
                }
                half.check_end(&story).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_somebody_cancels_goes_on_to_its_end() {
    for way in WAYS {
        let calls = calls(way).await.len();
        for at in 0..calls {
            let story = format!("{way:?}: cancelled at call {at}");
            let half = Half::new(way).await;
            let (seen, cancel) = (AtomicUsize::new(0), half.house.cancel());
            half.house.tap.watch(move |_| {
                if seen.fetch_add(1, Ordering::Relaxed) == at {
                    cancel.request(Code::Terminated);
                }
            });
            let report = half.recover().await;
            half.check(&report, &story);
            assert_eq!(report.code.number(), if way == Way::Forth { 0 } else { 17 }, "{story}: {report:?}");
            assert_eq!(is_restored(&half.house, PAGE), way == Way::Forth, "{story}");
            half.check_end(&story).await;
        }
        // And before it begins.
        let half = Half::new(way).await;
        half.house.cancel().request(Code::Interrupted);
        let report = half.recover().await;
        half.check(&report, "cancelled before it began");
        assert_eq!(half.house.running(), half.before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_of_half_exchanged_data_may_die_after_every_event() {
    for way in WAYS {
        for nth in 1.. {
            let half = Half::new(way).await;
            let mut left = nth;
            let dies = |_: &Event| {
                left -= 1;
                left == 0
            };
            if let Some(report) = half.house.recover(&half.run, dies).await {
                half.check(&report, "alive");
                assert!(nth > 10, "{way:?} has more events");
                break;
            }
            let story = format!("{way:?}: died after event {nth}");
            assert!(half.wrong.lock().unwrap().is_empty(), "{story}");
            half.check_end(&story).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_gone_keeps_nobody_from_settling_the_data() {
    let half = Half::new(Way::Forth).await;
    half.house.docker.remove(CACHE);
    let report = half.recover().await;
    assert!(half.wrong.lock().unwrap().is_empty());
    assert!(!half.house.is_mixed(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_else_starts_or_saves_a_service_whose_data_is_half_exchanged() {
    for way in WAYS {
        let half = Half::new(way).await;
        let all = [start(&["paperless"]), backup(&["paperless"]), restore(&["paperless"])];
        for goal in &all {
            half.house.tap.clear();
            let outcome = half.house.run(goal).await;
            assert_eq!(
                outcome.code(),
                if matches!(goal, svc_core::goal::Goal::Restore { .. }) { 7 } else { 20 }
            );
            let orders = half.house.tap.orders();
            assert!(orders.is_empty(), "{way:?} {}: {orders:?}", goal.verb());
        }
        // A recovery that cannot stop it changes nothing about that, nor do the runs that were not let in.
        half.house.tap.always(&format!("docker stop {WEB}"), Mishap::Refused);
        let report = half.recover().await;
        half.check(&report, "it does not stop");
        assert_eq!(report.code, Code::NotResumed);
        for goal in &all[..2] {
            let outcome = half.house.run(goal).await;
            assert_eq!(outcome.code(), 20, "{}", outcome.messages("paperless"));
            assert!(outcome.messages("paperless").contains("part old and part new"));
        }
        half.check(&report, "refused");
        half.house.tap.heal();
        half.check_end("in the end").await;
        assert_eq!(half.house.run(&backup(&["paperless"])).await.code(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_data_is_half_exchanged_may_be_stopped() {
    let half = Half::new(Way::Forth).await;
    half.house.tap.always(&format!("docker stop {WEB}"), Mishap::Refused);
    half.check(&half.recover().await, "it does not stop");
    half.house.tap.heal();
    half.watch();
    assert_eq!(half.house.run(&stop(&["paperless"])).await.code(), 0);
    assert!(half.house.is_mixed() && half.wrong.lock().unwrap().is_empty());
    let left = unfinished(&half.house.scope.runs_dir(), false).unwrap();
    assert_eq!(left, [half.run], "it is not whole by that");
}

#[tokio::test(start_paused = true)]
async fn a_restore_over_a_mixture_makes_it_whole() {
    let half = Half::new(Way::Forth).await;
    half.house.tap.always(&format!("docker stop {WEB}"), Mishap::Refused);
    half.check(&half.recover().await, "it does not stop");
    half.house.tap.heal();
    half.watch();
    let outcome = half.house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(!half.house.is_mixed());
    assert_eq!(unfinished(&half.house.scope.runs_dir(), false).unwrap(), []);
    assert_eq!(half.house.run(&start(&["paperless"])).await.code(), 0);
    assert_eq!(half.house.running(), half.before);
    assert!(half.wrong.lock().unwrap().is_empty());
}
