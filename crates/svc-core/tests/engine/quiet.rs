//! A service that comes up by itself while it is saved is stopped and saved once more; after that its snapshot is partial.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use svc_core::code::Code;
use svc_core::config::Quiesce;
use svc_core::docker::Docker as _;
use svc_core::event::{Body, Event};
use svc_core::restic::Verb;
use svc_core::restic::fake::Fault;
use svc_core::systemd::ActiveState;
use svc_core::testing::DockerVerb;
use tokio::time::Instant;

use crate::house::{DB, House, backup, repository};
use crate::tap::Mishap;

/// Does something at the first calls of a kind, so many times.
fn at_calls(house: &House, begin: &'static str, times: usize, act: impl Fn() + Send + Sync + 'static) {
    let seen = AtomicUsize::new(0);
    house.tap.watch(move |call| {
        if call.starts_with(begin) && seen.fetch_add(1, Ordering::Relaxed) < times {
            act();
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_container_that_comes_up_once_is_saved_once_more_and_twice_is_partial() {
    for (times, code, not_good) in [(0, 0, 0), (1, 0, 1), (2, 3, 2)] {
        for is_short in [false, true] {
            let house = House::new();
            let before = house.running();
            let docker = house.docker.clone();
            at_calls(&house, "restic backup", times, move || {
                docker.recreate(DB);
                if is_short {
                    docker.exit(DB, 0);
                }
            });
            let outcome = house.run(&backup(&["paperless"])).await;
            assert_eq!(outcome.code(), code, "{}", outcome.messages("paperless"));
            assert_eq!(house.running(), before);
            let record = house.record("paperless");
            let local = &record.backups[&repository("local")];
            assert_eq!((local.doubts.not_good.len(), local.last_good.is_some()), (not_good, code == 0));
            assert_eq!(house.saved("local").len(), outcome.of("paperless").snapshots.len());
            if let Some(good) = &local.last_good {
                assert_eq!(good.snapshot.as_ref(), house.saved("local").last().map(|last| &last.id));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_restic_may_have_saved_after_a_torn_snapshot_is_in_doubt_too() {
    let torn = |house: &House| {
        let docker = house.docker.clone();
        at_calls(house, "restic backup", 1, move || docker.recreate(DB));
    };
    let doubts = |house: &House| {
        let record = house.record("paperless");
        let doubts = &record.backups[&repository("local")].doubts;
        (doubts.not_good.len(), doubts.unjudged.len())
    };
    let failing = House::new();
    torn(&failing);
    failing.restic.fault(Verb::Backup, &repository("local"), 2, Fault::NoSnapshotId);
    assert_eq!(failing.run(&backup(&["paperless"])).await.code(), 4);
    assert_eq!(doubts(&failing), (1, 1));
    let dying = House::new();
    torn(&dying);
    let plan = dying.plan(&backup(&["paperless"])).await;
    let is_saved = |event: &Event| matches!(event.body, Body::SnapshotSaved { .. });
    let run = dying.run_and_die(plan, is_saved).await.unwrap();
    dying.recover(&run, |_| false).await.unwrap();
    assert_eq!(doubts(&dying), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_was_held_and_goes_on_is_held_once_more() {
    for (quiesce, stops) in [(Quiesce::Stop, true), (Quiesce::Pause, false)] {
        let mut house = House::new();
        house.service("notes").backup.quiesce = quiesce;
        let before = house.running();
        let systemd = house.systemd.clone();
        at_calls(&house, "restic backup", 1, move || {
            systemd.change("notes.service", |unit| {
                if stops {
                    unit.active()
                } else {
                    svc_core::systemd::fake::FakeUnit::new("notes.service").active()
                }
            });
        });
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 0, "{quiesce:?}: {}", outcome.messages("notes"));
        let codes: Vec<Code> = outcome.of("notes").snapshots.iter().map(|snapshot| snapshot.code).collect();
        assert_eq!(codes, [Code::Partial, Code::Ok], "{quiesce:?}");
        assert_eq!(house.running(), before);
        assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Active));
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_copy_is_taken_again_before_anything_is_read_of_it() {
    for (times, code, frozen) in [(1, 0, 4), (2, 3, 4)] {
        let house = House::new();
        house.can_freeze();
        let before = house.running();
        let docker = house.docker.clone();
        // Stopped, and up at once.
        let ups = Arc::new(AtomicUsize::new(0));
        house.docker.on_done(DockerVerb::Stop, DB, move || {
            if ups.fetch_add(1, Ordering::Relaxed) < times {
                docker.recreate(DB);
            }
        });
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), code, "{}", outcome.messages("paperless"));
        assert_eq!((house.running(), house.left_over()), (before, Vec::new()));
        let calls = house.freezer.calls();
        assert_eq!(calls.iter().filter(|call| call.starts_with("freeze")).count(), frozen, "{calls:?}");
        assert_eq!(house.saved("local").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_docker_that_is_away_for_seconds_is_looked_at_when_it_is_back() {
    let house = House::new();
    let docker = house.docker.clone();
    at_calls(&house, "restic backup", 1, move || {
        docker.set_reachable(false);
        let docker = docker.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            docker.set_reachable(true);
        });
    });
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(house.docker.containers().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_service_is_not_kept_down_for_a_docker_that_does_not_answer() {
    let mut counts = Vec::new();
    for mishap in [None, Some(Mishap::Unreachable), Some(Mishap::Late)] {
        let house = House::new();
        house.can_freeze();
        let (before, looks) = (house.running(), "docker containers");
        let (tap, copied) = (house.tap.clone(), Arc::new(Mutex::new(None)));
        let waited = Arc::new(Mutex::new(None));
        let (since, until) = (Arc::clone(&copied), Arc::clone(&waited));
        at_calls(&house, "docker start", 1, move || {
            *until.lock().unwrap() = since.lock().unwrap().map(|since: Instant| since.elapsed());
        });
        at_calls(&house, "files copy", 1, move || {
            *copied.lock().unwrap() = Some(Instant::now());
            let next = tap.calls().iter().filter(|call| *call == looks).count() + 1;
            if let Some(mishap) = mishap {
                tap.mishap(looks, next, mishap);
            }
        });
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), 0, "{mishap:?}: {}", outcome.messages("paperless"));
        assert_eq!((house.running(), house.left_over()), (before, Vec::new()));
        let down = *waited.lock().unwrap();
        assert!(
            down.is_some_and(|down| down < Duration::from_secs(1)),
            "{mishap:?}: down for {down:?} after it was copied"
        );
        counts.push(house.tap.calls().iter().filter(|call| *call == looks).count());
    }
    // What a glance did not show is looked at once more.
    assert_eq!(counts, [counts[0], counts[0] + 1, counts[0] + 1]);
}
