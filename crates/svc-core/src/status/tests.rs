//! One table: what is seen, and the word for it.

use super::*;
use crate::docker::{ContainerHealth, ContainerState};
use crate::systemd::ActiveState;
use crate::testing::{FakeContainer, FakeUnit};

/// The word for these units and containers, Docker answering.
fn word(units: &[FakeUnit], containers: &[FakeContainer]) -> String {
    seen(units, containers, Ok(()), true)
}

fn seen(
    units: &[FakeUnit],
    containers: &[FakeContainer],
    docker: Result<(), &str>,
    may_have_containers: bool,
) -> String {
    let units: Vec<_> = units.iter().map(|unit| (unit.unit(), Some(unit.details()))).collect();
    let containers: Vec<_> = containers.iter().map(FakeContainer::container).collect();
    let word = state(&units, &containers, docker, may_have_containers);
    if let StateWord::Unknown { why } = &word { format!("{word}: {why}") } else { word.to_string() }
}

fn compose() -> FakeUnit {
    FakeUnit::compose("docker-compose-a.service")
}

fn native() -> FakeUnit {
    FakeUnit::new("a.service")
}

fn container(service: &str) -> FakeContainer {
    FakeContainer::compose("a", service)
}

fn web() -> FakeContainer {
    container("web").running()
}

fn db() -> FakeContainer {
    container("db").running()
}

#[test]
fn containers_decide_behind_a_compose_unit() {
    let up = compose().active();
    let table: &[(&[FakeContainer], &str)] = &[
        (&[web(), db()], "running"),
        (&[web(), container("db").exited(0)], "partial (1/2)"),
        (&[web(), container("db").exited(1)], "partial (1/2)"),
        (&[web(), container("db")], "partial (1/2)"),
        (&[container("web").exited(0), container("db").exited(137)], "stopped"),
        (&[container("web").exited(143)], "stopped"),
        (&[container("web").exited(0), container("db").exited(1)], "failed"),
        (&[container("web").in_state(ContainerState::Dead)], "failed"),
        (&[container("web")], "stopped"),
        (&[], "stopped"),
    ];
    for (containers, expected) in table {
        assert_eq!(word(std::slice::from_ref(&up), containers), *expected, "{containers:?}");
    }
}

#[test]
fn a_unit_that_is_off_tells_why_and_running_containers_are_there_by_hand() {
    let off = compose().inactive();
    let table: &[(FakeUnit, &[FakeContainer], &str)] = &[
        (off.clone(), &[], "stopped"),
        (off.clone(), &[web(), db()], "by hand"),
        (off.clone(), &[web(), container("db").exited(0)], "by hand"),
        (off.clone().masked(), &[], "masked"),
        (off.clone().masked(), &[container("web").exited(1)], "masked"),
        (off.clone().masked(), &[web()], "by hand"),
        (off.clone().failed("exit-code"), &[], "failed"),
        (off.clone().failed("exit-code"), &[web()], "by hand"),
        (off.clone().broken(), &[], "failed"),
        (off.in_state(ActiveState::Activating), &[web(), container("db")], "starting"),
    ];
    for (unit, containers, expected) in table {
        assert_eq!(word(std::slice::from_ref(unit), containers), *expected, "{unit:?} {containers:?}");
    }
}

#[test]
fn health_beats_everything_that_is_up() {
    let sick = || web().health(ContainerHealth::Unhealthy);
    let table: &[(&[FakeUnit], &[FakeContainer], &str)] = &[
        (&[compose().active()], &[sick(), db()], "unhealthy"),
        (&[compose().active()], &[sick(), container("db").exited(0)], "unhealthy"),
        (&[compose()], &[sick()], "unhealthy"),
        (&[compose().active()], &[web(), container("db").restarting(1)], "unhealthy"),
        (&[compose().active()], &[container("db").restarting(1)], "unhealthy"),
        (&[compose().active()], &[web(), container("db").restarting(0)], "starting"),
        (&[compose().active()], &[web().health(ContainerHealth::Starting), db()], "starting"),
        (
            &[compose().active()],
            &[web().health(ContainerHealth::Starting), container("db").exited(0)],
            "partial (1/2)",
        ),
        (&[native().in_state(ActiveState::Activating).sub_state("auto-restart")], &[], "unhealthy"),
    ];
    for (units, containers, expected) in table {
        assert_eq!(word(units, containers), *expected, "{units:?} {containers:?}");
    }
}

#[test]
fn it_is_paused_only_if_all_that_is_up_is() {
    let paused = |service| container(service).running().in_state(ContainerState::Paused);
    let up = [compose().active()];
    assert_eq!(word(&up, &[paused("web"), paused("db")]), "paused");
    assert_eq!(word(&up, &[paused("web"), container("db").exited(0)]), "paused");
    assert_eq!(word(&up, &[paused("web"), db()]), "partial (1/2)");
    assert_eq!(word(&[native().active().frozen()], &[]), "paused");
    assert_eq!(
        word(&[native().active().frozen(), FakeUnit::new("b.service").active()], &[]),
        "partial (1/2)"
    );
}

#[test]
fn jobs_and_one_off_containers_are_no_missing_parts() {
    let up = [compose().active()];
    let web = || web().awaits_end_of("init");
    assert_eq!(word(&up, &[web(), container("init").exited(0)]), "running");
    assert_eq!(word(&up, &[web(), container("init").exited(1)]), "partial (1/2)");
    assert_eq!(
        word(&up, &[container("web").awaits_end_of("init"), container("init").running(), db()]),
        "starting"
    );
    assert_eq!(word(&up, &[container("web").awaits_end_of("init"), container("init").exited(1)]), "failed");
    assert_eq!(
        word(&up, &[container("web").awaits_end_of("init").exited(0), container("init").exited(0)]),
        "stopped"
    );
    assert_eq!(word(&up, &[web(), container("shell").exited(1).oneoff()]), "running");
    assert_eq!(word(&up, &[container("shell").running().oneoff()]), "stopped");
    let elsewhere = FakeContainer::compose("b", "init").exited(0);
    assert_eq!(word(&up, &[web(), elsewhere]), "partial (1/2)");
}

#[test]
fn lasting_units_are_parts_like_containers() {
    let b = FakeUnit::new("b.service");
    let table: &[(&[FakeUnit], &[FakeContainer], &str)] = &[
        (&[native().active()], &[], "running"),
        (&[native().in_state(ActiveState::Reloading)], &[], "running"),
        (&[native().in_state(ActiveState::Activating)], &[], "starting"),
        (&[native()], &[], "stopped"),
        (&[native().failed("oom-kill")], &[], "failed"),
        (&[native().masked()], &[], "masked"),
        (&[native().active().masked()], &[], "running"),
        (&[native().active(), b.clone()], &[], "partial (1/2)"),
        (&[native(), b.failed("exit-code")], &[], "failed"),
        (&[native().active()], &[FakeContainer::new("a").running()], "running"),
        (&[native().active()], &[FakeContainer::new("a").exited(0)], "partial (1/2)"),
        (&[native()], &[FakeContainer::new("a").running()], "by hand"),
        (&[], &[FakeContainer::new("a").running()], "running"),
        (&[], &[FakeContainer::new("a").exited(0)], "stopped"),
    ];
    for (units, containers, expected) in table {
        assert_eq!(word(units, containers), *expected, "{units:?} {containers:?}");
    }
}

#[test]
fn a_target_proves_something_only_where_nothing_else_can() {
    let target = || FakeUnit::new("a.target").active();
    assert_eq!(seen(&[target()], &[], Ok(()), false), "running");
    assert_eq!(seen(&[target()], &[], Ok(()), true), "stopped");
    assert_eq!(seen(&[target(), native()], &[], Ok(()), false), "stopped");
    assert_eq!(seen(&[target(), native().active()], &[], Ok(()), false), "running");
    // wg-quick and its like: a oneshot unit that remains and never had a container.
    assert_eq!(seen(&[compose().active()], &[], Ok(()), false), "running");
}

#[test]
fn data_only_is_what_has_neither_units_nor_containers() {
    let elsewhere = FakeContainer::compose("a", "shell").exited(0).oneoff();
    assert_eq!(seen(&[], &[], Ok(()), false), "data only");
    assert_eq!(seen(&[], &[], Ok(()), true), "data only");
    assert_eq!(seen(&[], &[elsewhere], Ok(()), true), "data only");
    assert_eq!(seen(&[], &[], Err("no socket"), false), "data only");
}

#[test]
fn what_cannot_be_known_says_why() {
    let up = [compose().active()];
    assert_eq!(seen(&up, &[], Err("no socket"), true), "unknown: no socket");
    assert_eq!(seen(&[], &[], Err("no socket"), true), "unknown: no socket");
    assert_eq!(seen(&[native().active()], &[], Err("no socket"), false), "running");
    let odd = web().in_state(ContainerState::Unknown);
    assert_eq!(word(&up, &[odd, db()]), "unknown: container `a-web-1` is in an unknown state");
    let going = [native().in_state(ActiveState::Deactivating)];
    assert_eq!(word(&going, &[]), "unknown: `a.service` is being stopped");
}

#[test]
fn a_unit_without_a_file_is_none_unless_it_still_runs() {
    let mut gone = native().unit();
    gone.load = crate::systemd::LoadState::NotFound;
    assert_eq!(state(&[(gone.clone(), None)], &[], Ok(()), false), StateWord::DataOnly);
    gone.active = ActiveState::Active;
    gone.sub = "running".to_owned();
    assert_eq!(state(&[(gone, None)], &[], Ok(()), false), StateWord::Running);
}

#[test]
fn without_details_exited_says_that_a_unit_only_ran_once() {
    let units = [(compose().active().unit(), None)];
    assert_eq!(state(&units, &[], Ok(()), true), StateWord::Stopped);
}

#[test]
fn every_word_survives_json() {
    let words = [
        (StateWord::Partial { running: 2, total: 3 }, r#"{"word":"partial","running":2,"total":3}"#),
        (StateWord::ByHand, r#"{"word":"byHand"}"#),
        (StateWord::Unknown { why: "x".to_owned() }, r#"{"word":"unknown","why":"x"}"#),
    ];
    for (word, json) in words {
        assert_eq!(serde_json::to_string(&word).unwrap(), json);
        assert_eq!(serde_json::from_str::<StateWord>(json).unwrap(), word);
    }
}
