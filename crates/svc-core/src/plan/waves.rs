//! Orders: which containers go down and come up together, and which services need each other.

use std::collections::HashMap;

use crate::config::Config;
use crate::docker::{ComposeLabels, Container};
use crate::names::ServiceName;

/// Containers in the order in which they start: each wave needs only earlier ones.
///
/// A cycle, which compose itself refuses, ends in one last wave of what is left.
pub(super) fn start_order<'a>(containers: &[&'a Container]) -> Vec<Vec<&'a Container>> {
    let mut rest: Vec<&Container> = containers.to_vec();
    let mut waves = Vec::new();
    while !rest.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            rest.iter().partition(|one| !rest.iter().any(|other| needs(one, other)));
        let (wave, left) = if ready.is_empty() { (waiting, Vec::new()) } else { (ready, waiting) };
        waves.push(wave);
        rest = left;
    }
    waves
}

/// Whether one container declares that it starts after the other.
pub(super) fn needs(one: &Container, other: &Container) -> bool {
    relates(one, other, |compose| &compose.depends_on)
}

/// Whether one container declares that it starts when the other has done its work and ended.
pub(super) fn awaits_end(one: &Container, other: &Container) -> bool {
    relates(one, other, |compose| &compose.awaits_end_of)
}

fn relates(one: &Container, other: &Container, list: fn(&ComposeLabels) -> &Vec<String>) -> bool {
    match (&one.compose, &other.compose) {
        (Some(one), Some(other)) => {
            one.project == other.project && one.service != other.service && list(one).contains(&other.service)
        }
        _ => false,
    }
}

/// All services that start before this one, however far away.
pub(super) fn first(config: &Config, name: &ServiceName) -> Vec<ServiceName> {
    let declared = |name: &ServiceName| config.services.get(name).map(|service| service.after.clone());
    let mut open = declared(name).unwrap_or_default();
    let mut found: Vec<ServiceName> = Vec::new();
    while let Some(next) = open.pop() {
        if next != *name && !found.contains(&next) {
            open.extend(declared(&next).unwrap_or_default());
            found.push(next);
        }
    }
    found
}

/// A group number for each configured service: those connected by `after`, however far, share one.
pub(super) fn groups(config: &Config) -> HashMap<ServiceName, usize> {
    let mut groups: HashMap<ServiceName, usize> = config.services.keys().cloned().zip(0..).collect();
    for (name, service) in &config.services {
        for other in &service.after {
            let (Some(&from), Some(&to)) = (groups.get(name), groups.get(other)) else { continue };
            groups.values_mut().filter(|number| **number == from).for_each(|number| *number = to);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ContainerState;

    fn container(service: &str, depends_on: &[&str]) -> Container {
        Container {
            id: service.to_owned(),
            name: service.to_owned(),
            image: "image".to_owned(),
            state: ContainerState::Running,
            health: None,
            exit_code: None,
            compose: Some(ComposeLabels {
                project: "p".to_owned(),
                service: service.to_owned(),
                number: 1,
                depends_on: depends_on.iter().map(ToString::to_string).collect(),
                awaits_end_of: Vec::new(),
                oneoff: false,
            }),
            status_text: String::new(),
            lasts: None,
            volumes: Vec::new(),
            unit: None,
        }
    }

    fn order(containers: &[Container]) -> Vec<Vec<String>> {
        let refs: Vec<&Container> = containers.iter().collect();
        start_order(&refs).iter().map(|wave| wave.iter().map(|c| c.name.clone()).collect()).collect()
    }

    #[test]
    fn containers_start_after_what_they_depend_on() {
        let stack = [container("web", &["db", "cache"]), container("db", &[]), container("cache", &["db"])];
        assert_eq!(order(&stack), [vec!["db"], vec!["cache"], vec!["web"]]);
    }

    #[test]
    fn a_cycle_still_comes_up() {
        let stack = [container("a", &["b"]), container("b", &["a"]), container("c", &[])];
        assert_eq!(order(&stack), [vec!["c"], vec!["a", "b"]]);
    }

    #[test]
    fn a_dependency_that_is_not_there_holds_nobody_up() {
        assert_eq!(order(&[container("web", &["gone"])]), [vec!["web"]]);
    }
}
