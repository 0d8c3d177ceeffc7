//! The fake keeps the promises that the engine's tests stand on.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const LIMIT: Duration = Duration::from_secs(90);

async fn job(systemd: &FakeSystemd, verb: JobVerb, unit: &str) -> Result<(), SystemdError> {
    systemd.run_job(verb, &unit_name(unit), LIMIT).await
}

#[tokio::test]
async fn a_compose_unit_goes_active_exited_and_a_second_start_does_nothing() {
    let systemd = FakeSystemd::new().with(FakeUnit::compose("a.service"));
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    systemd.on_job("a.service", JobVerb::Start, move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    job(&systemd, JobVerb::Start, "a.service").await.unwrap();
    job(&systemd, JobVerb::Start, "a.service").await.unwrap();
    let unit = systemd.units(&[unit_name("a.service")]).await.unwrap().remove(0);
    assert_eq!((unit.active, unit.sub.as_str()), (ActiveState::Active, "exited"));
    assert_eq!(started.load(Ordering::SeqCst), 1);
    assert_eq!(systemd.round_trips(), 3);
    assert_eq!(systemd.jobs().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_and_what_is_off_can_be_stopped() {
    let systemd = FakeSystemd::new()
        .with(FakeUnit::new("masked.service").masked())
        .with(FakeUnit::new("off.service"))
        .with(FakeUnit::new("down.service").failed("oom-kill"));
    for unit in ["masked.service", "none.service"] {
        let error = job(&systemd, JobVerb::Start, unit).await.unwrap_err();
        assert!(matches!(error, SystemdError::NoUnit { .. }), "{error}");
    }
    for unit in ["masked.service", "off.service", "down.service"] {
        job(&systemd, JobVerb::Stop, unit).await.unwrap();
    }
    assert_eq!(systemd.active("down.service"), Some(ActiveState::Failed));
    systemd.set_stopping(true);
    let error = job(&systemd, JobVerb::Start, "off.service").await.unwrap_err();
    assert!(matches!(error, SystemdError::ShuttingDown { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_stop_ends_at_its_deadline_and_leaves_the_unit_deactivating() {
    let systemd = FakeSystemd::new().with(FakeUnit::new("a.service").active());
    systemd.fault(JobVerb::Stop, "a.service", When::Always, SystemdFault::Hang);
    let begin = tokio::time::Instant::now();
    let error = job(&systemd, JobVerb::Stop, "a.service").await.unwrap_err();
    assert_eq!(error, SystemdError::Deadline { action: "stop `a.service`".to_owned(), seconds: 90 });
    assert_eq!(begin.elapsed(), LIMIT);
    assert_eq!(systemd.active("a.service"), Some(ActiveState::Deactivating));
}

#[tokio::test]
async fn the_second_start_fails_and_the_third_does_not() {
    let systemd = FakeSystemd::new().with(FakeUnit::new("a.service"));
    systemd.fault(JobVerb::Restart, "a.service", When::Nth(2), SystemdFault::Job("failed"));
    job(&systemd, JobVerb::Restart, "a.service").await.unwrap();
    let error = job(&systemd, JobVerb::Restart, "a.service").await.unwrap_err();
    assert_eq!(error.to_string(), "the job to restart `a.service` ended as `failed`");
    assert_eq!(systemd.active("a.service"), Some(ActiveState::Failed));
    job(&systemd, JobVerb::Restart, "a.service").await.unwrap();
    assert_eq!(systemd.active("a.service"), Some(ActiveState::Active));
}

#[tokio::test]
async fn a_socket_brings_its_service_back_only_while_it_listens() {
    let systemd = FakeSystemd::new()
        .with(FakeUnit::new("a.socket").active())
        .with(FakeUnit::new("a.service").triggered_by("a.socket"));
    assert!(systemd.trigger("a.service"));
    job(&systemd, JobVerb::Stop, "a.socket").await.unwrap();
    job(&systemd, JobVerb::Stop, "a.service").await.unwrap();
    assert!(!systemd.trigger("a.service"));
    assert_eq!(systemd.active("a.service"), Some(ActiveState::Inactive));
}

#[tokio::test]
async fn a_target_starts_what_it_wants_and_stops_its_parts() {
    let systemd = FakeSystemd::new()
        .with(FakeUnit::new("a.target").wants("b.service").wants("c.service").consists_of("c.service"))
        .with(FakeUnit::new("b.service"))
        .with(FakeUnit::new("c.service"));
    job(&systemd, JobVerb::Start, "a.target").await.unwrap();
    job(&systemd, JobVerb::Stop, "a.target").await.unwrap();
    assert_eq!(systemd.active("b.service"), Some(ActiveState::Active));
    assert_eq!(systemd.active("c.service"), Some(ActiveState::Inactive));
}

#[tokio::test]
async fn an_alias_leads_to_its_unit_and_an_unknown_name_to_none() {
    let systemd = FakeSystemd::new().with(FakeUnit::new("a.service").alias("b.service"));
    let asked = ["x.service", "b.service"].map(unit_name);
    let units = systemd.units(&asked).await.unwrap();
    assert_eq!((units[0].name.as_str(), units[0].load), ("x.service", LoadState::NotFound));
    assert_eq!((units[1].name.as_str(), units[1].load), ("a.service", LoadState::Loaded));
    systemd.set_reachable(false);
    assert!(matches!(systemd.units(&asked).await, Err(SystemdError::Unreachable { .. })));
}

#[tokio::test]
async fn a_frozen_unit_must_be_thawed_before_it_can_be_stopped() {
    let systemd = FakeSystemd::new()
        .with(FakeUnit::new("a.service").active())
        .with(FakeUnit::new("hard.service").active().unfreezable())
        .with(FakeUnit::new("off.service"));
    let unit = unit_name("a.service");
    systemd.freeze(&unit).await.unwrap();
    let listed = systemd.units(std::slice::from_ref(&unit)).await.unwrap();
    assert!(systemd.details(&listed).await.unwrap()[0].frozen);
    let error = job(&systemd, JobVerb::Stop, "a.service").await.unwrap_err();
    assert_eq!(error.to_string(), "the job to stop `a.service` ended as `frozen`");
    systemd.thaw(&unit).await.unwrap();
    job(&systemd, JobVerb::Stop, "a.service").await.unwrap();
    for refused in ["hard.service", "off.service", "none.service"] {
        assert!(systemd.freeze(&unit_name(refused)).await.is_err(), "{refused}");
    }
}
