//! The timers of the configuration and svc's own.

use jiff::SignedDuration;
use svc_core::restic::fake::FakeRestic;
use svc_core::systemd::SystemdError;
use svc_core::testing::{FakeDocker, FakeSystemd, FakeUnit};
use svc_core::timers::{TimerOverview, timers};

use crate::stage::{config, noon, outside};

const TEXT: &str = r#"{
    "timers": [
        {"name": "night", "unit": "restic-backup-local.timer", "description": "all, every night"},
        {"name": "gone", "unit": "old.service"}
    ],
    "repositories": {"local": {}, "remote": {}}
}"#;

async fn look(systemd: &FakeSystemd) -> Result<Vec<TimerOverview>, SystemdError> {
    timers(&config(TEXT), &outside(systemd, &FakeDocker::new(), FakeRestic::new())).await
}

#[tokio::test]
async fn configured_timers_come_first_then_svcs_own_that_exist() {
    let (last, next) =
        (noon() - SignedDuration::from_hours(1), Some(noon() + SignedDuration::from_hours(23)));
    let systemd = FakeSystemd::new()
        .with(FakeUnit::timer("svc-check@local.timer", next).disabled())
        .with(FakeUnit::timer("svc-backup@remote.timer", None).inactive())
        .with(FakeUnit::timer("restic-backup-local.timer", next).elapsed(last))
        .with(FakeUnit::oneshot("restic-backup-local.service").failed("exit-code"));
    let seen = look(&systemd).await.unwrap();
    let row = |timer: &TimerOverview| format!("{} {:?} {:?}", timer.name, timer.state, timer.result);
    assert_eq!(
        seen.iter().map(row).collect::<Vec<_>>(),
        [
            r#"night Waiting Some("exit-code")"#,
            "gone Missing None",
            "svc-backup@remote.timer Off None",
            "svc-check@local.timer NotEnabled None",
        ]
    );
    assert_eq!((seen[0].last, seen[0].next), (Some(last), next));
    assert_eq!(seen[0].description.as_deref(), Some("all, every night"));
    assert_eq!(seen[1].timer.as_str(), "old.timer");
    assert_eq!(systemd.round_trips(), 5, "two side by side, then three");
}

#[tokio::test]
async fn without_systemd_there_is_nothing_to_say() {
    let systemd = FakeSystemd::new();
    systemd.set_reachable(false);
    assert!(matches!(look(&systemd).await, Err(SystemdError::Unreachable { .. })));
}
