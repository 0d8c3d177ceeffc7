//! What a backup stops runs again, exactly that, and it has to work as it did before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use svc_core::docker::{ContainerHealth, ContainerState};
use svc_core::plan::Step;
use svc_core::systemd::{ActiveState, JobVerb};
use svc_core::testing::{DockerFault, DockerVerb, SystemdFault, When};

use crate::house::{CACHE, DB, House, WEB, backup};
use crate::tap::Mishap;

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
    let calls = house.tap.calls();
    let starts = calls.iter().filter(|call| {
        ["systemd start notes.service", "systemd reset notes.service"].contains(&call.as_str())
    });
    let words: Vec<&str> = starts.filter_map(|call| call.split(' ').nth(1)).collect();
    // systemd does not start what was started too often, unless it is told to forget that.
    assert_eq!(words, ["start", "reset", "start", "reset", "start"]);
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
    // It runs at once: it is stopped and saved once more.
    let is_first = AtomicBool::new(true);
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") && is_first.swap(false, Ordering::Relaxed) {
            docker.recreate(DB);
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
async fn a_shutdown_right_after_the_start_is_not_held_up_by_a_look_at_health() {
    for is_reachable in [false, true] {
        let house = House::new();
        let (systemd, docker) = (house.systemd.clone(), house.docker.clone());
        house.docker.on_done(DockerVerb::Start, WEB, move || {
            systemd.set_stopping(true);
            docker.exit(WEB, 0);
            docker.set_reachable(is_reachable);
        });
        let began = tokio::time::Instant::now();
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), 143, "{}", outcome.messages("paperless"));
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
        assert!(!outcome.report.owes(), "Docker itself starts what ran: {:?}", outcome.report);
    }
}

#[tokio::test(start_paused = true)]
async fn what_stopped_by_itself_before_the_run_is_no_downtime_of_it() {
    let house = House::new();
    let plan = house.plan(&backup(&["notes"])).await;
    house.systemd.change("notes.service", svc_core::testing::FakeUnit::inactive);
    let outcome = house.run_plan(plan).await;
    assert_eq!((outcome.code(), outcome.of("notes").downtime_ms), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_one_start_keeps_no_other_from_its_own() {
    let house = House::new();
    let mut rest = house.running();
    rest.remove(DB);
    house.tap.always("docker start paperless-db-1", crate::tap::Mishap::Panics);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5);
    assert_eq!(house.running(), rest);
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_second_after_its_start_does_not_work() {
    let house = House::new();
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, CACHE, move || {
        let docker = docker.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            docker.exit(CACHE, 1);
        });
    });
    // Nothing else takes as long.
    healthy_at_once(&house);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5);
    assert!(outcome.messages("paperless").contains(CACHE), "{}", outcome.messages("paperless"));
}

#[tokio::test(start_paused = true)]
async fn what_is_restarted_again_and_again_does_not_work() {
    let house = House::new();
    let docker = house.docker.clone();
    house.docker.on_done(DockerVerb::Start, CACHE, move || {
        let docker = docker.clone();
        tokio::spawn(async move {
            for _ in 0..300 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                docker.recreate(CACHE);
            }
        });
    });
    healthy_at_once(&house);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5);
    assert!(outcome.messages("paperless").contains("two seconds"), "{}", outcome.messages("paperless"));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_forgets_to_resume_is_found_out() {
    let house = House::new();
    let mut plan = house.plan(&backup(&["notes"])).await;
    for planned in &mut plan.services[0].steps {
        if matches!(planned.step, Step::Resume { .. }) {
            planned.when = svc_core::plan::When::OnFailure;
        }
    }
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 5);
    assert!(outcome.messages("notes").contains("not started again"), "{}", outcome.messages("notes"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_one_pause_keeps_no_other_from_its_start() {
    let house = House::new();
    svc_core::docker::Docker::pause(&house.docker, DB).await.unwrap();
    let mut rest = house.running();
    rest.remove("paperless-db-1 paused");
    rest.insert(DB.to_owned());
    house.tap.always("docker pause paperless-db-1", crate::tap::Mishap::Panics);
    let slow = DockerFault::Slow(Duration::from_secs(5));
    house.docker.fault(DockerVerb::Start, CACHE, When::Always, slow);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5);
    assert_eq!(house.running(), rest);
}

fn healthy_at_once(house: &House) {
    for name in [DB, WEB] {
        let docker = house.docker.clone();
        house
            .docker
            .on_done(DockerVerb::Start, name, move || docker.set_health(name, ContainerHealth::Healthy));
    }
}
