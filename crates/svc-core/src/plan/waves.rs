//! Orders: which containers go down and come up together, and which services need each other.

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

/// A group number for each service: those connected by an edge, however far, share one.
pub(super) fn groups(names: &[ServiceName], edges: &[Vec<ServiceName>]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..names.len()).collect();
    for (index, first) in edges.iter().enumerate() {
        for other in first {
            let Some(position) = names.iter().position(|name| name == other) else { continue };
            let (Some(&from), Some(&to)) = (group.get(index), group.get(position)) else { continue };
            for number in group.iter_mut().filter(|number| **number == from) {
                *number = to;
            }
        }
    }
    group
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
            volumes: Vec::new(),
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

    #[test]
    fn services_connected_by_any_path_share_a_group() {
        let names: Vec<ServiceName> = ["a", "b", "c", "d"].iter().map(|n| n.parse().unwrap()).collect();
        let edges = vec![vec![], vec![names[0].clone()], vec![names[1].clone()], vec![]];
        let groups = groups(&names, &edges);
        assert_eq!(groups[0], groups[1]);
        assert_eq!(groups[1], groups[2]);
        assert_ne!(groups[2], groups[3]);
    }
}
