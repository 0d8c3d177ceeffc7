//! Every word for a service's state, produced for real, and the same wherever it is shown.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use svc_tests::screen::Screen;
use svc_tests::{Homeserver, wait};

const DEADLINE: Duration = Duration::from_secs(30);

/// Each service of `states.json` with its state; named so that nobody takes one for another.
const STATES: [(&str, &str); 15] = [
    ("s01", "running"),
    ("s02", "partial (2/3)"),
    ("s03", "starting"),
    ("s04", "starting"),
    ("s05", "unhealthy"),
    ("s06", "paused"),
    ("s07", "stopped"),
    ("s08", "failed"),
    ("s09", "failed"),
    ("s10", "masked"),
    ("s11", "by hand"),
    ("s12", "data only"),
    ("s13", "unknown"),
    ("s14", "partial (1/2)"),
    ("s15", "running"),
];

/// What belongs to them: a unit, a compose project, or the container of the service's own name.
const CONFIG: &str = r#"{"services": {
    "s01": {"units": ["notes.service"]},
    "s02": {"units": ["docker-compose-paperless.service"], "compose": {"project": "paperless"}},
    "s03": {"units": ["s03.service"]},
    "s04": {},
    "s05": {},
    "s06": {},
    "s07": {"units": ["docker-compose-archive.service"], "compose": {"project": "archive"}},
    "s08": {"units": ["s08.service"]},
    "s09": {},
    "s10": {"units": ["s10.service"]},
    "s11": {"units": ["docker-compose-caddy.service"], "compose": {"project": "caddy"}},
    "s12": {"backup": {"enable": true, "paths": ["/data/music/library"]}},
    "s13": {"units": ["s13.service"]},
    "s14": {"units": ["docker-compose-media-root.target"]},
    "s15": {"units": ["postgresql.service"]}
}}"#;

const MAKE: &str = r#"
    unit() { printf '[Service]\n%b\n' "$2" > /usr/lib/systemd/system/$1.service; }
    unit s03 'ExecStartPre=/bin/sleep infinity\nExecStart=/bin/true\nTimeoutStartSec=infinity'
    unit s08 'ExecStart=/bin/false'
    unit s10 'ExecStart=/bin/sleep infinity'
    unit s13 'ExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity'
    systemctl daemon-reload
    systemctl mask --quiet s10.service
    systemctl start --no-block s03.service s08.service
    systemctl start s13.service docker-compose-media-root.target postgresql.service
    systemctl stop --no-block s13.service
    systemctl stop docker-media-app.service docker-compose-caddy.service

    container() { name=$1; shift; docker run --detach --init --name $name "$@" > /dev/null; }
    container s04 --health-cmd 'sleep 600' --health-interval 1s --health-timeout 600s homeserver/idle:1
    container s05 --health-cmd false --health-interval 1s --health-retries 1 homeserver/idle:1
    container s06 homeserver/idle:1
    container s09 homeserver/idle:1 sh -c 'exit 7'
    docker pause s06
    docker stop paperless-web-1
    cd /var/lib/docker-services/caddy && docker compose up --detach"#;

#[test]
fn every_state_has_its_word_in_the_list_in_json_and_on_the_screen() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.write("/etc/svc/states.json", CONFIG)?;
    server.home.check(&format!("set -e\n{MAKE}"))?;

    let expected: Vec<(String, String)> =
        STATES.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect();
    let mut seen = Vec::new();
    wait::until(DEADLINE, || {
        seen = states_in_json(&server)?;
        Ok(seen == expected)
    })?;
    assert_eq!(seen, expected);

    let list = server.svc("-c /etc/svc/states.json list")?;
    assert_eq!(list.code, 0, "{list}");
    for (name, word) in STATES {
        ensure!(is_shown(&list.stdout, name, word), "`{name}` is not `{word}` in\n{}", list.stdout);
    }
    let screen = first_screen(&server)?;
    for (name, word) in STATES {
        ensure!(is_shown(&screen, name, word), "`{name}` is not `{word}` on\n{screen}");
    }
    without_docker_what_can_be_known_is_still_shown(&server)
}

fn states_in_json(server: &Homeserver) -> Result<Vec<(String, String)>> {
    let list: Value = serde_json::from_str(&server.home.check("svc -c /etc/svc/states.json list --json")?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let services = list["services"].as_array().context("`svc list --json` has no services")?;
    Ok(services.iter().map(|service| (text(&service["name"]), text(&service["state"]["text"]))).collect())
}

/// What `svc tui` shows at first, as soon as every service is on it.
fn first_screen(server: &Homeserver) -> Result<String> {
    let screen = Screen::run(&server.home, "SVC_CONFIG=/etc/svc/states.json svc tui")?;
    let shown = screen.once(|shown| STATES.iter().all(|(name, _)| shown.contains(name)))?;
    screen.press("q")?;
    Ok(shown)
}

/// Whether a line begins with that name and has that word, and no longer one, in its second column.
fn is_shown(text: &str, name: &str, word: &str) -> bool {
    let line =
        text.lines().map(|line| line.trim_start_matches(['▌', ' '])).find(|line| line.starts_with(name));
    // A screen has a sign before the word.
    let is_sign = |c: char| !c.is_alphanumeric();
    let second = line.map(|line| format!("{}  ", line[name.len()..].trim_start_matches(is_sign)));
    second.is_some_and(|second| second.starts_with(&format!("{word}  ")))
}

fn without_docker_what_can_be_known_is_still_shown(server: &Homeserver) -> Result<()> {
    server.home.check("systemctl stop docker.socket docker.service")?;
    assert_eq!(server.state_of("paperless")?, "unknown");
    assert_eq!(server.state_of("notes")?, "running");
    assert_eq!(server.state_of("music")?, "data only");
    let plain = server.svc("list")?;
    assert_eq!(plain.code, 0, "{plain}");
    assert!(plain.stdout.contains("Docker cannot be reached"), "{plain}");
    Ok(())
}
