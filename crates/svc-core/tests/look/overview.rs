//! Every service at a glance, on fakes: what is seen, and with how many questions.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use svc_core::config::Config;
use svc_core::lock::ServiceLock;
use svc_core::names::RunId;
use svc_core::overview::{AtWork, Health, Overview, ServiceOverview, overview};
use svc_core::restic::fake::FakeRestic;
use svc_core::systemd::ActiveState;
use svc_core::testing::{FakeContainer, FakeDocker, FakeSystemd, FakeUnit, SystemdCall};

use crate::stage::{config, noon, outside, scope};

fn ago(hours: i64) -> Timestamp {
    noon() - SignedDuration::from_hours(hours)
}

async fn look(config: &Config, systemd: &FakeSystemd, docker: &FakeDocker) -> Overview {
    let outside = outside(systemd, docker, FakeRestic::new());
    overview(config, &scope(Path::new("/nonexistent")), &outside, noon()).await
}

async fn service(text: &str, systemd: FakeSystemd, docker: FakeDocker) -> ServiceOverview {
    look(&config(text), &systemd, &docker).await.services.remove(0)
}

const NOTES: &str = r#"{"services": {"notes": {"units": ["notes.service"],
    "backup": {"enable": true, "paths": ["/srv/notes"]}}}}"#;
const PAPER: &str = r#"{"services": {"paper": {"backup": {"enable": true, "volumes": ["paper_db"]}}}}"#;

#[tokio::test]
async fn a_thousand_services_cost_no_more_questions_than_ten() {
    for count in [10, 100, 1000] {
        let (systemd, docker) = (FakeSystemd::new(), FakeDocker::new());
        systemd.add(FakeUnit::timer("svc-backup@local.timer", Some(noon())));
        let mut services = Vec::new();
        for number in 0..count {
            let name = format!("s{number}");
            if number % 2 == 0 {
                systemd.add(FakeUnit::new(&format!("{name}.service")).active());
                services.push(format!(r#""{name}": {{"units": ["{name}.service"]}}"#));
            } else {
                systemd.add(FakeUnit::compose(&format!("docker-compose-{name}.service")).active());
                docker.add(FakeContainer::compose(&name, "web").running());
                services.push(format!(r#""{name}": {{}}"#));
            }
        }
        let text = format!(r#"{{"services": {{{}}}}}"#, services.join(","));
        let seen = look(&config(&text), &systemd, &docker).await;
        assert!(seen.services.iter().all(|service| service.state.text == "running"), "{count}");
        // The names that are written down and those that are guessed are asked for side by side: one wait.
        assert_eq!((systemd.round_trips(), docker.requests()), (3, 1), "{count} services");
        let calls = systemd.calls();
        assert!(matches!(calls[..], [SystemdCall::Units(_), SystemdCall::Units(_), SystemdCall::Glance(_)]));
    }
}

#[tokio::test]
async fn what_holds_others_together_is_as_they_are() {
    for root in [FakeUnit::new("db.target"), FakeUnit::compose("db.service")] {
        let (text, name) = (NOTES.replace("notes.service", root.unit().name.as_str()), root.unit().name);
        let systemd =
            FakeSystemd::new().with(root.consists_of("a.service").consists_of("b.service").active());
        let systemd = systemd.with(FakeUnit::new("a.service").active()).with(FakeUnit::new("b.service"));
        let word =
            async |systemd: &FakeSystemd| service(&text, systemd.clone(), FakeDocker::new()).await.state.text;
        assert_eq!(word(&systemd).await, "partial (1/2)", "{name}");
        systemd.change("b.service", FakeUnit::masked);
        assert_eq!(word(&systemd).await, "running", "{name}");
        systemd.change("a.service", FakeUnit::inactive);
        assert_eq!(word(&systemd).await, "stopped", "{name}");
    }
}

#[tokio::test]
async fn since_comes_from_the_unit_or_from_what_docker_lists() {
    let unit = FakeSystemd::new().with(FakeUnit::new("notes.service").active().since(ago(5)));
    assert_eq!(service(NOTES, unit, FakeDocker::new()).await.state.since, Some(ago(5)));

    let stack = || FakeUnit::compose("docker-compose-paper.service").since(ago(9));
    let (up, web) = (FakeSystemd::new().with(stack().active()), FakeContainer::compose("paper", "web"));
    let seen = service(PAPER, up, FakeDocker::new().with(web.running())).await;
    assert_eq!((seen.state.text.as_str(), seen.state.since), ("running", Some(ago(2))));

    let down = FakeSystemd::new().with(stack().in_state(ActiveState::Inactive));
    let seen = service(PAPER, down, FakeDocker::new()).await;
    assert_eq!((seen.state.text.as_str(), seen.state.since), ("stopped", Some(ago(9))));
}

#[tokio::test]
async fn health_is_the_worst_that_any_check_says() {
    use svc_core::docker::ContainerHealth as Said;
    let container = |name: &str, said: Option<Said>| {
        let container = FakeContainer::compose("paper", name).running();
        said.map_or(container.clone(), |said| container.health_check().health(said))
    };
    for (said, expected) in [
        ([None, None], None),
        ([None, Some(Said::Healthy)], Some(Health::Healthy)),
        ([Some(Said::Starting), Some(Said::Healthy)], Some(Health::Starting)),
        ([Some(Said::Unhealthy), Some(Said::Starting)], Some(Health::Unhealthy)),
    ] {
        let docker = FakeDocker::new().with(container("web", said[0])).with(container("db", said[1]));
        let seen = service(PAPER, FakeSystemd::new(), docker).await;
        assert_eq!(seen.state.health, expected);
    }
}

#[tokio::test]
async fn the_next_run_is_the_soonest_of_the_timers_that_back_it_up() {
    let text = r#"{
        "timers": [
            {"name": "night", "unit": "restic-backup-remote.timer"},
            {"name": "check", "unit": "restic-check-local.timer"},
            {"name": "photos", "unit": "backup-photos.timer"}
        ],
        "repositories": {"local": {}, "remote": {}},
        "services": {
            "notes": {"backup": {"enable": true, "paths": ["/a"]}},
            "far": {"backup": {"enable": true, "paths": ["/b"], "repositories": ["remote"]}},
            "photos": {"backup": {"enable": true, "paths": ["/c"]}},
            "off": {"backup": {"paths": ["/d"]}}
        }
    }"#;
    let due = |hours: i64| Some(noon() + SignedDuration::from_hours(hours));
    let systemd = FakeSystemd::new()
        .with(FakeUnit::timer("svc-backup@local.timer", due(3)))
        .with(FakeUnit::timer("restic-backup-remote.timer", due(5)))
        .with(FakeUnit::timer("restic-check-local.timer", due(1)))
        .with(FakeUnit::timer("backup-photos.timer", due(2)));
    let seen = look(&config(text), &systemd, &FakeDocker::new()).await;
    let next: Vec<_> = seen.services.iter().map(|service| service.next_run.as_ref()).collect();
    let next: Vec<_> = next.iter().map(|run| run.map(|run| (run.timer.as_str(), run.at))).collect();
    let at = |hours: i64| noon() + SignedDuration::from_hours(hours);
    assert_eq!(
        next,
        [
            Some(("svc-backup@local.timer", at(3))),
            Some(("restic-backup-remote.timer", at(5))),
            Some(("backup-photos.timer", at(2))),
            None
        ]
    );
}

#[tokio::test]
async fn a_service_that_a_run_is_at_work_on_says_so_and_needs_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope(directory.path());
    let (config, outside) =
        (config(NOTES), outside(&FakeSystemd::new(), &FakeDocker::new(), FakeRestic::new()));
    let run: RunId = "r1".parse().unwrap();
    let lock = ServiceLock::take(&scope.locks_dir(), &"notes".parse().unwrap(), &run, "backup", noon());
    let state = |overview: Overview| overview.services.into_iter().next().unwrap().state;
    let seen = state(overview(&config, &scope, &outside, noon()).await);
    assert_eq!(seen.at_work, Some(AtWork { run, verb: "backup".to_owned() }));
    assert_eq!(seen.detail.as_deref(), Some("a backup is at work: svc attach r1"));
    drop(lock);
    let seen = state(overview(&config, &scope, &outside, noon()).await);
    assert_eq!((seen.at_work, seen.detail), (None, None));
}
