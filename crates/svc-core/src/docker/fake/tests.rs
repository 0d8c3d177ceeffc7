//! The fake keeps the promises that the engine's tests stand on.

use super::*;
use crate::docker::ContainerHealth;
use crate::systemd::fake::{FakeSystemd, FakeUnit};
use crate::systemd::{JobVerb, Systemd as _};
use crate::testing::unit_name;

fn stack() -> (FakeSystemd, FakeDocker) {
    let systemd = FakeSystemd::new().with(FakeUnit::compose("a.service").active());
    let docker = FakeDocker::new()
        .with(FakeContainer::compose("a", "db").volume("a_db").running())
        .with(FakeContainer::compose("a", "web").depends_on("db").running());
    docker.behind(&systemd, "a.service", "a");
    (systemd, docker)
}

#[tokio::test]
async fn a_compose_unit_removes_its_containers_and_makes_new_ones() {
    let (systemd, docker) = stack();
    let before = docker.id("a-db-1");
    let limit = Duration::from_secs(1);
    systemd.run_job(JobVerb::Stop, &unit_name("a.service"), limit).await.unwrap();
    assert_eq!(docker.containers().await.unwrap(), []);
    systemd.run_job(JobVerb::Start, &unit_name("a.service"), limit).await.unwrap();
    assert_eq!(docker.state("a-web-1"), Some(ContainerState::Running));
    assert_ne!(docker.id("a-db-1"), before);
    assert_eq!(docker.volumes().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_active_compose_unit_does_not_bring_stopped_containers_back() {
    let (systemd, docker) = stack();
    docker.stop("a-db-1").await.unwrap();
    systemd.run_job(JobVerb::Start, &unit_name("a.service"), Duration::from_secs(1)).await.unwrap();
    assert_eq!(docker.state("a-db-1"), Some(ContainerState::Exited));
    docker.start("a-db-1").await.unwrap();
    assert_eq!(docker.state("a-db-1"), Some(ContainerState::Running));
    let orders = [(DockerVerb::Stop, "a-db-1".to_owned()), (DockerVerb::Start, "a-db-1".to_owned())];
    assert_eq!(docker.orders(), orders);
}

#[tokio::test]
async fn a_foreground_unit_has_a_new_container_as_soon_as_the_old_one_is_stopped() {
    let systemd = FakeSystemd::new().with(FakeUnit::new("x.service").active());
    let docker = FakeDocker::new().with(FakeContainer::new("x").running());
    docker.in_foreground_of(&systemd, "x.service", "x");
    let before = docker.id("x");
    docker.stop("x").await.unwrap();
    assert_eq!(docker.state("x"), Some(ContainerState::Running));
    assert_ne!(docker.id("x"), before);
    systemd.run_job(JobVerb::Stop, &unit_name("x.service"), Duration::from_secs(1)).await.unwrap();
    assert_eq!(docker.state("x"), Some(ContainerState::Exited));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_stop_ends_ten_seconds_after_the_containers_own_timeout() {
    let patient = FakeContainer::new("x").stop_timeout(Duration::from_secs(90)).running();
    let docker = FakeDocker::new().with(patient);
    docker.fault(DockerVerb::Stop, "x", When::First(1), DockerFault::Hang);
    let begin = tokio::time::Instant::now();
    let error = docker.stop("x").await.unwrap_err();
    assert_eq!(error, DockerError::Deadline { action: "stop `x`".to_owned(), seconds: 100 });
    assert_eq!(begin.elapsed(), Duration::from_secs(100));
    assert_eq!(docker.state("x"), Some(ContainerState::Running));
    docker.stop("x").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn health_goes_from_starting_to_healthy_in_time_or_on_demand() {
    let docker = FakeDocker::new()
        .with(FakeContainer::new("timed").healthy_after(Duration::from_secs(5)))
        .with(FakeContainer::new("told").health_check());
    let health = async |name| docker.inspect(name).await.unwrap().health;
    for name in ["timed", "told"] {
        docker.start(name).await.unwrap();
        assert_eq!(health(name).await, Some(ContainerHealth::Starting));
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    docker.set_health("told", ContainerHealth::Healthy);
    for name in ["timed", "told"] {
        assert_eq!(health(name).await, Some(ContainerHealth::Healthy));
        docker.stop(name).await.unwrap();
        assert_eq!(health(name).await, None);
    }
}

#[tokio::test]
async fn a_start_can_end_at_once_and_a_paused_container_refuses_it() {
    let docker = FakeDocker::new().with(FakeContainer::new("x"));
    docker.fault(DockerVerb::Start, "x", When::Nth(1), DockerFault::Exits(3));
    docker.start("x").await.unwrap();
    assert_eq!(docker.inspect("x").await.unwrap().exit_code, Some(3));
    docker.start("x").await.unwrap();
    docker.pause("x").await.unwrap();
    assert!(matches!(docker.start("x").await, Err(DockerError::Refused { .. })));
    docker.stop("x").await.unwrap();
    assert_eq!(docker.state("x"), Some(ContainerState::Exited));
}

#[tokio::test]
async fn a_container_is_found_by_name_and_id_or_not_at_all() {
    let docker = FakeDocker::new().with(FakeContainer::new("x").running());
    let id = docker.id("x").unwrap();
    docker.stop(&id).await.unwrap();
    assert_eq!(docker.orders(), [(DockerVerb::Stop, "x".to_owned())]);
    docker.recreate("x");
    let gone = docker.inspect(&id).await.unwrap_err();
    assert_eq!(gone, DockerError::NotFound { kind: "container", name: id });
    docker.set_reachable(false);
    assert!(matches!(docker.containers().await, Err(DockerError::Unreachable { .. })));
}
