//! Units that are only clients of a container engine: what they run there holds still with them.

use svc_core::config::{Quiesce, StopVia};
use svc_core::docker::ContainerState;
use svc_core::systemd::Client;
use svc_core::testing::{FakeContainer, FakeUnit, unit_name};

use crate::house::{CACHE, DB, House, STACK, WEB, backup};
use crate::tap::Order;

fn reasons(plan: &svc_core::plan::Plan) -> String {
    let steps = plan.services.iter().flat_map(|service| &service.steps);
    steps.map(|step| step.reason.clone()).collect::<Vec<_>>().join("\n")
}

/// A house in which notes is this unit, and paused while it is saved.
fn notes_as(unit: FakeUnit) -> House {
    let mut house = House::new();
    house.service("notes").units = vec![unit.unit().name];
    house.service("notes").backup.quiesce = Quiesce::Pause;
    house.systemd.add(unit);
    house
}

fn client(name: Option<&str>) -> Client {
    Client::Container(name.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn a_container_of_another_name_than_its_service_is_paused_with_the_unit_that_keeps_it() {
    let by_rule = FakeUnit::new("docker-writer.service").active();
    let by_command = FakeUnit::new("some.service").client(client(Some("writer"))).active();
    let by_label = FakeUnit::new("quadlet.service").client(client(None)).active();
    for unit in [by_rule, by_command, by_label] {
        let name = unit.unit().name;
        let house = notes_as(unit);
        house.docker.add(FakeContainer::new("writer").kept_by("quadlet.service").running());
        let docker = house.docker.clone();
        house.tap.watch(move |call| {
            if call.starts_with("restic backup") {
                assert_eq!(docker.state("writer"), Some(ContainerState::Paused), "it writes on");
            }
        });
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 0, "{name}: {}", outcome.messages("notes"));
        assert_eq!(house.docker.state("writer"), Some(ContainerState::Running), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_a_container_that_cannot_be_found_is_not_paused() {
    let by_rule = FakeUnit::new("docker-writer.service").active();
    let by_command = FakeUnit::new("some.service").client(client(None)).active();
    let compose = FakeUnit::new("some.service").client(Client::Compose).active();
    for unit in [by_rule, by_command, compose] {
        let house = notes_as(unit);
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 20, "{}", outcome.messages("notes"));
        assert!(outcome.messages("notes").contains("cannot be paused"), "{}", outcome.messages("notes"));
        assert_eq!(house.saved("local").len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn containers_beside_a_unit_that_does_not_keep_them_are_stopped_too() {
    let mut house = House::new();
    house.service("paperless").units = vec![unit_name("notes.service")];
    let before = house.running();
    let (docker, systemd) = (house.docker.clone(), house.systemd.clone());
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            for name in [DB, CACHE, WEB] {
                assert_eq!(docker.state(name), Some(ContainerState::Exited), "{name}");
            }
            assert_eq!(systemd.active("notes.service"), Some(svc_core::systemd::ActiveState::Inactive));
        }
    });
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(house.running(), before);
}

fn via_unit() -> House {
    let mut house = House::new();
    house.service("paperless").backup.stop_via = StopVia::Unit;
    house
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_stopped_and_started_by_its_unit_where_somebody_wants_it() {
    let house = via_unit();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(reasons(&outcome.plan).contains("through its unit, as `backup.stopVia` says"));
    let orders = house.tap.orders();
    let of_stack: Vec<&String> =
        orders.iter().filter(|order| order.starts_with("docker ") || order.starts_with("systemd ")).collect();
    assert_eq!(of_stack, [&format!("systemd stop {STACK}"), &format!("systemd start {STACK}")]);
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_which_something_is_off_is_not_started_by_its_unit() {
    let house = via_unit();
    house.docker.exit(CACHE, 0);
    let before = house.running();
    assert!(!before.contains(CACHE));
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(reasons(&outcome.plan).contains("not through its unit"), "{}", reasons(&outcome.plan));
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_its_unit_took_down_comes_up_when_the_run_dies() {
    for nth in 1.. {
        let house = via_unit();
        let before = house.running();
        let plan = house.plan(&backup(&["paperless"])).await;
        house.tap.die_at(nth, Order::Done);
        let Some(run) = house.run_and_die(plan, |_| false).await else { break };
        assert!(house.recover(&run, |_| false).await.is_some(), "after order {nth}");
        assert_eq!(house.running(), before, "after order {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_frozen_before_is_frozen_again_and_never_let_go() {
    for quiesce in [Quiesce::Pause, Quiesce::Stop] {
        let mut house = House::new();
        house.service("notes").backup.quiesce = quiesce;
        house.systemd.add(FakeUnit::new("notes.service").active().frozen());
        let systemd = house.systemd.clone();
        house.tap.watch(move |call| {
            if call.starts_with("restic backup") {
                let is_off = systemd.active("notes.service") != Some(svc_core::systemd::ActiveState::Active);
                assert_eq!(is_off, quiesce == Quiesce::Stop);
            }
        });
        let before = house.running();
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 0, "{quiesce:?}: {}", outcome.messages("notes"));
        assert_eq!(house.running(), before, "{quiesce:?}");
        assert_eq!(house.systemd.frozen("notes.service"), Some(true), "{quiesce:?}");
        let thaws = house.tap.calls().iter().filter(|call| call.starts_with("systemd thaw")).count();
        assert_eq!(thaws > 0, quiesce == Quiesce::Stop, "{quiesce:?}");
    }
}
