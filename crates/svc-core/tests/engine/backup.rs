//! Backups: what is stopped runs again, and only what is restorable ends with 0.

use std::path::PathBuf;
use std::time::Duration;

use svc_core::code::Code;
use svc_core::event::{Body, Event};
use svc_core::plan::{PlannedStep, Step, Target};
use svc_core::restic::fake::Fault;
use svc_core::restic::{ResticFailure, Verb};
use svc_core::systemd::{ActiveState, JobVerb};
use svc_core::testing::{FakeUnit, SystemdFault, When};

use crate::house::{House, Outcome, backup, backup_to, repository};
use crate::tap::Mishap;

#[tokio::test(start_paused = true)]
async fn a_stack_is_stopped_saved_and_resumed_in_the_order_of_its_dependencies() {
    let house = House::new();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(
        house.tap.orders(),
        [
            "docker stop paperless-web-1",
            "docker stop paperless-db-1",
            "docker stop paperless-cache-1",
            "restic backup local svc:paperless",
            "docker start paperless-db-1",
            "docker start paperless-cache-1",
            "docker start paperless-web-1",
        ]
    );
    assert_eq!(house.running(), before);
    assert!(outcome.of("paperless").downtime_ms.is_some());
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_service_is_saved_and_only_those_that_must_are_touched() {
    let house = House::new();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless", "notes", "x", "music", "archive", "caddy"])).await;
    assert_eq!(outcome.code(), 0);
    assert_eq!(house.saved("local").len(), 6);
    assert_eq!(house.running(), before);
    let orders = house.tap.orders().join("\n");
    assert!(!orders.contains("archive-") && !orders.contains("caddy-web"), "{orders}");
    for hot in ["music", "archive", "caddy"] {
        assert_eq!(outcome.of(hot).downtime_ms, None, "{hot}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_starts_in_time_but_slowly_is_waited_for() {
    let house = House::new();
    house.systemd.fault(
        JobVerb::Start,
        "notes.service",
        When::Always,
        SystemdFault::Slow(Duration::from_secs(80)),
    );
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
}

#[tokio::test(start_paused = true)]
async fn whatever_restic_ends_with_other_than_well_is_never_a_success() {
    for (fault, code) in [
        (Fault::Fails(ResticFailure::Code(1)), 4),
        (Fault::Fails(ResticFailure::Code(99)), 4),
        (Fault::Fails(ResticFailure::Signal(9)), 4),
        (Fault::Fails(ResticFailure::WrongPassword), 12),
        (Fault::Fails(ResticFailure::NoSpace), 14),
        (Fault::Fails(ResticFailure::Locked), 11),
        (Fault::SavesThenFails(ResticFailure::Code(130)), 4),
        (Fault::NoSnapshotId, 4),
        (Fault::Unreadable(vec!["/srv/secret: denied".to_owned()]), 3),
    ] {
        let house = House::new();
        let before = house.running();
        house.restic.fault(Verb::Backup, &repository("local"), 1, fault.clone());
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), code, "{fault:?}");
        assert_eq!(house.running(), before, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_takes_too_long_is_ended() {
    let mut house = House::new();
    house.service("paperless").backup.timeout = Some("2h".parse().unwrap());
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Hangs);
    let before = house.running();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 15);
    assert_eq!(house.running(), before);
    assert!(outcome.messages("paperless").contains("7200 s"), "{}", outcome.messages("paperless"));
}

#[tokio::test(start_paused = true)]
async fn one_of_two_repositories_down_does_not_keep_the_other_from_its_snapshot() {
    let house = House::new();
    house.tap.always("restic cat remote", Mishap::Unreachable);
    let outcome = house.run(&backup_to(&["local", "remote"], &["notes"])).await;
    assert_eq!(outcome.code(), 15);
    assert_eq!(house.saved("local").len(), 1);
    let record = house.record("notes");
    assert_eq!(record.backups[&repository("local")].last_attempt.as_ref().unwrap().code, Code::Ok);
    let remote = &record.backups[&repository("remote")];
    assert_eq!(remote.last_attempt.as_ref().unwrap().code, Code::Unreachable);
    assert_eq!(remote.last_good, None);
}

#[tokio::test(start_paused = true)]
async fn each_repository_is_recorded_with_its_own_failure() {
    let house = House::new();
    house.tap.always("restic cat remote", Mishap::Unreachable);
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Fails(ResticFailure::Code(1)));
    let outcome = house.run(&backup_to(&["local", "remote"], &["notes"])).await;
    assert_eq!(outcome.code(), 15);
    let record = house.record("notes");
    let code = |name: &str| record.backups[&repository(name)].last_attempt.as_ref().unwrap().code;
    assert_eq!((code("local"), code("remote")), (Code::Failed, Code::Unreachable));
    let told = outcome.of("notes").unsaved.iter().map(|one| (one.repository.as_str(), one.code));
    let own = [("local", Code::Failed), ("remote", Code::Unreachable)];
    assert_eq!(told.collect::<Vec<_>>(), own, "and told so");
}

#[tokio::test(start_paused = true)]
async fn a_failing_first_repository_does_not_keep_the_second_from_its_snapshot() {
    let house = House::new();
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Fails(ResticFailure::NoSpace));
    let outcome = house.run(&backup_to(&["local", "remote"], &["notes"])).await;
    assert_eq!(outcome.code(), 14);
    assert_eq!((house.saved("local").len(), house.saved("remote").len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stopped_for_a_repository_that_cannot_be_used() {
    let house = House::new();
    house.tap.always("restic snapshots local", Mishap::Refused);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 4);
    assert!(house.tap.orders().is_empty(), "{:?}", house.tap.orders());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_vanishes_after_the_plan_fails_before_the_stop() {
    let house = House::new();
    let plan = house.plan(&backup(&["paperless"])).await;
    house.remove("srv/paperless/media");
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 4);
    assert!(house.tap.orders().is_empty(), "{:?}", house.tap.orders());
}

#[tokio::test(start_paused = true)]
async fn records_keep_the_last_good_backup_through_failures() {
    let house = House::new();
    let local = repository("local");
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    let good = house.record("notes").backups[&local].last_good.clone().unwrap();
    assert_eq!(good.snapshot.as_ref(), Some(&house.saved("local")[0].id));
    house.restic.fault(Verb::Backup, &local, 1, Fault::Unreadable(vec!["/a".to_owned()]));
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 3);
    house.restic.fault(Verb::Backup, &local, 1, Fault::Fails(ResticFailure::Code(1)));
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 4);
    let record = &house.record("notes").backups[&local];
    assert_eq!(record.last_good.as_ref(), Some(&good));
    assert_eq!(record.last_attempt.as_ref().unwrap().code, Code::Failed);
    assert_eq!(record.doubts.not_good, [house.saved("local")[1].id.clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_lost_most_of_its_data_is_kept_but_is_not_good() {
    let house = House::new();
    for track in 0..10 {
        house.write(&format!("srv/music/{track}"), "la la la");
    }
    assert_eq!(house.run(&backup(&["music"])).await.code(), 0);
    house.remove("srv/music");
    house.write("srv/music/one", "la");
    let outcome = house.run(&backup(&["music"])).await;
    assert_eq!(outcome.code(), 4);
    let lost = &house.saved("local")[1];
    assert!(house.record("music").is_not_good(&repository("local"), lost));
    let plan = house.plan(&backup(&["music"])).await;
    let text = crate::show::plan(&house, &plan);
    assert!(text.contains(&format!("parent {}", house.saved("local")[0].id.short())), "{text}");
}

/// `music` with an inbox beside sixty songs, and where that is.
fn with_inbox(house: &mut House) -> PathBuf {
    let inbox = house.path("srv/inbox");
    house.service("music").backup.paths.push(inbox.clone());
    for number in 0..60 {
        house.write(&format!("srv/music/{number}.flac"), "la");
    }
    std::fs::create_dir(&inbox).unwrap();
    inbox
}

/// Has so many files in the inbox, and saves; the inbox is empty afterwards.
async fn saved_with(house: &House, files: usize) -> Outcome {
    for number in 0..files {
        house.write(&format!("srv/inbox/{number}.pdf"), "x");
    }
    let outcome = house.run(&backup(&["music"])).await;
    house.remove("srv/inbox");
    std::fs::create_dir(house.path("srv/inbox")).unwrap();
    outcome
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_is_empty_is_told_and_good() {
    let mut house = House::new();
    let note = format!("`{}` is empty", with_inbox(&mut house).display());
    let is_note = |event: &Event| matches!(&event.body, Body::Note { text, .. } if *text == note);
    for files in [0, 19, 0] {
        let outcome = saved_with(&house, files).await;
        assert_eq!(outcome.code(), 0, "{files}: {}", outcome.messages("music"));
        assert_eq!(outcome.events.iter().any(is_note), files == 0, "{files}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_source_among_several_that_is_empty_and_held_much_before_is_a_failure() {
    let mut house = House::new();
    with_inbox(&mut house);
    let full = saved_with(&house, 20).await;
    assert_eq!(full.code(), 0, "{}", full.messages("music"));
    for _ in 0..2 {
        let failed = saved_with(&house, 0).await;
        assert_eq!(failed.code(), 4);
        assert!(failed.messages("music").contains("srv/inbox"), "{}", failed.messages("music"));
        let hint = failed.of("music").failures[0].hint.clone().unwrap();
        assert!(hint.ends_with("svc backup local music --accept-shrink"), "{hint}");
    }
    let good = house.record("music").backups[&repository("local")].last_good.clone().unwrap();
    assert_eq!(good.snapshot, Some(full.of("music").snapshots[0].id.clone()));
    let mut plan = house.plan(&backup(&["music"])).await;
    plan.accept_shrink();
    assert_eq!(house.run_plan(plan).await.code(), 0);
    assert_eq!(saved_with(&house, 0).await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_last_look_at_the_sources() {
    let house = House::new();
    let plan = house.plan(&backup(&["notes"])).await;
    let is_look = |planned: &PlannedStep| matches!(planned.step, Step::CheckSources { .. });
    let look = plan.services[0].steps.iter().position(is_look).unwrap();
    let outcome = house
        .run_watched(plan, house.cancel(), |event, cancel| {
            if matches!(&event.body, Body::StepStarted { index, .. } if *index == look) {
                cancel.request(Code::Terminated);
            }
        })
        .await;
    let ended = outcome.events.iter().find_map(|event| match &event.body {
        Body::StepFinished { index, failure, .. } if *index == look => failure.clone(),
        _ => None,
    });
    assert_eq!((outcome.code(), ended.map(|failure| failure.code)), (143, Some(Code::Terminated)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_another_run_holds_is_busy_and_its_record_is_left_to_that_run() {
    let house = House::new();
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    let record = house.record("notes");
    let other = svc_core::lock::ServiceLock::take(
        &house.scope.locks_dir(),
        &"notes".parse().unwrap(),
        &"other".parse().unwrap(),
        "backup",
        crate::house::noon(),
    );
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 7);
    assert!(outcome.messages("notes").contains("run other"));
    assert_eq!(house.record("notes"), record);
    drop(other);
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_identity_of_a_service_is_its_first_tag_and_its_manifest_a_source() {
    let house = House::new();
    house.run(&backup(&["paperless"])).await;
    let snapshot = &house.saved("local")[0];
    assert_eq!(snapshot.tags, ["svc:paperless", "paperless"]);
    assert_eq!(snapshot.host, "home");
    assert!(snapshot.paths.contains(&house.path("state/manifests/paperless.json")));
    let manifest = std::fs::read_to_string(house.path("state/manifests/paperless.json")).unwrap();
    assert!(manifest.contains("example/paperless-db-1:1") && manifest.contains("paperless_db"), "{manifest}");
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_manifest_is_not_written_again() {
    let house = House::new();
    house.run(&backup(&["music"])).await;
    let written = |house: &House| {
        std::os::unix::fs::MetadataExt::ino(
            &std::fs::metadata(house.path("state/manifests/music.json")).unwrap(),
        )
    };
    let first = written(&house);
    house.run(&backup(&["music"])).await;
    assert_eq!(written(&house), first);
}

#[tokio::test(start_paused = true)]
async fn a_report_names_what_was_down_only_when_something_was() {
    let house = House::new();
    house.systemd.change("notes.service", FakeUnit::inactive);
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.of("notes").downtime_ms, None);
    assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Inactive));
    let events = &outcome.events;
    let prior = events.iter().find_map(|event| match &event.body {
        svc_core::event::Body::PriorState { prior, .. } => Some(prior.running.clone()),
        _ => None,
    });
    assert_eq!(prior, Some(Vec::<Target>::new()));
}
