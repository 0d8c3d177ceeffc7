//! How long a large file takes. Alone in its binary, so that no other test runs beside it.

use std::time::{Duration, Instant};

use svc_core::config::{Defaults, parse};

const EXAMPLE: &str = include_str!("data/services.example.json");

#[test]
#[cfg_attr(debug_assertions, ignore = "measured in release builds")]
fn a_thousand_services_load_in_ten_milliseconds() {
    let defaults = Defaults {
        hostname: "box".into(),
        state_dir: "/var/lib/svc".into(),
        cache_dir: "/var/cache/svc".into(),
    };
    let mut document: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
    let mut services = serde_json::Map::new();
    for name in (0..1000).map(|n| format!("s{n}")) {
        let mut service = document["services"]["nextcloud"].clone();
        service["name"] = name.as_str().into();
        service["restore"]["tag"] = name.as_str().into();
        service["backup"]["tags"] = vec![name.as_str()].into();
        services.insert(name, service);
    }
    document["services"] = services.into();
    let text = document.to_string();
    let best = (0..20).map(|_| {
        let started = Instant::now();
        assert_eq!(parse(text.as_bytes(), &defaults).unwrap().services.len(), 1000);
        started.elapsed()
    });
    let best = best.min().unwrap();
    assert!(best < Duration::from_millis(10), "{best:?}");
}
