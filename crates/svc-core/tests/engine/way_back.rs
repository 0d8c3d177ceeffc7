//! A restore that does not work out: the old data is put back, or kept where it cannot be.

use std::path::{Path, PathBuf};

use svc_core::docker::ContainerHealth;
use svc_core::systemd::{ActiveState, JobVerb};
use svc_core::testing::{DockerFault, DockerVerb, FakeUnit, SystemdFault, When};

use crate::house::{DB, House, WEB, restore};

use crate::restore::{PAGE, TABLE, changed_house, is_restored, is_unchanged_paperless, messages};

/// Spoils the staged copy of a path as soon as everything is staged and the first container stops.
fn spoil(house: &House, path: &str) {
    let (root, live) = (house.path(""), house.path(path));
    house.tap.watch(move |call| {
        if call.starts_with("docker stop") {
            for stage in stages_below(&root) {
                let _ = std::fs::remove_dir_all(stage.join(live.strip_prefix("/").unwrap()));
            }
        }
    });
}

fn stages_below(root: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(root).into_iter().flatten();
    let is_stage = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(".svc-stage-");
    all.map(walkdir::DirEntry::into_path).filter(is_stage).collect()
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_fails_at_a_later_tree_puts_the_earlier_ones_back() {
    let house = changed_house().await;
    let before = house.running();
    spoil(&house, "srv/paperless/media");
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 4, "{}", messages(&outcome));
    assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_healthy_with_the_old_data_gets_its_own_back() {
    let house = changed_house().await;
    let before = house.running();
    let (docker, page) = (house.docker.clone(), house.path(PAGE));
    house.docker.on_done(DockerVerb::Start, WEB, move || {
        let is_old = std::fs::read_to_string(&page).unwrap().ends_with("first");
        docker.set_health(WEB, if is_old { ContainerHealth::Unhealthy } else { ContainerHealth::Healthy });
    });
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 17, "{}", messages(&outcome));
    assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
    assert_eq!(house.running(), before);
    let report = outcome.of("paperless");
    assert_eq!((report.restored.as_ref(), report.kept.len()), (None, 0));
    assert_eq!(house.record("paperless").replaced, None);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_even_start_with_the_old_data_gets_its_own_back() {
    let house = changed_house().await;
    let before = house.running();
    // The first start of all was that of the backup.
    house.docker.fault(DockerVerb::Start, DB, When::Nth(2), DockerFault::Exits(1));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 17, "{}", messages(&outcome));
    assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_even_with_its_own_data_ends_with_5() {
    let house = changed_house().await;
    house.docker.fault(DockerVerb::Start, DB, When::Always, DockerFault::Exits(1));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", messages(&outcome));
    assert!(is_unchanged_paperless(&house) && house.stages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_come_back_after_a_failed_exchange_ends_with_5() {
    let house = changed_house().await;
    spoil(&house, "srv/paperless/media");
    house.docker.fault(DockerVerb::Start, WEB, When::Always, DockerFault::Exits(1));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", messages(&outcome));
    assert!(is_unchanged_paperless(&house));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_stop_for_the_way_back_runs_on_and_loses_nothing() {
    let house = changed_house().await;
    let before = house.running();
    house.docker.fault(DockerVerb::Start, DB, When::Nth(2), DockerFault::Exits(1));
    house.docker.fault(DockerVerb::Stop, WEB, When::Nth(3), DockerFault::Hang);
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, WEB, move || docker.set_health(WEB, ContainerHealth::Unhealthy));
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", messages(&outcome));
    assert!(is_restored(&house, TABLE) && is_restored(&house, PAGE), "never a mixture");
    let mut running = house.running();
    running.insert(DB.to_owned());
    assert_eq!(running, before);
    assert_eq!(outcome.of("paperless").kept, house.stages());
    let kept = house.record("paperless").replaced.unwrap();
    assert!(kept.trees.iter().all(|tree| tree.pair.staged.exists()), "the old data is still there");
}

#[tokio::test(start_paused = true)]
async fn half_stopped_for_the_way_back_is_started_again() {
    let house = changed_house().await;
    let before = house.running();
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, WEB, move || docker.set_health(WEB, ContainerHealth::Unhealthy));
    house.docker.fault(DockerVerb::Stop, DB, When::Nth(3), DockerFault::Hang);
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", messages(&outcome));
    assert_eq!(house.running(), before);
    assert!(is_restored(&house, TABLE) && is_restored(&house, PAGE));
    assert_eq!(house.stages().len(), 1, "the old data is still there");
}

#[tokio::test(start_paused = true)]
async fn trees_that_cannot_be_put_back_are_kept_and_the_service_stays_off() {
    let house = changed_house().await;
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, WEB, move || docker.set_health(WEB, ContainerHealth::Unhealthy));
    // On the way back the old media lies where the live one cannot change places with it.
    let (root, live) = (house.path(""), house.path("srv/paperless/media"));
    let second = std::sync::atomic::AtomicUsize::new(0);
    house.tap.watch(move |call| {
        if call == "docker stop paperless-web-1"
            && second.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1
        {
            let stage = stages_below(&root).remove(0);
            let parent = stage.join(live.parent().unwrap().strip_prefix("/").unwrap());
            std::fs::rename(&parent, parent.with_extension("away")).unwrap();
            std::fs::write(&parent, "in the way").unwrap();
        }
    });
    let outcome = house.run(&restore(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", messages(&outcome));
    assert!(messages(&outcome).contains("could not be put back"), "{}", messages(&outcome));
    assert!(!house.running().contains(DB) && !house.running().contains(WEB), "it runs on a mixture");
    assert_eq!(outcome.of("paperless").kept, house.stages());
    let stage = house.stages().remove(0);
    let old = walkdir::WalkDir::new(stage).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let old: Vec<String> = old.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect();
    assert!(old.contains(&format!("{PAGE} as it was changed")), "the old data is lost: {old:?}");
    // What was in the way is gone: whoever recovers brings it to one side, and it runs again.
    let stage = house.stages().remove(0);
    let live = house.path("srv/paperless/media");
    let parent = stage.join(live.parent().unwrap().strip_prefix("/").unwrap());
    std::fs::remove_file(&parent).unwrap();
    std::fs::rename(parent.with_extension("away"), &parent).unwrap();
    let run = svc_core::history::runs(&house.scope.runs_dir()).unwrap().remove(0);
    house.recover(&run, |_| false).await.unwrap();
    assert!(house.running().contains(DB) && house.running().contains(WEB), "it stays off");
    assert!(!is_restored(&house, TABLE) && !is_restored(&house, PAGE), "never a mixture");
}

#[tokio::test(start_paused = true)]
async fn a_first_start_that_fails_leaves_nothing_behind() {
    let house = changed_house().await;
    house.systemd.change("notes.service", FakeUnit::inactive);
    house.remove("lib/notes");
    house.systemd.fault(JobVerb::Start, "notes.service", When::Always, SystemdFault::Job("failed"));
    let outcome = house.run(&restore(&["notes"])).await;
    assert_eq!(outcome.code(), 17, "{}", messages(&outcome));
    assert!(!house.path("lib/notes").exists() && house.stages().is_empty());
    assert_ne!(house.systemd.active("notes.service"), Some(ActiveState::Active));
}

#[tokio::test(start_paused = true)]
async fn the_live_tree_is_whole_when_the_exchange_cannot_begin() {
    let house = changed_house().await;
    let before = house.tree("");
    spoil(&house, "srv/paperless/media");
    house.run(&restore(&["paperless"])).await;
    assert_eq!(house.tree(""), before);
}
