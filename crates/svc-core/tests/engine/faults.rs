//! Every call of a backup goes wrong once in every way, or for ever, or the run is cancelled there: whatever happens, what ran
//! before runs afterwards or the report says 5, nothing else runs, and 0 means restorable.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use svc_core::code::Code;
use svc_core::goal::Goal;

use crate::house::{House, Outcome, backup, backup_to};
use crate::tap::{MISHAPS, Mishap};

/// Every call of a clean run, with its number among its like.
async fn calls(goal: &Goal) -> Vec<(String, usize)> {
    let house = House::new();
    let plan = house.plan(goal).await;
    house.tap.clear();
    assert_eq!(house.run_plan(plan).await.code(), 0);
    numbered(&house.tap.calls())
}

async fn calls_in_all(goal: &Goal) -> usize {
    let house = House::new();
    let plan = house.plan(goal).await;
    house.tap.clear();
    house.run_plan(plan).await;
    house.tap.calls().len()
}

/// The calls with their numbers; of the many equal looks at health only the first ones.
pub(crate) fn numbered(calls: &[String]) -> Vec<(String, usize)> {
    let nth = |index: usize| calls.iter().take(index + 1).filter(|call| **call == calls[index]).count();
    let all = (0..calls.len()).map(|index| (calls[index].clone(), nth(index)));
    all.filter(|(_, nth)| *nth <= 5).collect()
}

fn check(house: &House, before: &BTreeSet<String>, outcome: &Outcome, story: &str) {
    let after = house.running();
    let told = format!("{story}: {:?}", outcome.report);
    if outcome.report.code == Code::NotResumed {
        assert!(after.is_subset(before), "woken up: {story}");
    } else {
        assert_eq!(&after, before, "{told}");
    }
    if outcome.report.code == Code::Ok {
        assert_saved(house, &outcome.plan.goal, &told);
    }
    assert_eq!(outcome.report.services.len(), outcome.plan.services.len(), "{told}");
    assert!(
        outcome
            .report
            .services
            .iter()
            .all(|service| !service.failures.is_empty() || service.code == Code::Ok)
    );
}

/// Each repository of the goal holds a snapshot of each service with every declared source, restorable by its content.
fn assert_saved(house: &House, goal: &Goal, story: &str) {
    for name in goal.services() {
        let backup = &house.config.services[name].backup;
        let volume = |name: &svc_core::names::VolumeName| house.path(&format!("docker/volumes/{name}/_data"));
        let declared: Vec<_> = backup.volumes.iter().map(volume).chain(backup.paths.clone()).collect();
        for repository in goal.repositories() {
            let tag = format!("svc:{name}");
            let saved = house.restic.saved(repository);
            let own = saved.iter().rfind(|snapshot| snapshot.has_tag(&tag));
            let Some(own) = own else { panic!("no snapshot of {name}: {story}") };
            assert!(declared.iter().all(|path| own.paths.contains(path)), "{story}");
        }
    }
}

async fn strike(goal: &Goal, prepare: impl Fn(&House), story: &str) -> Outcome {
    let house = House::new();
    let before = house.running();
    let plan = house.plan(goal).await;
    house.tap.clear();
    prepare(&house);
    let outcome = house.run_plan(plan).await;
    check(&house, &before, &outcome, story);
    outcome
}

async fn one_fault_at_every_call(goal: &Goal) {
    for (call, nth) in calls(goal).await {
        for mishap in MISHAPS {
            let story = format!("{mishap:?} at {call} #{nth}");
            strike(goal, |house| house.tap.mishap(&call, nth, mishap), &story).await;
        }
    }
}

async fn every_call_fails_for_ever(goal: &Goal) {
    let all: BTreeSet<String> = calls(goal).await.into_iter().map(|(call, _)| call).collect();
    for call in all {
        for mishap in MISHAPS {
            let story = format!("{mishap:?} always at {call}");
            let outcome = strike(goal, |house| house.tap.always(&call, mishap), &story).await;
            // Docker is no part of a service that is a unit of its own.
            let is_native = goal.services().iter().all(|name| name.as_str() == "notes");
            let is_harmless = call.starts_with("systemd state")
                || call.starts_with("systemd details")
                || (is_native && call.starts_with("docker"));
            assert!(is_harmless || outcome.code() != 0 || mishap == Mishap::LostAnswer, "{story}");
        }
    }
}

/// Cancels at every call; `again`: once more so many calls later.
async fn cancelled_at_every_call(goal: &Goal, again: Option<usize>) {
    for at in 0..calls_in_all(goal).await {
        let house = House::new();
        let before = house.running();
        let plan = house.plan(goal).await;
        let (seen, cancel) = (Arc::new(AtomicUsize::new(0)), house.cancel());
        house.tap.watch(move |_| {
            let call = seen.fetch_add(1, Ordering::Relaxed);
            if call == at {
                cancel.request(Code::Interrupted);
            }
            if again.is_some_and(|again| call == at + again) {
                cancel.request(Code::Terminated);
            }
        });
        let outcome = house.run_plan(plan).await;
        let story = format!("cancelled at call {at}, once more {again:?} calls later");
        check(&house, &before, &outcome, &story);
        // The first one counts, for the exit code too.
        assert_eq!(outcome.code(), 130, "{story}");
    }
}

/// Cancels at every event of a run; `twice`: two times at once.
async fn cancelled_at_every_event(goal: &Goal, twice: bool) {
    let events = House::new().run(goal).await.told.len() as u64;
    for at in 0..events {
        let house = House::new();
        let before = house.running();
        let plan = house.plan(goal).await;
        let cancel = house.cancel();
        let outcome = house
            .run_watched(plan, cancel, |event, cancel| {
                if event.seq == at {
                    cancel.request(Code::Terminated);
                    if twice {
                        cancel.request(Code::Interrupted);
                    }
                }
            })
            .await;
        let story = format!("cancelled at event {at} of {events}, twice: {twice}");
        check(&house, &before, &outcome, &story);
        assert!(outcome.code() == 143 || at + 3 >= events, "{story}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_survives_one_fault_at_every_call() {
    one_fault_at_every_call(&backup(&["paperless"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_native_unit_survives_one_fault_at_every_call() {
    one_fault_at_every_call(&backup_to(&["local", "remote"], &["notes"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_container_in_a_units_foreground_survives_one_fault_at_every_call() {
    one_fault_at_every_call(&backup(&["x"])).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_off_or_hot_or_only_data_survives_one_fault_at_every_call() {
    one_fault_at_every_call(&backup(&["archive", "caddy", "music"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_works_is_never_a_success() {
    for name in ["paperless", "notes", "x"] {
        every_call_fails_for_ever(&backup(&[name])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_cancelled_at_any_call_leaves_all_as_it_was() {
    for name in ["paperless", "notes", "x"] {
        cancelled_at_every_call(&backup(&[name]), None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fault_43_a_second_signal_at_any_call_leaves_all_as_it_was() {
    for name in ["paperless", "notes", "x"] {
        for again in [0, 1] {
            cancelled_at_every_call(&backup(&[name]), Some(again)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_cancelled_at_any_event_leaves_all_as_it_was() {
    cancelled_at_every_event(&backup_to(&["local", "remote"], &["paperless", "notes"]), false).await;
}

#[tokio::test(start_paused = true)]
async fn fault_43_a_second_signal_at_any_event_leaves_all_as_it_was() {
    cancelled_at_every_event(&backup_to(&["local", "remote"], &["paperless", "notes"]), true).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_while_looking_touches_nothing_or_is_of_no_consequence() {
    let goal = backup(&["paperless", "notes"]);
    let house = House::new();
    house.plan(&goal).await;
    for (call, nth) in numbered(&house.tap.calls()) {
        for mishap in MISHAPS.into_iter().filter(|mishap| *mishap != Mishap::Panics) {
            let house = House::new();
            let before = house.running();
            house.tap.mishap(&call, nth, mishap);
            let plan = house.plan(&goal).await;
            house.tap.clear();
            let outcome = house.run_plan(plan).await;
            let story = format!("{mishap:?} while looking at {call} #{nth}");
            check(&house, &before, &outcome, &story);
            let refused = outcome.plan.services.iter().all(|service| service.steps.is_empty());
            assert!(!refused || house.tap.orders().is_empty(), "{story}");
        }
    }
}

/// Knuth's generator: the same numbers in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[tokio::test(start_paused = true)]
async fn several_faults_at_once_never_leave_a_service_down_without_a_word() {
    let goal = backup(&["paperless", "notes", "x"]);
    let all = calls(&goal).await;
    let mut dice = Dice(20_261_120);
    for _ in 0..200 {
        let faults: Vec<_> = (0..=dice.below(4))
            .map(|_| (all[dice.below(all.len())].clone(), MISHAPS[dice.below(5)], dice.below(3) == 0))
            .collect();
        let prepare = |house: &House| {
            for ((call, nth), mishap, always) in &faults {
                if *always {
                    house.tap.always(call, *mishap);
                } else {
                    house.tap.mishap(call, *nth, *mishap);
                }
            }
        };
        strike(&goal, prepare, &format!("{faults:?}")).await;
    }
}
