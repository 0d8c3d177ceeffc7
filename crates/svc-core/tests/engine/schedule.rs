//! Several services in one run: how many at once, which never together, and what one's failure means to the others.

use std::collections::BTreeSet;

use svc_core::code::Code;
use svc_core::event::{Body, Event};
use svc_core::failure::Failure;
use svc_core::lock::ServiceLock;
use svc_core::plan::Step;
use svc_core::restic::Verb;
use svc_core::restic::fake::Fault;
use tokio_util::sync::CancellationToken;

use crate::house::{House, backup, backup_to, noon, repository, service};
use crate::tap::Mishap;

const ALL: [&str; 6] = ["paperless", "notes", "x", "music", "archive", "caddy"];

/// The sets of services that were worked on at the same time.
fn together(events: &[Event]) -> Vec<BTreeSet<String>> {
    let mut running = BTreeSet::new();
    let mut sets = Vec::new();
    for event in events {
        match &event.body {
            Body::ServiceStarted { service } => running.insert(service.to_string()),
            Body::ServiceFinished { report } => running.remove(report.service.as_str()),
            _ => continue,
        };
        sets.push(running.clone());
    }
    sets
}

#[tokio::test(start_paused = true)]
async fn as_many_services_as_the_plan_says_are_worked_on_at_once() {
    for jobs in [1, 2, 3] {
        let house = House::new();
        let mut plan = house.plan(&backup(&ALL)).await;
        plan.jobs = jobs;
        let outcome = house.run_plan(plan).await;
        assert_eq!(outcome.code(), 0);
        assert_eq!(together(&outcome.events).iter().map(BTreeSet::len).max(), Some(jobs));
    }
}

#[tokio::test(start_paused = true)]
async fn services_that_need_each_other_are_never_down_together() {
    let mut house = House::new();
    // Over one that is not even part of the run.
    house.service("paperless").after = vec![service("caddy")];
    house.service("caddy").after = vec![service("notes")];
    let outcome = house.run(&backup(&["paperless", "notes", "x", "music"])).await;
    assert_eq!(outcome.code(), 0);
    let both = |set: &BTreeSet<String>| set.contains("paperless") && set.contains("notes");
    assert!(!together(&outcome.events).iter().any(both));
    assert!(together(&outcome.events).iter().any(|set| set.len() == 2));
}

#[tokio::test(start_paused = true)]
async fn one_failure_of_each_kind_does_not_stop_the_rest() {
    for (call, mishap, code) in [
        ("docker stop paperless-db-1", Mishap::Late, 17),
        ("docker start paperless-db-1", Mishap::Refused, 5),
        ("restic backup local svc:paperless", Mishap::Panics, 1),
    ] {
        let house = House::new();
        house.tap.always(call, mishap);
        let outcome = house.run(&backup(&ALL)).await;
        assert_eq!(outcome.code(), code, "{call}");
        assert_eq!(outcome.code_of("paperless"), code, "{call}");
        assert!(ALL[1..].iter().all(|name| outcome.code_of(name) == 0), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_path_is_one_services_failure_and_the_runs_code() {
    let house = House::new();
    house.remove("srv/music");
    let outcome = house.run(&backup(&ALL)).await;
    assert_eq!(outcome.code(), 4);
    assert!(outcome.messages("music").contains("srv/music"), "{}", outcome.messages("music"));
    assert_eq!(house.saved("local").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn without_docker_the_rest_is_named_and_the_run_ends_with_18() {
    let house = House::new();
    house.docker.set_reachable(false);
    let outcome = house.run(&backup(&ALL)).await;
    assert_eq!(outcome.code(), 18);
    let codes: Vec<u8> = ALL.iter().map(|name| outcome.code_of(name)).collect();
    // The second is a unit of its own, the fourth has only paths: neither has anything to do with Docker.
    assert_eq!(codes, [18, 0, 18, 0, 18, 18]);
    assert_eq!(house.saved("local").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_worst_code_of_all_services_is_the_runs_code() {
    let house = House::new();
    house.remove("srv/music");
    house.tap.always("docker stop paperless-db-1", Mishap::Refused);
    house.tap.always("systemd start notes.service", Mishap::Refused);
    let outcome = house.run(&backup(&ALL)).await;
    let codes = [outcome.code_of("music"), outcome.code_of("paperless"), outcome.code_of("notes")];
    assert_eq!(codes, [4, 17, 5]);
    assert_eq!(outcome.code(), 5);
}

#[tokio::test(start_paused = true)]
async fn reports_come_in_the_order_of_the_plan() {
    let house = House::new();
    let outcome = house.run(&backup(&ALL)).await;
    let names: Vec<&str> = outcome.report.services.iter().map(|report| report.service.as_str()).collect();
    assert_eq!(names, ALL);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_leaves_what_has_not_begun_untouched_and_reports_it() {
    let house = House::new();
    let before = house.running();
    let cancel = house.cancel();
    house.tap.watch(move |call| {
        if call.starts_with("restic backup local svc:paperless") {
            cancel.request(Code::Interrupted);
        }
    });
    let mut plan = house.plan(&backup(&ALL)).await;
    plan.jobs = 1;
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 130);
    assert_eq!(house.running(), before);
    for name in &ALL[1..] {
        assert_eq!(outcome.code_of(name), 130, "{name}");
        assert!(outcome.messages(name).contains("before it began"), "{name}");
        assert!(house.record(name).backups.is_empty(), "{name}");
    }
    let orders = house.tap.orders();
    assert!(orders.iter().all(|order| order.contains("paperless")), "{orders:?}");
    assert!(
        outcome
            .events
            .iter()
            .any(|event| matches!(&event.body, Body::CancelRequested { by } if by == "SIGINT"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_disk_takes_is_not_counted_against_a_deadline() {
    let mut house = House::new();
    house.service("music").backup.repositories = vec![repository("remote")];
    house.service("notes").backup.repositories = vec![repository("local")];
    let goes_on = CancellationToken::new();
    house.restic.fault(Verb::Backup, &repository("remote"), 1, Fault::WaitsFor(goes_on.clone()));
    // By then much has been written to the log while music's backup waited.
    house.tap.watch(move |call| {
        if call == "systemd start notes.service" {
            goes_on.cancel();
        }
    });
    let outcome = house.run(&backup_to(&["local", "remote"], &["notes", "music"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("music"));
}

#[tokio::test(start_paused = true)]
async fn fault_42_who_comes_second_is_told_who_holds_the_service_and_what_that_does_and_nothing_else() {
    let house = House::new();
    let goal = backup(&["notes"]);
    let (first, mut second) = (house.plan(&goal).await, house.plan(&goal).await);
    // What it saw while the other one was at work.
    second.services[0].refused.push(Failure::new(Code::ManagerUnreachable, "no answer"));
    let is_stopping =
        |event: &Event| matches!(&event.body, Body::StepStarted { step: Step::Stop { .. }, .. });
    let holder = house.run_and_die(first, is_stopping).await.unwrap();
    let locks = house.scope.locks_dir();
    let _held = ServiceLock::take(&locks, &service("notes"), &holder, "backup", noon()).unwrap();
    let outcome = house.run_plan(second).await;
    let said = outcome.messages("notes");
    assert_eq!((outcome.code(), outcome.of("notes").failures.len()), (7, 1), "{said}");
    assert!(said.starts_with("held by another run: backup (run 20261120T120001-1, process "), "{said}");
    assert!(said.trim_end().ends_with("; stopping since 2026-11-20 12:00:00 UTC"), "{said}");
    let hint = outcome.of("notes").failures[0].hint.as_deref();
    assert_eq!(hint, Some("svc attach 20261120T120001-1"), "it may not be the youngest run");
}
