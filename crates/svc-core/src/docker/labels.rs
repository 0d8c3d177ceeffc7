//! What compose writes on its containers.

use std::collections::HashMap;

use super::ComposeLabels;

/// The container's place in a compose project; nothing if it has none.
pub(super) fn compose(labels: &HashMap<String, String>) -> Option<ComposeLabels> {
    let label = |name: &str| labels.get(&format!("com.docker.compose.{name}")).map(String::as_str);
    let project = label("project").filter(|project| !project.is_empty())?;
    let dependencies: Vec<_> = label("depends_on").map(dependencies).unwrap_or_default();
    let ended = dependencies.iter().filter(|(_, condition)| *condition == "service_completed_successfully");
    Some(ComposeLabels {
        project: project.to_owned(),
        service: label("service").unwrap_or_default().to_owned(),
        number: label("container-number").and_then(|number| number.parse().ok()).unwrap_or(1),
        awaits_end_of: ended.map(|(service, _)| (*service).to_owned()).collect(),
        depends_on: dependencies.iter().map(|(service, _)| (*service).to_owned()).collect(),
        oneoff: label("oneoff").is_some_and(|oneoff| oneoff.eq_ignore_ascii_case("true")),
    })
}

/// The services and conditions in `db:service_healthy:true,redis:service_started:false`; early versions of compose
/// wrote the names alone.
fn dependencies(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split(',').map(|part| {
        let mut fields = part.trim().split(':');
        (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
    });
    parts.filter(|(service, _)| !service.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(&str, &str)]) -> Option<ComposeLabels> {
        let own = |(name, value): &(&str, &str)| (format!("com.docker.compose.{name}"), (*value).to_owned());
        compose(&labels.iter().map(own).collect())
    }

    #[test]
    fn dependencies_keep_their_order_and_the_one_that_must_end() {
        let depends_on =
            "db:service_healthy:true,init:service_completed_successfully:false,redis:service_started:true";
        let labels =
            [("project", "p"), ("service", "web"), ("container-number", "2"), ("depends_on", depends_on)];
        let compose = read(&labels).unwrap();
        assert_eq!((compose.service.as_str(), compose.number, compose.oneoff), ("web", 2, false));
        assert_eq!(compose.depends_on, ["db", "init", "redis"]);
        assert_eq!(compose.awaits_end_of, ["init"]);
    }

    #[test]
    fn old_empty_and_odd_labels_are_no_fault() {
        let of = |text| read(&[("project", "p"), ("depends_on", text)]).unwrap().depends_on;
        assert_eq!(of("db,redis"), ["db", "redis"]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(of(",:,db:"), ["db"]);
        let odd = read(&[("project", "p"), ("container-number", "many"), ("oneoff", "True")]).unwrap();
        assert_eq!((odd.number, odd.oneoff), (1, true));
    }

    #[test]
    fn without_a_project_there_is_no_place() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("service", "web"), ("project", "")]), None);
    }
}
