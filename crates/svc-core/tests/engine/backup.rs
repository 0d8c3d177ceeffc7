//! Backups: what is stopped runs again, and only what is restorable ends with 0.

use std::time::Duration;

use svc_core::code::Code;
use svc_core::docker::{ContainerHealth, ContainerState};
use svc_core::plan::Target;
use svc_core::restic::fake::Fault;
use svc_core::restic::{ResticFailure, Verb};
use svc_core::systemd::{ActiveState, JobVerb};
use svc_core::testing::{DockerFault, DockerVerb, FakeUnit, SystemdFault, When};

use crate::house::{CACHE, DB, House, WEB, backup, backup_to, repository};
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
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Fails(ResticFailure::NoSpace));
    let outcome = house.run(&backup_to(&["local", "remote"], &["notes"])).await;
    assert_eq!(outcome.code(), 14);
    let record = house.record("notes");
    let code = |name: &str| record.backups[&repository(name)].last_attempt.as_ref().unwrap().code;
    assert_eq!((code("local"), code("remote")), (Code::NoSpace, Code::Unreachable));
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
async fn an_untouched_service_is_not_blamed_for_its_health() {
    let house = House::new();
    house.docker.set_health(DB, ContainerHealth::Unhealthy);
    let plan = house.plan(&backup(&["paperless"])).await;
    house.remove("srv/paperless/media");
    assert_eq!(house.run_plan(plan).await.code(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_container_that_does_not_stop_leaves_all_running_and_nothing_saved() {
    let house = House::new();
    let before = house.running();
    house.docker.fault(DockerVerb::Stop, DB, When::Always, DockerFault::Hang);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 17);
    assert_eq!(house.running(), before);
    assert!(house.saved("local").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_unit_job_that_ends_other_than_done_is_a_failed_stop() {
    for result in ["failed", "timeout", "canceled", "dependency", "something new"] {
        let house = House::new();
        house.systemd.fault(JobVerb::Stop, "notes.service", When::Always, SystemdFault::Job(result));
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 17, "{result}");
        assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Active), "{result}");
        assert!(house.saved("local").is_empty(), "{result}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_once_is_tried_again() {
    let house = House::new();
    house.systemd.fault(JobVerb::Start, "notes.service", When::First(2), SystemdFault::Job("failed"));
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
    assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Active));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_always_fails_ends_with_5_and_all_others_run() {
    let house = House::new();
    let mut rest = house.running();
    rest.remove(DB);
    house.docker.fault(DockerVerb::Start, DB, When::Always, DockerFault::Exits(1));
    let outcome = house.run(&backup(&["paperless", "notes"])).await;
    assert_eq!(outcome.code(), 5);
    assert_eq!((outcome.code_of("paperless"), outcome.code_of("notes")), (5, 0));
    assert_eq!(house.running(), rest);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_does_not_start_again_ends_with_5_after_three_tries() {
    let house = House::new();
    house.systemd.fault(JobVerb::Start, "notes.service", When::Always, SystemdFault::Job("failed"));
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 5);
    let starts = house.tap.orders().iter().filter(|order| *order == "systemd start notes.service").count();
    assert_eq!(starts, 3);
    assert_eq!(house.saved("local").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_runs_again_but_is_not_healthy_ends_with_5() {
    let house = House::new();
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, WEB, move || docker.set_health(WEB, ContainerHealth::Unhealthy));
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5);
    assert!(outcome.messages("paperless").contains("unhealthy after 120 s"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_right_after_its_start_ends_with_5() {
    let house = House::new();
    let systemd = house.systemd.clone();
    house.systemd.on_job("notes.service", JobVerb::Start, move || {
        systemd.change("notes.service", |unit| unit.failed("exit-code"));
    });
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 5);
    assert!(outcome.messages("notes").contains("exit-code"));
}

#[tokio::test(start_paused = true)]
async fn health_that_was_not_there_before_is_not_demanded_afterwards() {
    for health in [ContainerHealth::Unhealthy, ContainerHealth::Starting] {
        let house = House::new();
        house.docker.set_health(WEB, health);
        let docker = house.docker.clone();
        house.docker.on_done(DockerVerb::Start, WEB, move || {
            docker.set_health(WEB, ContainerHealth::Unhealthy);
        });
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), 0, "{health:?}: {}", outcome.messages("paperless"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_crashed_again_and_again_before_may_do_so_afterwards() {
    let house = House::new();
    house.docker.remove(WEB);
    let crashing = svc_core::testing::FakeContainer::compose("paperless", "web");
    house.docker.add(crashing.depends_on("db").in_state(ContainerState::Restarting));
    house.docker.fault(DockerVerb::Start, WEB, When::Always, DockerFault::Exits(1));
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    let house = House::new();
    house.systemd.change("notes.service", |unit| unit.in_state(ActiveState::Activating));
    let systemd = house.systemd.clone();
    house.systemd.on_job("notes.service", JobVerb::Start, move || {
        systemd.change("notes.service", |unit| unit.in_state(ActiveState::Activating));
    });
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
}

#[tokio::test(start_paused = true)]
async fn what_was_paused_is_paused_again() {
    let house = House::new();
    svc_core::docker::Docker::pause(&house.docker, DB).await.unwrap();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(before.contains("paperless-db-1 paused"));
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_stops_between_plan_and_run_stays_off() {
    let house = House::new();
    let plan = house.plan(&backup(&["paperless"])).await;
    house.docker.exit(CACHE, 0);
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(house.docker.state(CACHE), Some(ContainerState::Exited));
    assert_eq!(house.docker.state(WEB), Some(ContainerState::Running));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_going_down_when_its_backup_begins_stays_off() {
    let house = House::new();
    let plan = house.plan(&backup(&["notes"])).await;
    house.systemd.change("notes.service", |unit| unit.in_state(ActiveState::Deactivating));
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
    assert_eq!(house.systemd.active("notes.service"), Some(ActiveState::Inactive));
}

#[tokio::test(start_paused = true)]
async fn what_comes_up_between_plan_and_run_is_refused_and_untouched() {
    let house = House::new();
    house.docker.exit(CACHE, 0);
    let plan = house.plan(&backup(&["paperless"])).await;
    house.docker.start_by_hand(CACHE);
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 20);
    assert!(house.tap.orders().is_empty(), "{:?}", house.tap.orders());
    assert!(house.saved("local").is_empty());
}

#[tokio::test(start_paused = true)]
async fn whether_it_runs_must_be_known_also_when_it_did_not_at_the_plan() {
    let house = House::new();
    let plan = house.plan(&backup(&["archive"])).await;
    house.tap.clear();
    house.tap.mishap("docker containers", 2, Mishap::Unreachable);
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 18);
    assert!(house.saved("local").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_made_anew_meanwhile_is_found_by_its_name() {
    let house = House::new();
    let before = house.running();
    let docker = house.docker.clone();
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            docker.recreate(DB);
            docker.exit(DB, 0);
        }
    });
    let first_id = house.docker.id(DB);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_ne!(house.docker.id(DB), first_id);
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stopped_while_the_machine_shuts_down() {
    let house = House::new();
    house.systemd.set_stopping(true);
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 143);
    assert!(house.tap.orders().is_empty(), "{:?}", house.tap.orders());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_a_backup_ends_it_without_retries() {
    for name in ["notes", "paperless"] {
        let house = House::new();
        let (systemd, docker) = (house.systemd.clone(), house.docker.clone());
        house.tap.watch(move |call| {
            if call.starts_with("restic backup") {
                systemd.set_stopping(true);
                docker.set_reachable(false);
            }
        });
        let outcome = house.run(&backup(&[name])).await;
        assert_eq!(outcome.code(), 143, "{}", outcome.messages(name));
        let orders = house.tap.orders();
        let starts =
            |of: &str| orders.iter().filter(|order| order.ends_with(of) && order.contains("start")).count();
        assert!(starts("notes.service") <= 1 && starts(DB) <= 1, "{orders:?}");
    }
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
    assert_eq!(record.not_good, [house.saved("local")[1].id.clone()]);
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
    let lost = &house.saved("local")[1].id;
    assert!(house.record("music").is_not_good(&repository("local"), lost));
    let plan = house.plan(&backup(&["music"])).await;
    let text = crate::show::plan(&house, &plan);
    assert!(text.contains(&format!("parent {}", house.saved("local")[0].id.short())), "{text}");
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
        svc_core::event::Body::PriorState { running, .. } => Some(running.clone()),
        _ => None,
    });
    assert_eq!(prior, Some(Vec::<Target>::new()));
}
