//! `svc list` is truthful: it says what is, not what units claim.

use anyhow::Result;
use svc_tests::Homeserver;

#[test]
fn every_service_is_shown_as_it_really_is() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.state_of("paperless")?, "running");
    assert_eq!(server.state_of("notes")?, "running");
    assert_eq!(server.state_of("archive")?, "stopped");
    assert_eq!(server.state_of("music")?, "data only");

    server.home.check("docker stop paperless-web-1")?;
    assert_eq!(server.state_of("paperless")?, "partial (2/3)");

    server.home.check("systemctl stop docker-compose-caddy.service")?;
    server.home.check("cd /var/lib/docker-services/caddy && docker compose up -d")?;
    assert_eq!(server.state_of("caddy")?, "by hand");

    // A unit file in /etc cannot be masked: the mask is a link of that very name.
    server.home.check("mv /etc/systemd/system/notes.service /usr/lib/systemd/system/")?;
    server.home.check("systemctl daemon-reload && systemctl mask --now notes.service")?;
    assert_eq!(server.state_of("notes")?, "masked");

    let plain = server.svc("list")?;
    for word in ["partial (2/3)", "by hand", "masked", "stopped", "data only"] {
        assert!(plain.stdout.contains(word), "`{word}` is missing in:\n{}", plain.stdout);
    }
    Ok(())
}

#[test]
fn without_docker_what_can_be_known_is_still_shown() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("systemctl stop docker.socket docker.service")?;
    assert_eq!(server.state_of("paperless")?, "unknown");
    assert_eq!(server.state_of("notes")?, "running");
    assert_eq!(server.state_of("music")?, "data only");
    let plain = server.svc("list")?;
    assert_eq!(plain.code, 0, "{}", plain.stderr);
    assert!(
        plain.stdout.contains("unknown") && plain.stdout.contains("Docker cannot be reached"),
        "{}",
        plain.stdout
    );
    Ok(())
}
