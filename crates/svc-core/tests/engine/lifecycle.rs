//! Start, stop and restart: in order, in parallel where that is allowed, and with a code that tells.

use std::time::Duration;

use svc_core::code::Code;
use svc_core::docker::ContainerHealth;
use svc_core::goal::Goal;
use svc_core::systemd::{ActiveState, JobVerb};
use svc_core::testing::{DockerFault, DockerVerb, FakeUnit, SystemdFault, When};
use tokio::time::Instant;

use crate::house::{CACHE, DB, House, Outcome, STACK, WEB, noon, restart, service, start, stop};
use crate::tap::Mishap;

/// A house in which paperless and x need notes, and everything is off.
async fn quiet_house() -> House {
    let mut house = House::new();
    house.service("paperless").after = vec![service("notes")];
    house.service("x").after = vec![service("notes")];
    assert_eq!(house.run(&stop(&["paperless", "notes", "x", "caddy"])).await.code(), 0);
    assert!(house.running().is_empty());
    house.tap.clear();
    house
}

fn place(house: &House, order: &str) -> usize {
    let orders = house.tap.orders();
    orders.iter().position(|other| other == order).unwrap_or_else(|| panic!("no {order} in {orders:?}"))
}

async fn code(house: &House, goal: &Goal) -> u8 {
    house.run(goal).await.code()
}

#[tokio::test(start_paused = true)]
async fn services_start_after_those_that_they_need() {
    let house = quiet_house().await;
    assert_eq!(code(&house, &start(&["paperless", "x", "notes"])).await, 0);
    let notes = place(&house, "systemd start notes.service");
    assert!(notes < place(&house, "systemd start docker-compose-paperless.service"));
    assert!(notes < place(&house, "systemd start docker-x.service"));
}

#[tokio::test(start_paused = true)]
async fn services_stop_before_those_that_they_need() {
    let house = quiet_house().await;
    house.run(&start(&["paperless", "x", "notes"])).await;
    house.tap.clear();
    assert_eq!(code(&house, &stop(&["notes", "paperless", "x"])).await, 0);
    let notes = place(&house, "systemd stop notes.service");
    assert!(notes > place(&house, "systemd stop docker-compose-paperless.service"));
    assert!(notes > place(&house, "systemd stop docker-x.service"));
}

#[tokio::test(start_paused = true)]
async fn the_order_holds_over_services_that_are_not_named() {
    let mut house = quiet_house().await;
    house.service("paperless").after = vec![service("caddy")];
    house.service("caddy").after = vec![service("notes")];
    assert_eq!(code(&house, &start(&["paperless", "notes"])).await, 0);
    let notes = place(&house, "systemd start notes.service");
    assert!(notes < place(&house, "systemd start docker-compose-paperless.service"));
}

#[tokio::test(start_paused = true)]
async fn services_that_do_not_need_each_other_start_at_once() {
    let house = quiet_house().await;
    let slow = || SystemdFault::Slow(Duration::from_mins(1));
    house.systemd.fault(JobVerb::Start, STACK, When::Always, slow());
    house.systemd.fault(JobVerb::Start, "docker-x.service", When::Always, slow());
    let began = Instant::now();
    let outcome = house.run(&start(&["paperless", "x", "notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn started_means_that_the_containers_behind_the_unit_work() {
    for (health, expected) in [(ContainerHealth::Unhealthy, 17), (ContainerHealth::Healthy, 0)] {
        let house = quiet_house().await;
        let docker = house.docker.clone();
        house.systemd.on_job(STACK, JobVerb::Start, move || docker.set_health(WEB, health));
        assert_eq!(code(&house, &start(&["paperless"])).await, expected, "{health:?}");
    }
    let house = quiet_house().await;
    let docker = house.docker.clone();
    house.systemd.on_job(STACK, JobVerb::Start, move || docker.exit(CACHE, 1));
    let outcome = house.run(&start(&["paperless"])).await;
    assert_eq!(outcome.code(), 17);
    assert!(outcome.messages("paperless").contains(CACHE), "{}", outcome.messages("paperless"));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_done_its_work_is_no_failure() {
    let house = quiet_house().await;
    let docker = house.docker.clone();
    house.systemd.on_job(STACK, JobVerb::Start, move || docker.exit(CACHE, 0));
    assert_eq!(code(&house, &start(&["paperless"])).await, 0);
}

#[tokio::test(start_paused = true)]
async fn containers_of_an_active_unit_are_started_through_docker() {
    let house = House::new();
    house.docker.exit(WEB, 1);
    house.docker.exit(DB, 1);
    assert_eq!(code(&house, &start(&["paperless"])).await, 0);
    assert_eq!(house.tap.orders(), ["docker start paperless-db-1", "docker start paperless-web-1"]);
    assert_eq!(house.running(), House::new().running());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_start_is_17_and_the_others_start() {
    let house = quiet_house().await;
    house.systemd.fault(JobVerb::Start, "notes.service", When::Always, SystemdFault::Job("failed"));
    let outcome = house.run(&start(&["notes", "caddy", "paperless"])).await;
    assert_eq!(outcome.code(), 17);
    assert_eq!((outcome.code_of("caddy"), outcome.code_of("paperless")), (0, 0));
    house.systemd.change("notes.service", |unit| unit.masked().inactive());
    assert_eq!(code(&house, &start(&["notes"])).await, 17);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_is_17_and_is_left_alone() {
    let house = House::new();
    house.systemd.fault(JobVerb::Stop, "notes.service", When::Always, SystemdFault::Hang);
    let outcome = house.run(&stop(&["notes", "caddy"])).await;
    assert_eq!((outcome.code_of("notes"), outcome.code_of("caddy")), (17, 0));
    assert_eq!(house.systemd.active("docker-compose-caddy.service"), Some(ActiveState::Inactive));
    assert!(!house.tap.orders().iter().any(|order| order.contains("start")));
}

#[tokio::test(start_paused = true)]
async fn without_systemd_or_docker_it_is_18() {
    let house = quiet_house().await;
    house.docker.set_reachable(false);
    house.systemd.set_reachable(false);
    assert_eq!(code(&house, &start(&["paperless"])).await, 18);
    assert_eq!(code(&house, &stop(&["paperless"])).await, 18);
    assert_eq!(code(&house, &restart(&["paperless"], false)).await, 18);
    assert!(house.tap.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_while_the_machine_shuts_down() {
    let house = quiet_house().await;
    house.systemd.set_stopping(true);
    assert_eq!(code(&house, &start(&["notes"])).await, 143);
}

#[tokio::test(start_paused = true)]
async fn data_alone_is_skipped_and_so_is_what_is_as_it_should_be() {
    let house = House::new();
    for goal in [start(&["music", "notes"]), stop(&["music", "archive"]), restart(&["music"], false)] {
        let outcome = house.run(&goal).await;
        assert_eq!(outcome.code(), 0);
        assert!(outcome.report.services.iter().all(|report| report.skipped.is_some()));
    }
    assert!(house.tap.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn stopping_reaches_containers_that_somebody_started_by_hand() {
    let house = House::new();
    house.systemd.change(STACK, FakeUnit::inactive);
    assert_eq!(code(&house, &stop(&["paperless"])).await, 0);
    let orders = house.tap.orders();
    assert_eq!(orders[0], "docker stop paperless-web-1");
    assert_eq!(orders.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_containers_and_one_that_recreates_makes_them_anew() {
    let house = House::new();
    let (before, id) = (house.running(), house.docker.id(DB));
    assert_eq!(code(&house, &restart(&["paperless"], false)).await, 0);
    assert_eq!((house.running(), house.docker.id(DB)), (before.clone(), id.clone()));
    assert_eq!(code(&house, &restart(&["paperless"], true)).await, 0);
    assert_eq!(house.running(), before);
    assert_ne!(house.docker.id(DB), id);
}

#[tokio::test(start_paused = true)]
async fn containers_that_no_unit_can_make_anew_are_left_alone_and_that_is_said() {
    let house = House::new();
    house.systemd.remove(STACK);
    let id = house.docker.id(DB);
    assert_eq!(code(&house, &restart(&["paperless"], true)).await, 20);
    assert_eq!((house.docker.id(DB), house.tap.orders()), (id, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_does_not_come_up_is_5_and_all_else_runs() {
    let house = House::new();
    let mut rest = house.running();
    rest.remove(DB);
    house.docker.fault(DockerVerb::Start, DB, When::Always, DockerFault::Hang);
    assert_eq!(code(&house, &restart(&["paperless"], false)).await, 5);
    assert_eq!(house.running(), rest);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_cannot_stop_a_part_leaves_all_running() {
    let house = House::new();
    let before = house.running();
    house.tap.always("docker stop paperless-cache-1", Mishap::Refused);
    assert_eq!(code(&house, &restart(&["paperless"], false)).await, 17);
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_restart_cancelled_half_way_comes_up_again() {
    let house = House::new();
    let before = house.running();
    let cancel = house.cancel();
    house.tap.watch(move |call| {
        if call == "docker stop paperless-web-1" {
            cancel.request(Code::Hangup);
        }
    });
    let outcome: Outcome = house.run(&restart(&["paperless"], false)).await;
    assert_eq!(outcome.code(), 129);
    assert_eq!(house.running(), before);
    assert!(!house.tap.orders().contains(&"docker stop paperless-db-1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn that_nothing_is_to_be_done_is_said_only_while_nobody_else_is_at_work() {
    let house = House::new();
    let goals = [stop(&["archive"]), start(&["notes"]), start(&["music"])];
    let other = |name: &str| {
        let (locks, run) = (house.scope.locks_dir(), "other".parse().unwrap());
        svc_core::lock::ServiceLock::take(&locks, &service(name), &run, "backup", noon()).unwrap()
    };
    let held = [other("archive"), other("notes"), other("music")];
    for goal in &goals {
        assert!(!house.plan(goal).await.has_steps());
        assert_eq!(house.run(goal).await.code(), 7);
    }
    drop(held);
    for goal in &goals {
        assert_eq!(house.run(goal).await.code(), 0);
    }
}
