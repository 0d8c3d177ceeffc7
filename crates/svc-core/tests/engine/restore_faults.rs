//! Every call of a restore goes wrong once in every way, or for ever, or the run is cancelled there: the data is the old or the
//! new one, never a mixture, and what ran before runs afterwards or the report says 5.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use svc_core::code::Code;

use crate::faults::{Dice, numbered};
use crate::house::{House, Outcome, restore};
use crate::restore::changed_house_of;
use crate::tap::MISHAPS;

type Tree = BTreeMap<PathBuf, String>;

/// The house before a restore of paperless.
struct Before {
    running: BTreeSet<String>,
    tree: Tree,
}

impl Before {
    fn of(house: &House) -> Self {
        Self { running: house.running(), tree: house.tree("") }
    }

    /// The same with paperless's data as the snapshot has it.
    fn restored(&self) -> Tree {
        let text = |(path, text): (&PathBuf, &String)| {
            let is_paperless = path.to_string_lossy().contains("paperless");
            let text = if is_paperless { text.replace("changed", "first") } else { text.clone() };
            (path.clone(), text)
        };
        self.tree.iter().map(text).collect()
    }

    fn check(&self, house: &House, outcome: &Outcome, story: &str) {
        let (tree, running) = (house.tree(""), house.running());
        let is_old = tree == self.tree;
        let told = format!("{story}: {:?}", outcome.report);
        assert!(is_old || tree == self.restored(), "a mixture: {told}");
        if outcome.report.code == Code::NotResumed {
            assert!(running.is_subset(&self.running), "woken up: {told}");
        } else {
            assert_eq!(running, self.running, "{told}");
        }
        let service = outcome.of("paperless");
        assert_eq!(service.restored.is_some(), !is_old, "{told}");
        assert_eq!(service.kept.is_empty(), is_old, "{told}");
        assert_eq!(service.kept, house.stages(), "{told}");
        match outcome.report.code {
            Code::Ok => assert!(!is_old, "{told}"),
            // A cancel that came too late does not undo what is done.
            Code::NotResumed | Code::Partial | Code::Interrupted | Code::Terminated => {}
            _ => assert!(is_old, "{told}"),
        }
        if !is_old {
            let kept = house.record("paperless").replaced.expect(&told);
            assert!(kept.trees.iter().all(|tree| tree.pair.staged.exists()), "the old data is gone: {told}");
        }
    }
}

async fn strike(prepare: impl Fn(&House), story: &str) {
    let house = changed_house_of(&["paperless"]).await;
    let before = Before::of(&house);
    let plan = house.plan(&restore(&["paperless"])).await;
    house.tap.clear();
    prepare(&house);
    let outcome = house.run_plan(plan).await;
    before.check(&house, &outcome, story);
}

/// Every call of a restore; with its way back when `sick`.
async fn calls(sick: bool) -> Vec<String> {
    let house = changed_house_of(&["paperless"]).await;
    let plan = house.plan(&restore(&["paperless"])).await;
    house.tap.clear();
    if sick {
        sicken(&house);
    }
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), if sick { 17 } else { 0 });
    house.tap.calls()
}

/// The web container ends at once whenever it runs on the restored data.
pub(crate) fn sicken(house: &House) {
    let (docker, page) = (house.docker.clone(), house.path("srv/paperless/media/page"));
    let ends = move || {
        if std::fs::read_to_string(&page).is_ok_and(|text| text.ends_with("first")) {
            docker.exit(crate::house::WEB, 1);
        }
    };
    house.docker.on_done(svc_core::testing::DockerVerb::Start, crate::house::WEB, ends);
}

#[tokio::test(start_paused = true)]
async fn a_restore_survives_one_fault_at_every_call() {
    for (call, nth) in numbered(&calls(false).await) {
        for mishap in MISHAPS {
            let story = format!("{mishap:?} at {call} #{nth}");
            strike(|house| house.tap.mishap(&call, nth, mishap), &story).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_back_survives_one_fault_at_every_call() {
    for (call, nth) in numbered(&calls(true).await) {
        for mishap in MISHAPS {
            let story = format!("{mishap:?} on the way back at {call} #{nth}");
            let prepare = |house: &House| {
                sicken(house);
                house.tap.mishap(&call, nth, mishap);
            };
            strike(prepare, &story).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_survives_a_call_that_never_works() {
    let all: BTreeSet<String> = calls(false).await.into_iter().collect();
    for call in all {
        for mishap in MISHAPS {
            strike(|house| house.tap.always(&call, mishap), &format!("{mishap:?} always at {call}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_cancelled_at_any_call_is_whole() {
    for at in 0..calls(false).await.len() {
        let prepare = |house: &House| {
            let (seen, cancel) = (Arc::new(AtomicUsize::new(0)), house.cancel());
            house.tap.watch(move |_| {
                if seen.fetch_add(1, Ordering::Relaxed) == at {
                    cancel.request(Code::Interrupted);
                }
            });
        };
        strike(prepare, &format!("cancelled at call {at}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_cancelled_at_any_event_is_whole() {
    let house = changed_house_of(&["paperless"]).await;
    let events = house.run(&restore(&["paperless"])).await.told.len() as u64;
    for at in 0..events {
        let house = changed_house_of(&["paperless"]).await;
        let before = Before::of(&house);
        let plan = house.plan(&restore(&["paperless"])).await;
        let cancel = house.cancel();
        let outcome = house
            .run_watched(plan, cancel, |event, cancel| {
                if event.seq == at {
                    cancel.request(Code::Interrupted);
                }
            })
            .await;
        before.check(&house, &outcome, &format!("cancelled at event {at}"));
        assert!(outcome.code() == 130 || at + 5 >= events, "cancelled at event {at} of {events}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_survives_several_faults_at_once() {
    let mut all = numbered(&calls(true).await);
    all.extend(numbered(&calls(false).await));
    let mut dice = Dice(20_261_121);
    for round in 0..100 {
        let faults: Vec<_> = (0..=dice.below(4))
            .map(|_| (all[dice.below(all.len())].clone(), MISHAPS[dice.below(5)], dice.below(3) == 0))
            .collect();
        let prepare = |house: &House| {
            if round % 2 == 0 {
                sicken(house);
            }
            for ((call, nth), mishap, always) in &faults {
                if *always {
                    house.tap.always(call, *mishap);
                } else {
                    house.tap.mishap(call, *nth, *mishap);
                }
            }
        };
        strike(prepare, &format!("{faults:?} in round {round}")).await;
    }
}
