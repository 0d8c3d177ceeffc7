//! Restores: all of it or nothing, and the old data kept.

use std::path::PathBuf;

use svc_core::event::Body;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::names::SnapshotId;
use svc_core::plan::Step;
use svc_core::restic::fake::Fault;
use svc_core::restic::{ResticFailure, Verb};
use svc_core::systemd::ActiveState;
use svc_core::testing::FakeUnit;

use crate::house::{House, Outcome, STACK, WEB, backup, noon, repository, restore};
use crate::tap::Mishap;

pub(crate) const TABLE: &str = "docker/volumes/paperless_db/_data/table";
pub(crate) const PAGE: &str = "srv/paperless/media/page";

/// A house with a snapshot of everything, whose data has changed since.
pub(crate) async fn changed_house() -> House {
    changed_house_of(&["paperless", "notes", "music", "archive"]).await
}

/// The same with a snapshot of these services only.
pub(crate) async fn changed_house_of(services: &[&str]) -> House {
    let house = House::new();
    assert_eq!(house.run(&backup(services)).await.code(), 0);
    for file in
        [TABLE, PAGE, "lib/notes/notes.db", "srv/music/one.flac", "docker/volumes/archive_data/_data/box"]
    {
        house.write(file, &format!("{file} as it was changed"));
    }
    house.write("srv/music/new.flac", "not in the snapshot");
    house.tap.clear();
    house
}

fn text(house: &House, path: &str) -> String {
    std::fs::read_to_string(house.path(path)).unwrap_or_default()
}

pub(crate) fn is_restored(house: &House, path: &str) -> bool {
    text(house, path) == format!("{path} as it was first")
}

pub(crate) fn is_changed(house: &House, path: &str) -> bool {
    text(house, path) == format!("{path} as it was changed")
}

pub(crate) fn is_unchanged_paperless(house: &House) -> bool {
    is_changed(house, TABLE) && is_changed(house, PAGE)
}

pub(crate) fn messages(outcome: &Outcome) -> String {
    outcome.report.services.iter().map(|s| outcome.messages(s.service.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_restore_brings_the_data_back_and_keeps_what_it_replaced() {
    let house = changed_house().await;
    let before = house.running();
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", messages(&outcome));
    assert!(is_restored(&house, TABLE) && is_restored(&house, PAGE));
    assert_eq!(house.running(), before);
    let kept = house.record("paperless").replaced.unwrap();
    assert_eq!(kept.stages, outcome.of("paperless").kept);
    assert_eq!(kept.stages, house.stages());
    let old: PathBuf = kept
        .trees
        .iter()
        .find(|tree| tree.pair.live.ends_with("paperless/media"))
        .unwrap()
        .pair
        .staged
        .clone();
    assert_eq!(std::fs::read_to_string(old.join("page")).unwrap(), format!("{PAGE} as it was changed"));
    assert_eq!(outcome.of("paperless").restored, Some(saved(&house, "paperless")));
    assert!(outcome.events.iter().any(|event| matches!(event.body, Body::TreesKept { .. })));
}

fn saved(house: &House, name: &str) -> SnapshotId {
    let tag = format!("svc:{name}");
    house.saved("local").iter().find(|snapshot| snapshot.has_tag(&tag)).unwrap().id.clone()
}

#[tokio::test(start_paused = true)]
async fn the_service_runs_until_all_is_staged_and_verified() {
    let house = changed_house().await;
    house.run(&restore(&["paperless"])).await;
    let orders = house.tap.orders();
    assert_eq!(orders[0], "restic restore local");
    assert_eq!(orders[1], "docker stop paperless-web-1");
    assert_eq!(orders.iter().filter(|order| order.contains("stop")).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_snapshot_does_not_hold_is_gone_from_the_live_tree_but_not_lost() {
    let house = changed_house().await;
    assert_eq!(house.run(&restore(&["music"])).await.code(), 0);
    assert!(is_restored(&house, "srv/music/one.flac"));
    assert!(!house.path("srv/music/new.flac").exists());
    let stage = house.stages().remove(0);
    let live = house.path("srv/music/new.flac");
    assert!(stage.join(live.strip_prefix("/").unwrap()).exists());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_the_snapshot_lacks_is_refused_before_anything_stops() {
    let mut house = changed_house().await;
    let podcasts = house.path("srv/podcasts");
    house.service("paperless").restore.paths.push(podcasts);
    let before = (house.running(), house.tree(""));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 4);
    assert!(messages(&outcome).contains("does not hold"), "{}", messages(&outcome));
    assert!(house.tap.orders().is_empty() && house.stages().is_empty());
    assert_eq!((house.running(), house.tree("")), before);
}

#[tokio::test(start_paused = true)]
async fn a_restic_that_fails_midway_leaves_no_trace() {
    for fault in [Fault::Fails(ResticFailure::Code(1)), Fault::Fails(ResticFailure::Signal(9))] {
        let house = changed_house().await;
        house.restic.fault(Verb::Restore, &repository("local"), 1, fault);
        let outcome = house.run(&restore(&["paperless"])).await;
        assert_eq!(outcome.code(), 4);
        assert_eq!(house.tap.orders(), ["restic restore local"]);
        assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
        assert_eq!(outcome.of("paperless").restored, None);
        assert_eq!(house.record("paperless").replaced, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_lacks_a_file_is_not_put_in_place() {
    let house = changed_house().await;
    house.restic.fault(Verb::Restore, &repository("local"), 1, Fault::RestoresOnly(2));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 13);
    assert_eq!(house.tap.orders(), ["restic restore local"]);
    assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_data_is_missing_is_started_after_its_restore() {
    let house = changed_house().await;
    house.systemd.change("notes.service", FakeUnit::inactive);
    house.remove("lib");
    let outcome = house.run(&restore(&["notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", messages(&outcome));
    assert!(is_restored(&house, "lib/notes/notes.db"));
    assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Active));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_off_stays_off_unless_it_is_asked_for() {
    let house = changed_house().await;
    let before = house.running();
    let box_file = "docker/volumes/archive_data/_data/box";
    assert_eq!(house.run(&restore(&["archive"])).await.code(), 0);
    assert!(is_restored(&house, box_file));
    assert_eq!(house.running(), before);
    let mut goal = restore(&["archive"]);
    if let Goal::Restore { start, .. } = &mut goal {
        *start = true;
    }
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 0, "{}", messages(&outcome));
    assert_eq!(house.systemd.active("docker-compose-archive.service"), Some(ActiveState::Active));
}

#[tokio::test(start_paused = true)]
async fn containers_of_an_active_unit_are_started_when_that_is_asked_for() {
    let house = changed_house().await;
    house.docker.exit(WEB, 1);
    let mut goal = restore(&["paperless"]);
    if let Goal::Restore { start, .. } = &mut goal {
        *start = true;
    }
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 0, "{}", messages(&outcome));
    assert!(house.running().contains(WEB) && house.running().contains(STACK));
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_lets_go_of_what_the_first_one_kept() {
    let house = changed_house().await;
    house.run(&restore(&["music"])).await;
    let first = house.stages();
    house.write("srv/music/one.flac", "changed again");
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 0, "{}", messages(&outcome));
    assert_eq!((first.len(), house.stages().len()), (1, 1));
    assert_ne!(house.stages(), first);
    assert_eq!(house.record("music").replaced.unwrap().stages, house.stages());
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_that_fails_keeps_what_the_first_one_kept() {
    let house = changed_house().await;
    house.run(&restore(&["music"])).await;
    let (first, record) = (house.stages(), house.record("music"));
    house.restic.fault(Verb::Restore, &repository("local"), 1, Fault::Fails(ResticFailure::Code(1)));
    assert_eq!(house.run(&restore(&["music"])).await.code(), 4);
    assert_eq!((house.stages(), house.record("music")), (first, record));
}

#[tokio::test(start_paused = true)]
async fn a_stage_of_the_same_name_that_somebody_else_made_is_left_alone() {
    let house = changed_house().await;
    let plan = house.plan(&restore(&["music"])).await;
    let stage = plan.services[0].steps.iter().find_map(|planned| match &planned.step {
        Step::Stage(step) => Some(step.stage.clone()),
        _ => None,
    });
    let stage = stage.unwrap();
    std::fs::create_dir_all(&stage).unwrap();
    std::fs::write(stage.join("precious"), "old data").unwrap();
    assert_eq!(house.run_plan(plan).await.code(), 4);
    assert_eq!(std::fs::read_to_string(stage.join("precious")).unwrap(), "old data");
    assert!(is_changed(&house, "srv/music/one.flac"));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_named_like_a_stage_is_ever_removed() {
    let house = changed_house().await;
    house.run(&restore(&["music"])).await;
    let mut record = house.record("music");
    let stage = house.stages().remove(0);
    record.replaced.as_mut().unwrap().stages.push(house.path("srv/paperless"));
    record.save(&house.scope.records_dir(), &"music".parse().unwrap(), noon()).unwrap();
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 20);
    assert!(house.path(PAGE).exists());
    assert!(!stage.exists());
    // What is left over is not forgotten.
    let stages = house.record("music").replaced.unwrap().stages;
    assert!(stages.contains(&house.path("srv/paperless")), "{stages:?}");
    assert!(is_restored(&house, "srv/music/one.flac"));
}

#[tokio::test(start_paused = true)]
async fn a_kept_tree_that_cannot_be_removed_is_not_forgotten() {
    let house = changed_house().await;
    house.run(&restore(&["music"])).await;
    let old = house.stages().remove(0);
    // A file cannot be removed as a directory.
    std::fs::remove_dir_all(&old).unwrap();
    std::fs::write(&old, "not a directory").unwrap();
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 3, "{}", messages(&outcome));
    assert!(is_restored(&house, "srv/music/one.flac"));
    assert!(outcome.of("music").restored.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_service_proves_itself_does_not_undo_the_restore() {
    let house = changed_house().await;
    house.run(&restore(&["notes"])).await;
    house.write("lib/notes/notes.db", "changed again");
    let first = house.stages();
    let cancel = house.cancel();
    let started = std::sync::atomic::AtomicBool::new(false);
    house.tap.watch(move |call| {
        use std::sync::atomic::Ordering::Relaxed;
        started.fetch_or(call == "systemd start notes.service", Relaxed);
        if call == "systemd details notes.service" && started.load(Relaxed) {
            cancel.request(svc_core::code::Code::Interrupted);
        }
    });
    let outcome = house.run(&restore(&["notes"])).await;
    assert_eq!((outcome.code(), outcome.code_of("notes")), (130, 0), "{}", messages(&outcome));
    assert!(is_restored(&house, "lib/notes/notes.db"));
    assert_eq!(house.stages().len(), 1);
    assert_ne!(house.stages(), first);
}

#[tokio::test(start_paused = true)]
async fn without_docker_nothing_is_put_under_a_service_that_may_run() {
    let house = changed_house().await;
    house.docker.set_reachable(false);
    let mut house = house;
    let own_path = vec![house.path("srv/paperless/media")];
    let paperless = house.service("paperless");
    paperless.restore.volumes.clear();
    paperless.backup.volumes.clear();
    paperless.backup.quiesce = svc_core::config::Quiesce::None;
    paperless.restore.paths = own_path;
    let outcome = house.run(&restore(&["paperless", "music"])).await;
    assert_eq!((outcome.code_of("paperless"), outcome.code_of("music")), (18, 0), "{}", messages(&outcome));
    assert!(is_changed(&house, PAGE));
}

#[tokio::test(start_paused = true)]
async fn what_holds_svcs_own_state_is_not_exchanged() {
    let mut house = changed_house().await;
    let all = house.path("");
    house.service("music").restore.paths = vec![all];
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 20);
    assert!(house.tap.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_symbolic_link_is_no_target() {
    let house = changed_house().await;
    std::fs::rename(house.path("srv/music"), house.path("srv/elsewhere")).unwrap();
    std::os::unix::fs::symlink(house.path("srv/elsewhere"), house.path("srv/music")).unwrap();
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 20);
    assert!(house.stages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn latest_is_never_a_snapshot_that_is_not_good() {
    let house = changed_house().await;
    let good = saved(&house, "music");
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Unreadable(vec!["/a".to_owned()]));
    assert_eq!(house.run(&backup(&["music"])).await.code(), 3);
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.of("music").restored, Some(good));
}

#[tokio::test(start_paused = true)]
async fn latest_is_nothing_to_go_by_when_it_is_not_known_any_more_what_is_good() {
    let house = changed_house().await;
    let good = saved(&house, "music");
    house.write("state/records/music.json", "{torn");
    let outcome = house.run(&restore(&["music"])).await;
    assert_eq!(outcome.code(), 20);
    let failure = &outcome.of("music").failures[0];
    assert!(failure.hint.as_ref().unwrap().starts_with("svc list-backups local music"), "{failure:?}");
    let named = Goal::Restore {
        repository: repository("local"),
        services: vec!["music".parse().unwrap()],
        snapshot: SnapshotChoice::Id(good.as_str()[..12].to_owned()),
        start: false,
    };
    let outcome = house.run(&named).await;
    assert_eq!((outcome.code(), outcome.of("music").restored.clone()), (0, Some(good)));
}

#[tokio::test(start_paused = true)]
async fn one_failed_restore_does_not_keep_the_next_from_its_own() {
    let house = changed_house().await;
    house.tap.mishap("restic restore local", 1, Mishap::Refused);
    let outcome = house.run(&restore(&["notes", "music"])).await;
    assert_eq!((outcome.code_of("notes"), outcome.code_of("music")), (4, 0));
    assert!(is_changed(&house, "lib/notes/notes.db") && is_restored(&house, "srv/music/one.flac"));
}
