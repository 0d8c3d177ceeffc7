//! The engine's answers in our words. Any field may be missing; none of them is worth a failure.

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryHealthStatusEnum,
    ContainerSummaryStateEnum, HealthStatusEnum,
};
use std::time::Duration;

use jiff::Timestamp;

use super::labels;
use super::{Container, ContainerDetails, ContainerHealth, ContainerState, Volume};

/// What Docker grants a container that says nothing.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// What svc grants one that is never killed (`StopTimeout: -1`): longer than any database takes to close.
const PATIENCE: Duration = Duration::from_mins(10);

/// A container of the list; nothing for one without an id.
pub(super) fn container(listed: ContainerSummary) -> Option<Container> {
    let id = listed.id.filter(|id| !id.is_empty())?;
    let names = listed.names.unwrap_or_default();
    // A linked container also has names below others': `/web/db`.
    let own = names.iter().map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/'));
    let status = listed.status.unwrap_or_default();
    let health = listed.health.and_then(|health| health.status);
    let state = listed.state.map_or(ContainerState::Unknown, listed_state);
    let mounts = listed.mounts.unwrap_or_default().into_iter();
    let labels = listed.labels.unwrap_or_default();
    let volumes = mounts.filter(|mount| mount.typ.as_deref() == Some("volume"));
    Some(Container {
        name: own.unwrap_or(&id).to_owned(),
        id,
        image: listed.image.unwrap_or_default(),
        state,
        health: health.and_then(listed_health).or_else(|| health_in(&status)),
        exit_code: exit_code_in(&status),
        compose: labels::compose(&labels),
        unit: labels.get("PODMAN_SYSTEMD_UNIT").cloned(),
        volumes: volumes.filter_map(|mount| mount.name).filter(|name| !name.is_empty()).collect(),
        lasts: lasts(&status),
        status_text: status,
    })
}

/// What an inspection says; `asked` is how the container was asked for.
pub(super) fn details(asked: &str, seen: ContainerInspectResponse) -> ContainerDetails {
    let running = seen.state.unwrap_or_default();
    let state = running.status.map_or(ContainerState::Unknown, seen_state);
    let has_ended =
        matches!(state, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting);
    let health = running.health.and_then(|health| health.status).and_then(seen_health);
    let timeout = seen.config.and_then(|config| config.stop_timeout);
    ContainerDetails {
        id: seen.id.unwrap_or_else(|| asked.to_owned()),
        state,
        health: health.filter(|_| state.is_up()),
        exit_code: running.exit_code.filter(|_| has_ended),
        started_at: running.started_at.as_deref().and_then(moment),
        restarts: seen.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        stop_timeout: timeout.map_or(STOP_TIMEOUT, stop_timeout),
        image_id: seen.image.unwrap_or_default(),
    }
}

/// A volume; nothing for one whose name could not have come from the engine.
pub(super) fn volume(listed: bollard::models::Volume) -> Option<Volume> {
    Some(Volume {
        name: listed.name.try_into().ok()?,
        driver: listed.driver,
        options: listed.options.into_iter().collect(),
        labels: listed.labels.into_iter().collect(),
        mountpoint: listed.mountpoint.into(),
    })
}

fn stop_timeout(seconds: i64) -> Duration {
    u64::try_from(seconds).map_or(PATIENCE, Duration::from_secs)
}

fn listed_state(state: ContainerSummaryStateEnum) -> ContainerState {
    use ContainerSummaryStateEnum as S;
    match state {
        S::CREATED => ContainerState::Created,
        // Until it has stopped, it runs.
        S::RUNNING | S::STOPPING => ContainerState::Running,
        S::PAUSED => ContainerState::Paused,
        S::RESTARTING => ContainerState::Restarting,
        S::REMOVING => ContainerState::Removing,
        S::EXITED => ContainerState::Exited,
        S::DEAD => ContainerState::Dead,
        S::EMPTY => ContainerState::Unknown,
    }
}

fn seen_state(state: ContainerStateStatusEnum) -> ContainerState {
    use ContainerStateStatusEnum as S;
    match state {
        S::CREATED => ContainerState::Created,
        S::RUNNING | S::STOPPING => ContainerState::Running,
        S::PAUSED => ContainerState::Paused,
        S::RESTARTING => ContainerState::Restarting,
        S::REMOVING => ContainerState::Removing,
        S::EXITED => ContainerState::Exited,
        S::DEAD => ContainerState::Dead,
        S::EMPTY => ContainerState::Unknown,
    }
}

fn listed_health(status: ContainerSummaryHealthStatusEnum) -> Option<ContainerHealth> {
    use ContainerSummaryHealthStatusEnum as H;
    match status {
        H::STARTING => Some(ContainerHealth::Starting),
        H::HEALTHY => Some(ContainerHealth::Healthy),
        H::UNHEALTHY => Some(ContainerHealth::Unhealthy),
        H::EMPTY | H::NONE => None,
    }
}

fn seen_health(status: HealthStatusEnum) -> Option<ContainerHealth> {
    use HealthStatusEnum as H;
    match status {
        H::STARTING => Some(ContainerHealth::Starting),
        H::HEALTHY => Some(ContainerHealth::Healthy),
        H::UNHEALTHY => Some(ContainerHealth::Unhealthy),
        H::EMPTY | H::NONE => None,
    }
}

/// The health in `Up 2 hours (healthy)`: engines before 29 have it in no other place of the list.
fn health_in(status: &str) -> Option<ContainerHealth> {
    let words = [
        ("(unhealthy)", ContainerHealth::Unhealthy),
        ("(healthy)", ContainerHealth::Healthy),
        ("(health: starting)", ContainerHealth::Starting),
    ];
    words
        .into_iter()
        .find(|(word, _)| status.starts_with("Up") && status.contains(word))
        .map(|(_, health)| health)
}

/// The code in `Exited (137) 3 minutes ago` and `Restarting (1) 5 seconds ago`.
fn exit_code_in(status: &str) -> Option<i64> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

/// The time in `Up 2 hours (healthy)` and `Exited (0) About a minute ago`: what Go's `units.HumanDuration` writes.
fn lasts(status: &str) -> Option<Duration> {
    let rest = status.strip_prefix("Up ").or_else(|| status.split_once(") ").map(|(_, rest)| rest))?;
    let rest = rest.strip_prefix("About ").or(rest.strip_prefix("Less than ")).unwrap_or(rest);
    let mut words = rest.split_whitespace();
    let number: u64 = match words.next()? {
        "a" | "an" => 1,
        number => number.parse().ok()?,
    };
    let seconds = match words.next()?.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "week" => 7 * 86_400,
        "month" => 30 * 86_400,
        "year" => 365 * 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// A date; `0001-01-01T00:00:00Z` is how Go writes none.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|moment| moment.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_exit_code_are_read_from_the_status_text() {
        let table = [
            ("Up 2 hours (healthy)", Some(ContainerHealth::Healthy), None),
            ("Up 2 hours (unhealthy)", Some(ContainerHealth::Unhealthy), None),
            ("Up 3 seconds (health: starting)", Some(ContainerHealth::Starting), None),
            ("Up 2 hours", None, None),
            ("Up 5 minutes (Paused)", None, None),
            ("Exited (137) 3 minutes ago", None, Some(137)),
            ("Exited (0) 3 minutes ago (healthy)", None, Some(0)),
            ("Restarting (1) 5 seconds ago", None, Some(1)),
            ("Exited (", None, None),
            ("Created", None, None),
            ("", None, None),
        ];
        for (status, health, code) in table {
            assert_eq!((health_in(status), exit_code_in(status)), (health, code), "{status}");
        }
    }

    #[test]
    fn how_long_it_has_been_so_is_read_from_the_status_text() {
        let table = [
            ("Up Less than a second", Some(1)),
            ("Up 1 second", Some(1)),
            ("Up 45 seconds (health: starting)", Some(45)),
            ("Up About a minute", Some(60)),
            ("Up About an hour (healthy)", Some(3600)),
            ("Up 2 hours (Paused)", Some(7200)),
            ("Up 3 weeks", Some(3 * 7 * 86_400)),
            ("Up 2 years", Some(2 * 365 * 86_400)),
            ("Exited (137) 3 minutes ago", Some(180)),
            ("Exited (0) About a minute ago", Some(60)),
            ("Restarting (1) 5 seconds ago", Some(5)),
            ("Created", None),
            ("Up", None),
            ("Up 99999999999999999999 years", None),
            ("Up 9999999999999999999 years", None),
            ("Up 2 fortnights", None),
            ("", None),
        ];
        for (status, seconds) in table {
            assert_eq!(lasts(status), seconds.map(Duration::from_secs), "{status}");
        }
    }

    #[test]
    fn the_zero_date_is_no_date() {
        assert_eq!(moment("0001-01-01T00:00:00Z"), None);
        assert_eq!(moment("soon"), None);
        assert_eq!(moment("1970-01-01T01:00:01+01:00"), Some(Timestamp::from_second(1).unwrap()));
    }

    #[test]
    fn a_linked_container_goes_by_its_own_name() {
        let names = Some(vec!["/web/db".to_owned(), "/db".to_owned()]);
        let listed = ContainerSummary { id: Some("1".to_owned()), names, ..ContainerSummary::default() };
        let container = container(listed).unwrap();
        assert_eq!((container.name.as_str(), container.state), ("db", ContainerState::Unknown));
    }

    #[test]
    fn only_volumes_count_among_the_mounts() {
        let mount = |typ: &str, name: &str| bollard::models::MountPoint {
            typ: Some(typ.to_owned()),
            name: Some(name.to_owned()),
            ..Default::default()
        };
        let mounts = Some(vec![mount("bind", ""), mount("volume", "data"), mount("image", "tools")]);
        let listed = ContainerSummary { id: Some("1".to_owned()), mounts, ..ContainerSummary::default() };
        assert_eq!(container(listed).unwrap().volumes, ["data"]);
    }

    #[test]
    fn a_container_that_never_ran_has_neither_start_nor_end() {
        let state = bollard::models::ContainerState {
            status: Some(ContainerStateStatusEnum::CREATED),
            exit_code: Some(0),
            started_at: Some("0001-01-01T00:00:00Z".to_owned()),
            ..Default::default()
        };
        let seen = ContainerInspectResponse { state: Some(state), ..Default::default() };
        let details = details("x", seen);
        assert_eq!((details.id.as_str(), details.exit_code, details.started_at), ("x", None, None));
        assert_eq!(details.stop_timeout, STOP_TIMEOUT);
    }

    #[test]
    fn a_container_that_is_never_killed_is_still_not_waited_for_for_ever() {
        assert_eq!(stop_timeout(-1), PATIENCE);
        assert_eq!(stop_timeout(0), Duration::ZERO);
    }
}
