//! Runs that the machine goes down under, and what the next boot owes for them.

use std::collections::BTreeSet;

use svc_core::code::Code;
use svc_core::standing::{is_unfinished, standing, unfinished};

use crate::house::{House, Outcome, backup, never, service, stop};

/// A backup while the machine goes down as soon as restic reads, up to when the machine is up again.
async fn through_a_shutdown(house: &House, names: &[&str]) -> Outcome {
    let (systemd, docker) = (house.systemd.clone(), house.docker.clone());
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            systemd.set_stopping(true);
            docker.set_reachable(false);
        }
    });
    let outcome = house.run(&backup(names)).await;
    house.tap.watch(|_| ());
    house.systemd.set_stopping(false);
    house.docker.set_reachable(true);
    house.tap.clear();
    outcome
}

async fn code_of_standing(house: &House, name: &str) -> Code {
    let outside = house.outside();
    standing(&house.config, &house.scope, Some(&outside), &[service(name)], house.now()).await.code
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_left_off_is_owed_and_exactly_that_is_started_by_the_recovery() {
    for name in ["notes", "paperless"] {
        let house = House::new();
        let before = house.running();
        let outcome = through_a_shutdown(&house, &[name]).await;
        assert_eq!(outcome.code(), 143, "{}", outcome.messages(name));
        let down: BTreeSet<String> = before.difference(&house.running()).cloned().collect();
        let owed: BTreeSet<String> = outcome.of(name).down.iter().map(ToString::to_string).collect();
        assert!(!down.is_empty() && owed == down, "{owed:?} of {down:?}");
        let (run, runs) = (outcome.events[0].run.clone(), house.scope.runs_dir());
        assert!(is_unfinished(&runs, &run));
        assert_eq!(unfinished(&runs, false).unwrap(), std::slice::from_ref(&run));
        assert_eq!(code_of_standing(&house, name).await, Code::NotResumed);
        let report = house.recover(&run, never).await.unwrap();
        let started: BTreeSet<String> = house
            .tap
            .orders()
            .iter()
            .filter_map(|order| order.split(" start ").nth(1))
            .map(str::to_owned)
            .collect();
        assert_eq!((started, house.running()), (down, before));
        assert_eq!((report.code, report.owes()), (Code::Terminated, false), "the backup was not made");
        assert_eq!(unfinished(&runs, true).unwrap(), []);
        assert_eq!(code_of_standing(&house, name).await, Code::Unhealthy);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_the_machine_goes_down_under_is_done_again() {
    let house = House::new();
    let before = house.running();
    let outcome = through_a_shutdown(&house, &["notes"]).await;
    let (run, runs) = (outcome.events[0].run.clone(), house.scope.runs_dir());
    house.systemd.set_stopping(true);
    assert_eq!(house.recover(&run, never).await.unwrap().code, Code::Terminated);
    house.systemd.set_stopping(false);
    assert_eq!(unfinished(&runs, false).unwrap(), std::slice::from_ref(&run));
    house.recover(&run, never).await.unwrap();
    assert_eq!((house.running(), unfinished(&runs, true).unwrap()), (before, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_is_asked_to_end_pays_back_all_the_same() {
    let house = House::new();
    let before = house.running();
    let outcome = through_a_shutdown(&house, &["notes"]).await;
    assert_ne!(house.running(), before);
    house.cancel().request(Code::Terminated);
    house.recover(&outcome.events[0].run, never).await.unwrap();
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_brought_all_back_or_was_to_stop_owes_nothing() {
    let house = House::new();
    let (before, cancel) = (house.running(), house.cancel());
    house.tap.watch(move |call| {
        // While something is still to be done: else it is the run that was cancelled, and not what it did.
        if call.starts_with("docker stop") {
            cancel.request(Code::Terminated);
        }
    });
    let terminated = house.run(&backup(&["paperless"])).await;
    assert_eq!((terminated.code(), terminated.code_of("paperless")), (143, 143));
    assert_eq!(house.running(), before);
    let stopped = house.run(&stop(&["paperless", "notes"])).await;
    assert_eq!(stopped.code(), 0);
    for outcome in [terminated, stopped] {
        assert!(!outcome.report.owes() && outcome.report.services.iter().all(|one| one.down.is_empty()));
        assert!(!is_unfinished(&house.scope.runs_dir(), &outcome.events[0].run));
    }
    assert_eq!(unfinished(&house.scope.runs_dir(), true).unwrap(), []);
}
