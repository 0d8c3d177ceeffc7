//! `quiesce: pause`: nothing ends and nothing starts; what was held goes on, also when the run dies.

use std::time::Duration;

use svc_core::config::Quiesce;
use svc_core::docker::ContainerHealth;
use svc_core::event::Event;

use crate::house::{DB, House, WEB, backup};

fn paused() -> House {
    let mut house = House::new();
    for name in ["paperless", "notes", "x"] {
        house.service(name).backup.quiesce = Quiesce::Pause;
    }
    house
}

#[tokio::test(start_paused = true)]
async fn containers_and_units_are_held_while_they_are_read_and_never_stopped() {
    let house = paused();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless", "notes", "x"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(house.running(), before);
    let calls = house.tap.calls();
    let at =
        |call: &str| calls.iter().position(|other| other == call).unwrap_or_else(|| panic!("no `{call}`"));
    let save = at("restic backup local svc:paperless");
    for name in [DB, WEB] {
        assert!(at(&format!("docker pause {name}")) < save && save < at(&format!("docker unpause {name}")));
    }
    let save = at("restic backup local svc:notes");
    assert!(at("systemd freeze notes.service") < save && save < at("systemd thaw notes.service"));
    // The unit is only the container's keeper: the container itself has to hold still.
    assert!(at("docker pause x") < at("restic backup local svc:x"));
    let ended = |call: &&String| call.contains(" stop ") || call.contains(" start ");
    assert_eq!(calls.iter().find(ended), None);
}

/// Docker calls it unhealthy until it asks again, which it does once in its interval.
#[tokio::test(start_paused = true)]
async fn a_container_that_was_held_is_not_unwell_for_that() {
    let house = paused();
    house.can_freeze();
    house.docker.set_health(DB, ContainerHealth::Healthy);
    house.docker.set_health(WEB, ContainerHealth::Healthy);
    let began = tokio::time::Instant::now();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_was_paused_before_stays_paused() {
    let house = paused();
    svc_core::docker::Docker::pause(&house.docker, DB).await.unwrap();
    let before = house.running();
    assert!(before.contains("paperless-db-1 paused"));
    assert_eq!(house.run(&backup(&["paperless"])).await.code(), 0);
    assert_eq!(house.running(), before);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_holds_goes_on() {
    for nth in 0.. {
        let house = paused();
        let before = house.running();
        let plan = house.plan(&backup(&["paperless", "notes"])).await;
        let dies = |event: &Event| event.seq == nth;
        let Some(run) = house.run_and_die(plan, dies).await else { break };
        let Some(report) = house.recover(&run, |_| false).await else { panic!("it died") };
        assert!(report.code.number() == 4 || report.code.number() == 0, "after event {nth}: {report:?}");
        assert_eq!(house.running(), before, "after event {nth}");
        assert_eq!(house.systemd.frozen("notes.service"), Some(false), "after event {nth}");
    }
}
