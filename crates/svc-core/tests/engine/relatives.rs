//! Sockets and timers that start a service by themselves, and targets that hold services together.

use svc_core::systemd::ActiveState;
use svc_core::testing::{FakeUnit, unit_name};

use crate::house::{House, backup, restart, start, stop};

const NOTES: &str = "notes.service";
const SOCKET: &str = "notes.socket";
const TIMER: &str = "notes.timer";

/// A house in which notes is started by this trigger.
fn triggered(trigger: FakeUnit, notes: FakeUnit) -> House {
    let house = House::new();
    let name = trigger.unit().name;
    house.systemd.add(trigger);
    house.systemd.add(notes.triggered_by(name.as_str()));
    house
}

/// A house in which notes is a target of two services, and one that is not enabled.
fn under_a_target() -> House {
    let mut house = House::new();
    let root = FakeUnit::new("notes.target").consists_of("notes-db.service").consists_of(NOTES);
    house.systemd.add(root.wants("notes-db.service").wants(NOTES).consists_of("notes-old.service").active());
    house.systemd.add(FakeUnit::new("notes-db.service").active());
    house.systemd.add(FakeUnit::new("notes-old.service").masked());
    house.service("notes").units = vec![unit_name("notes.target")];
    house
}

fn is_up(house: &House, unit: &str) -> bool {
    house.systemd.active(unit) == Some(ActiveState::Active)
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_closed_first_and_opened_before_its_service_is_started() {
    let house = triggered(FakeUnit::new(SOCKET).active(), FakeUnit::new(NOTES).active());
    let systemd = house.systemd.clone();
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            assert!(!systemd.trigger(NOTES), "a client woke it while it was saved");
        }
    });
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    let orders = house.tap.orders();
    let units: Vec<&str> = orders.iter().filter_map(|order| order.strip_prefix("systemd ")).collect();
    assert_eq!(
        units,
        ["stop notes.socket", "stop notes.service", "start notes.socket", "start notes.service"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_service_that_is_woken_at_the_last_moment_is_put_to_sleep_and_left_so() {
    for trigger in [SOCKET, TIMER] {
        let house = triggered(FakeUnit::new(trigger).active(), FakeUnit::new(NOTES));
        let systemd = house.systemd.clone();
        house.tap.watch(move |call| {
            if call == format!("systemd stop {trigger}") {
                assert!(systemd.trigger(NOTES));
            }
            assert!(
                !call.starts_with("restic backup") || systemd.active(NOTES) == Some(ActiveState::Inactive)
            );
        });
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
        assert!(is_up(&house, trigger) && !is_up(&house, NOTES), "{trigger}");
        assert!(outcome.report.services[0].downtime_ms.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_woken_after_the_plan_was_made_runs_again() {
    let house = triggered(FakeUnit::new(SOCKET).active(), FakeUnit::new(NOTES));
    let plan = house.plan(&backup(&["notes"])).await;
    assert!(house.systemd.trigger(NOTES));
    assert_eq!(house.run_plan(plan).await.code(), 0);
    assert!(is_up(&house, SOCKET) && is_up(&house, NOTES));
}

#[tokio::test(start_paused = true)]
async fn stopping_disarms_what_would_start_it_and_starting_arms_it_again() {
    let house = triggered(FakeUnit::new(TIMER).active(), FakeUnit::oneshot(NOTES));
    assert_eq!(house.run(&stop(&["notes"])).await.code(), 0);
    assert!(!is_up(&house, TIMER));
    house.tap.clear();
    assert_eq!(house.run(&start(&["notes"])).await.code(), 0);
    assert_eq!(house.tap.orders(), ["systemd start notes.timer"]);
    // With its timer armed it is started for once, and that it ends is no failure.
    assert_eq!(house.run(&start(&["notes"])).await.code(), 0);
    assert_eq!(house.tap.orders()[1..], ["systemd start notes.service"]);
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_opened_with_its_service_and_not_beside_one_that_runs() {
    let house = triggered(FakeUnit::new(SOCKET), FakeUnit::new(NOTES));
    assert_eq!(house.run(&start(&["notes"])).await.code(), 0);
    assert_eq!(house.tap.orders(), ["systemd start notes.socket", "systemd start notes.service"]);
    house.systemd.change(SOCKET, FakeUnit::inactive);
    let outcome = house.run(&start(&["notes"])).await;
    assert!(outcome.report.services[0].skipped.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_services_of_a_target_are_stopped_one_by_one_and_the_target_is_left_alone() {
    let house = under_a_target();
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    let orders = house.tap.orders();
    let units: Vec<&str> = orders.iter().filter_map(|order| order.strip_prefix("systemd ")).collect();
    let expected =
        ["stop notes.service", "stop notes-db.service", "start notes-db.service", "start notes.service"];
    assert_eq!(units, expected);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_was_off_stays_off() {
    let house = under_a_target();
    house.systemd.change("notes-db.service", FakeUnit::inactive);
    for goal in [backup(&["notes"]), restart(&["notes"], true)] {
        house.systemd.change("notes-db.service", FakeUnit::inactive);
        house.run(&goal).await;
        assert!(!house.tap.orders().iter().any(|order| order.contains("start notes-old")));
    }
    house.systemd.change("notes-db.service", FakeUnit::inactive);
    house.run(&backup(&["notes"])).await;
    assert!(!is_up(&house, "notes-db.service") && is_up(&house, NOTES));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_stopped_with_its_services_and_started_before_them() {
    let house = under_a_target();
    assert_eq!(house.run(&stop(&["notes"])).await.code(), 0);
    assert!(["notes.target", "notes-db.service", NOTES].iter().all(|unit| !is_up(&house, unit)));
    house.tap.clear();
    assert_eq!(house.run(&start(&["notes"])).await.code(), 0);
    assert_eq!(house.tap.orders()[0], "systemd start notes.target");
    assert!(["notes.target", "notes-db.service", NOTES].iter().all(|unit| is_up(&house, unit)));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_restarted_as_a_whole_and_its_services_are_waited_for() {
    let house = under_a_target();
    assert_eq!(house.run(&restart(&["notes"], false)).await.code(), 0);
    let expected = ["restart notes.target", "start notes-db.service", "start notes.service"];
    assert_eq!(house.tap.orders(), expected.map(|order| format!("systemd {order}")));
    assert!(["notes.target", "notes-db.service", NOTES].iter().all(|unit| is_up(&house, unit)));
}
