//! How things stand after runs that went well, went wrong, or were cut off.

use std::path::Path;

use svc_core::code::Code;
use svc_core::names::ServiceName;
use svc_core::plan::Target;
use svc_core::restic::fake::Fault;
use svc_core::restic::{ResticFailure, Verb};
use svc_core::standing::{ServiceStanding, Standing, standing};

use crate::house::{House, backup, repository, service, start, stop};
use crate::tap::Mishap;

async fn look(house: &House, names: &[&str], is_cached: bool) -> Standing {
    let names: Vec<ServiceName> = names.iter().map(|name| service(name)).collect();
    let outside = house.outside();
    let asked = (!is_cached).then_some(&outside);
    standing(&house.config, &house.scope, asked, &names, house.now()).await
}

/// `notes` is backed up to `local` alone.
fn house() -> House {
    let mut house = House::new();
    house.service("notes").backup.repositories = vec![repository("local")];
    house
}

async fn notes(house: &House, is_cached: bool) -> (Code, ServiceStanding) {
    let mut seen = look(house, &["notes"], is_cached).await;
    (seen.code, seen.services.remove(0))
}

/// Takes all that comes after an event out of a log, as if the run had been killed then.
fn cut_after(log: &Path, event: &str) {
    let text = std::fs::read_to_string(log).unwrap();
    let at = text.find(&format!(r#""event":"{event}""#)).unwrap();
    let end = at + text[at..].find('\n').unwrap() + 1;
    std::fs::write(log, &text[..end]).unwrap();
}

#[tokio::test]
async fn after_a_good_backup_nobody_is_needed() {
    let house = house();
    assert_eq!(notes(&house, true).await.0, Code::Unhealthy, "never backed up");
    house.run(&backup(&["notes"])).await;
    for is_cached in [false, true] {
        let (code, seen) = notes(&house, is_cached).await;
        assert_eq!(code, Code::Ok, "{seen:#?}");
        assert_eq!(seen.state.is_none(), is_cached);
        assert!(seen.backups[0].known.last_good.is_some());
    }
}

#[tokio::test]
async fn the_records_alone_are_read_when_nobody_is_to_be_asked() {
    let house = house();
    house.run(&backup(&["notes"])).await;
    house.tap.clear();
    notes(&house, true).await;
    assert_eq!(house.tap.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_backup_is_told_with_what_went_wrong() {
    let house = house();
    house.run(&backup(&["notes"])).await;
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Fails(ResticFailure::NoSpace));
    house.run(&backup(&["notes"])).await;
    let (code, seen) = notes(&house, false).await;
    assert_eq!(code, Code::Unhealthy);
    let failure = seen.backups[0].failure.as_ref().unwrap();
    assert_eq!(failure.code, Code::NoSpace);
    assert!(!seen.backups[0].known.overdue, "the good one is still there");
}

#[tokio::test]
async fn what_a_crashed_run_left_down_is_5_until_it_runs_again() {
    let house = house();
    house.run(&backup(&["notes"])).await;
    let crashed = house.run(&backup(&["notes"])).await;
    cut_after(&crashed.log, "stopped");
    house.systemd.change("notes.service", svc_core::testing::FakeUnit::inactive);

    for is_cached in [false, true] {
        let (code, seen) = notes(&house, is_cached).await;
        assert_eq!(code, Code::NotResumed);
        assert_eq!(seen.left[0].down, [Target::Unit("notes.service".parse().unwrap())]);
    }
    house.systemd.change("notes.service", svc_core::testing::FakeUnit::active);
    let (code, seen) = notes(&house, false).await;
    assert_eq!((code, seen.left[0].down.len()), (Code::Unhealthy, 0), "it crashed all the same");
    assert_eq!(house.run(&start(&["notes"])).await.code(), 7, "what is owed comes first");
    house.recover(&crashed.events[0].run, |_| false).await.unwrap();
    let (code, seen) = notes(&house, true).await;
    assert_eq!((code, seen.left), (Code::Ok, vec![]));
}

#[tokio::test]
async fn what_a_stop_stopped_is_not_left_down() {
    let house = house();
    house.run(&backup(&["notes"])).await;
    let crashed = house.run(&stop(&["notes"])).await;
    cut_after(&crashed.log, "stopped");
    assert_eq!(notes(&house, true).await.0, Code::Unhealthy);
}

#[tokio::test]
async fn a_run_that_could_not_bring_a_service_back_is_told_like_a_crash() {
    let house = house();
    house.tap.always("systemd start notes.service", Mishap::Refused);
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 5);
    let (code, seen) = notes(&house, false).await;
    assert_eq!((code, seen.left[0].crashed, seen.left[0].down.len()), (Code::NotResumed, false, 1));
}
