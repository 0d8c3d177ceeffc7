use std::sync::Arc;

use super::*;
use crate::config::{Defaults, parse};
use crate::outside::Outside;
use crate::restic::fake::FakeRestic;
use crate::scope::{Environment, Scope};
use crate::testing::{FakeContainer, FakeDocker, FakeSystemd, FakeUnit};

/// Name and label of each source of a service with these fields, in their order; the last is whether it is data only.
async fn seen(fields: &str, systemd: FakeSystemd, docker: FakeDocker) -> (Vec<(String, String)>, bool) {
    let text =
        format!(r#"{{"services": {{"shop": {{"name": "shop", "backup": {{"enable": false}}{fields}}}}}}}"#);
    let config =
        parse(text.as_bytes(), &Defaults::of(&Scope::system(&Environment::default()), "home")).unwrap();
    let (systemd, docker, restic) = (Arc::new(systemd), Arc::new(docker), Arc::new(FakeRestic::new()));
    let freezer = Arc::<crate::testing::FakeFreezer>::default();
    let names: Vec<_> = config.services.keys().cloned().collect();
    let parts = crate::observe::parts(&config, &Outside { systemd, docker, restic, freezer }, &names).await;
    let sources = Sources::of(&config.services[0], &parts[0]);
    let all = sources.all().iter().map(|source| (source.name.clone(), source.label.clone())).collect();
    (all, sources.is_data_only())
}

fn names(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, label)| ((*name).to_owned(), (*label).to_owned())).collect()
}

#[tokio::test]
async fn names_are_short_and_no_two_are_the_same() {
    let docker = FakeDocker::new()
        .with(FakeContainer::compose("shop", "web").running())
        .with(FakeContainer::compose("shop", "web").number(2).running())
        .with(FakeContainer::compose("shop", "shop").running())
        .with(FakeContainer::compose("other", "web").running());
    let systemd = FakeSystemd::new().with(FakeUnit::compose("docker-compose-shop.service").active());
    let (all, is_data_only) = seen("", systemd, docker).await;
    let wanted = [
        ("shop-web-1", "web"),
        ("shop-web-2", "web-2"),
        ("shop-shop-1", "shop"),
        ("docker-compose-shop.service", "docker-compose-shop.service"),
    ];
    assert_eq!(all, names(&wanted));
    assert!(!is_data_only);
}

#[tokio::test]
async fn a_container_in_the_foreground_of_its_unit_is_read_from_the_journal() {
    let docker = FakeDocker::new().with(FakeContainer::new("shop").running());
    let systemd = FakeSystemd::new().with(FakeUnit::new("docker-shop.service").active());
    let (all, _) = seen("", systemd, docker).await;
    assert_eq!(all, names(&[("docker-shop.service", "shop")]));
}

#[tokio::test]
async fn a_unit_that_is_gone_may_have_left_something() {
    let fields = r#", "units": ["gone.service"], "restore": {"stopCompose": false}"#;
    let (all, is_data_only) = seen(fields, FakeSystemd::new(), FakeDocker::new()).await;
    assert_eq!((all, is_data_only), (names(&[("gone.service", "gone")]), false));
}

#[tokio::test]
async fn files_alone_have_no_logs() {
    let fields = r#", "restore": {"stopCompose": false}"#;
    assert_eq!(seen(fields, FakeSystemd::new(), FakeDocker::new()).await, (Vec::new(), true));
}
