//! Retention: what a service's policy does not keep goes, and nothing else, whatever tags are shared.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use svc_core::code::Code;
use svc_core::config::Policy;
use svc_core::goal::Goal;
use svc_core::names::SnapshotId;
use svc_core::restic::fake::{FakeRepository, Fault};
use svc_core::restic::{ResticFailure, Snapshot, Verb};

use crate::care::mark;
use crate::house::{House, Outcome, backup, backup_to, noon, repository, service};

fn policy(last: u32) -> Policy {
    Policy { last: Some(last), ..Policy::default() }
}

pub(crate) fn forget(names: &[&str]) -> Goal {
    Goal::Forget {
        repository: repository("local"),
        services: names.iter().map(|name| service(name)).collect(),
    }
}

fn days_ago(days: i64) -> Timestamp {
    noon() - SignedDuration::from_hours(24 * days)
}

/// Snapshots of these days, with these tags.
fn add(house: &House, days: &[i64], tags: &[&str]) {
    house.restic.change(&repository("local"), |local| {
        for day in days {
            let source = house.path("srv/music");
            let file = (source.join("one.flac"), b"la".to_vec());
            *local = std::mem::replace(local, FakeRepository::absent()).snapshot(
                days_ago(*day),
                "home",
                tags,
                &[source],
                vec![file],
            );
        }
    });
}

/// A house with snapshots of `music` of these days, and this many kept.
fn house(days: &[i64], last: u32) -> House {
    let mut house = House::new();
    house.service("music").backup.policy = Some(policy(last));
    house.restic.set_now(noon());
    add(&house, days, &["svc:music", "music"]);
    house
}

fn ages(house: &House) -> Vec<i64> {
    let age = |snapshot: &Snapshot| noon().duration_since(snapshot.time).as_hours() / 24;
    house.saved("local").iter().map(age).collect()
}

fn notes(outcome: &Outcome) -> String {
    let note = |event: &svc_core::event::Event| match &event.body {
        svc_core::event::Body::Note { text, .. } => Some(text.clone()),
        _ => None,
    };
    outcome.events.iter().filter_map(note).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_good_backup_lets_go_what_the_policy_does_not_keep_with_two_processes() {
    let house = house(&[4, 3, 2, 1], 3);
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("music"));
    assert_eq!(ages(&house), [2, 1, 0]);
    assert_eq!(outcome.of("music").forgotten.len(), 2);
    let calls = house.tap.calls();
    let of = |call: &str| calls.iter().filter(|have| have.as_str() == call).count();
    assert_eq!((of("restic preview local"), of("restic forget local")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn restic_is_not_asked_when_nothing_is_to_go_or_everything_is_kept() {
    let mut house = house(&[2, 1], 3);
    house.run(&backup(&["music"])).await;
    house.service("music").backup.policy = None;
    house.run(&backup(&["music"])).await;
    assert_eq!(house.restic.count(Verb::Forget), 0);
    assert_eq!(house.saved("local").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn mistake_08_nothing_is_forgotten_while_the_service_is_down() {
    let mut house = House::new();
    house.service("paperless").backup.policy = Some(policy(1));
    house.run(&backup(&["paperless"])).await;
    house.tap.clear();
    house.run(&backup(&["paperless"])).await;
    let orders = house.tap.orders();
    let place = |order: &str| orders.iter().rposition(|have| have == order);
    assert!(place("docker start paperless-web-1") < place("restic forget local"), "{orders:?}");
    assert!(place("restic forget local").is_some(), "{orders:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_less_than_good_forgets_nothing_there() {
    for fault in [
        Fault::Fails(ResticFailure::NoSpace),
        Fault::Unreadable(vec!["/a: denied".to_owned()]),
        Fault::NoSnapshotId,
    ] {
        let house = house(&[4, 3, 2, 1], 2);
        house.restic.fault(Verb::Backup, &repository("local"), 1, fault.clone());
        let outcome = house.run(&backup(&["music"])).await;
        assert_ne!(outcome.code(), 0, "{fault:?}");
        assert_eq!(house.restic.count(Verb::Forget), 0, "{fault:?}");
        assert!(notes(&outcome).contains("nothing is forgotten"), "{fault:?}: {}", notes(&outcome));
        let alone = house.run(&forget(&["music"])).await;
        assert_eq!(alone.code(), 20, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shrunken_snapshot_holds_retention() {
    let house = house(&[], 1);
    for track in 0..10 {
        house.write(&format!("srv/music/{track}"), "la la la");
    }
    house.run(&backup(&["music"])).await;
    house.remove("srv/music");
    house.write("srv/music/one", "la");
    assert_eq!(house.run(&backup(&["music"])).await.code(), 4);
    assert_eq!((house.saved("local").len(), house.restic.count(Verb::Forget)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_was_meant_is_accepted_once_and_is_the_measure_from_then_on() {
    let house = house(&[], 1);
    for track in 0..10 {
        house.write(&format!("srv/music/{track}"), "la la la");
    }
    house.run(&backup(&["music"])).await;
    house.remove("srv/music");
    house.write("srv/music/one", "la");
    for _ in 0..2 {
        let failed = house.run(&backup(&["music"])).await;
        assert_eq!(failed.code(), 4);
        let hint = failed.of("music").failures[0].hint.clone().unwrap();
        assert!(hint.ends_with("svc backup local music --accept-shrink"), "{hint}");
    }
    let mut plan = house.plan(&backup(&["music"])).await;
    plan.accept_shrink();
    assert_eq!(house.run_plan(plan).await.code(), 0);
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!((outcome.code(), house.saved("local").len()), (0, 1), "{}", outcome.messages("music"));
}

#[tokio::test(start_paused = true)]
async fn another_repositorys_failure_does_not_hold_this_one() {
    let house = house(&[3, 2, 1], 2);
    house.restic.fault(Verb::Backup, &repository("remote"), 1, Fault::Fails(ResticFailure::Unreachable));
    let outcome = house.run(&backup_to(&["local", "remote"], &["music"])).await;
    assert_eq!((outcome.code(), house.saved("local").len()), (15, 2));
}

#[tokio::test(start_paused = true)]
async fn what_the_plan_shows_is_what_goes() {
    let house = house(&[4, 3, 2, 1], 2);
    let plan = house.plan(&forget(&["music"])).await;
    let text = crate::show::plan(&house, &plan);
    assert!(text.contains("keeps 2 of 4 snapshots"), "{text}");
    // Somebody adds one in between: restic would let a third one go.
    add(&house, &[0], &["svc:music", "music"]);
    let outcome = house.run_plan(plan).await;
    assert_eq!((outcome.code(), ages(&house)), (0, vec![2, 1, 0]));
    assert!(notes(&outcome).contains("left for the next time"), "{}", notes(&outcome));
}

#[tokio::test(start_paused = true)]
async fn fault_46_a_snapshot_from_the_future_holds_retention() {
    let house = house(&[4, 3, -2], 1);
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!(outcome.code(), 3, "{}", outcome.messages("music"));
    assert_eq!(house.saved("local").len(), 4);
    assert_eq!(
        house.record("music").backups[&repository("local")].last_good.as_ref().unwrap().code,
        Code::Ok
    );
    assert_eq!(house.run(&forget(&["music"])).await.code(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_repository_gets_backups_that_prove_nothing_and_forgets_nothing() {
    let house = house(&[3, 2, 1], 1);
    mark(&house, None);
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!((outcome.code(), house.saved("local").len()), (3, 4));
    let failure = &outcome.of("music").failures[0];
    assert!(failure.message.contains("unproven"), "{failure:?}");
    assert!(failure.causes.iter().any(|cause| cause.contains("damaged")), "{failure:?}");
    assert!(failure.hint.as_ref().unwrap().starts_with("svc repo check local"), "{failure:?}");
    let record = &house.record("music").backups[&repository("local")];
    let new = house.saved("local").pop().unwrap();
    assert_eq!((record.last_good.clone(), &record.doubts.not_good), (None, &vec![new.id]));
    assert_eq!(house.run(&forget(&["music"])).await.code(), 13);
    assert_eq!(house.restic.count(Verb::Forget), 0);
    // The other one is sound.
    assert_eq!(house.run(&backup_to(&["remote"], &["music"])).await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_is_marked_while_it_is_waited_for_forgets_nothing() {
    for is_marked in [false, true] {
        let house = Arc::new(house(&[3, 2, 1], 1));
        house.restic.fault(Verb::Forget, &repository("local"), 2, Fault::Fails(ResticFailure::Locked));
        let inside = Arc::downgrade(&house);
        house.tap.watch(move |call| {
            let house = inside.upgrade().filter(|_| is_marked && call == "restic locks local");
            house.inspect(|house| mark(house, None));
        });
        let outcome = house.run(&backup(&["music"])).await;
        let left = if is_marked { (3, 4) } else { (0, 1) };
        assert_eq!((outcome.code(), house.saved("local").len()), left, "{}", outcome.messages("music"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_holds_retention_until_somebody_has_looked_at_it() {
    for file in ["records/music.json", "records/repositories/local.json"] {
        let house = house(&[3, 2, 1], 1);
        house.write(&format!("state/{file}"), "{torn");
        assert_eq!(house.run(&forget(&["music"])).await.code(), 20, "{file}");
        for _ in 0..2 {
            let outcome = house.run(&backup(&["music"])).await;
            assert_eq!(outcome.code(), 3, "{file}: {}", outcome.messages("music"));
            assert!(outcome.messages("music").contains(file), "{file}: {}", outcome.messages("music"));
        }
        assert_eq!((house.saved("local").len(), house.restic.count(Verb::Forget)), (5, 0), "{file}");
        let last = house.record("music").backups[&repository("local")].last_good.clone().unwrap();
        assert_eq!(last.snapshot, house.saved("local").pop().map(|new| new.id), "{file}");
        let is_left = |path: &PathBuf| path.to_string_lossy().contains(&format!("{file}.unreadable-"));
        let all = walkdir::WalkDir::new(house.path("state")).into_iter().map(|one| one.unwrap().into_path());
        let left: Vec<PathBuf> = all.filter(is_left).collect();
        if file.contains("repositories") {
            // A backup does not write it.
            assert_eq!(std::fs::read_to_string(house.path(&format!("state/{file}"))).unwrap(), "{torn");
            std::fs::remove_file(house.path(&format!("state/{file}"))).unwrap();
        } else {
            assert_eq!(left.len(), 1);
            assert_eq!(std::fs::read_to_string(&left[0]).unwrap(), "{torn");
            std::fs::remove_file(&left[0]).unwrap();
        }
        let outcome = house.run(&backup(&["music"])).await;
        assert_eq!((outcome.code(), house.saved("local").len()), (0, 1), "{}", outcome.messages("music"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_policy_says_that_its_record_could_not_be_read_too() {
    let house = House::new();
    house.write("state/records/music.json", "{torn");
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!(outcome.code(), 3);
    assert!(outcome.messages("music").contains("music.json.unreadable-"), "{}", outcome.messages("music"));
    assert_eq!(house.run(&backup(&["music"])).await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_no_doubt_any_more() {
    let mut house = house(&[], 1);
    house.restic.fault(
        Verb::Backup,
        &repository("local"),
        1,
        Fault::Unreadable(vec!["/a: denied".to_owned()]),
    );
    assert_eq!(house.run(&backup(&["music"])).await.code(), 3);
    assert_eq!(house.record("music").backups[&repository("local")].doubts.not_good.len(), 1);
    house.service("music").backup.policy = Some(policy(1));
    assert_eq!(house.run(&backup(&["music"])).await.code(), 0);
    assert_eq!(house.saved("local").len(), 1);
    assert_eq!(house.record("music").backups[&repository("local")].doubts.not_good, []);
}

#[tokio::test(start_paused = true)]
async fn old_snapshots_expire_by_the_same_policy_and_shared_ones_are_named() {
    let mut house = house(&[2, 1], 3);
    add(&house, &[9, 8], &["music"]);
    assert_eq!(house.run(&backup(&["music"])).await.code(), 0);
    assert_eq!(ages(&house), [2, 1, 0]);
    add(&house, &[9, 8], &["music"]);
    house.service("x").backup.tags.push("music".to_owned());
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!(ages(&house), [9, 8, 1, 0, 0]);
    let left: Vec<SnapshotId> = house.saved("local").into_iter().take(2).map(|old| old.id).collect();
    assert!(left.iter().all(|id| notes(&outcome).contains(id.short())), "{}", notes(&outcome));
    assert!(notes(&outcome).contains("`x`"), "{}", notes(&outcome));
}
