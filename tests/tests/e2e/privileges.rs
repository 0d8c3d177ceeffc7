//! Without root `svc` shows what may be seen, and says what to type for the rest.

use anyhow::Result;
use svc_tests::{Homeserver, enter::Output};

#[test]
fn fault_48_a_plain_user_sees_what_may_be_seen_and_changes_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes")?.code, 0);
    server.home.check("useradd plain")?;
    let plain =
        |words: &str| -> Result<Output> { server.home.run(&format!("runuser -u plain -- svc {words}")) };
    let (before, snapshots) = (server.runs_since()?, server.snapshots("local", "notes")?);
    let files = "find /var/lib/svc /var/cache/svc /data/music -printf '%p %T@ %m %u\\n' | sort";
    let state = server.home.check(files)?;

    for words in [
        "backup local notes",
        "backup all all",
        "restore local notes --yes",
        "start archive",
        "stop notes",
        "restart notes",
        "repo init local",
        "list-backups local notes",
    ] {
        let refused = plain(words)?;
        assert_eq!(refused.code, 19, "{words}: {refused}");
        assert_eq!(
            refused.stderr.lines().last(),
            Some(format!("hint: sudo svc {words}").as_str()),
            "{refused}"
        );
        let json = plain(&format!("{words} --json"))?;
        assert_eq!(json.code, 19, "{words}: {json}");
    }
    assert_eq!(server.home.check(files)?, state);
    assert_eq!((server.runs_since()?, server.snapshots("local", "notes")?), (before, snapshots));

    a_password_in_an_open_directory_is_no_secret_either(&server, &plain)?;
    what_may_be_seen_is_shown(&plain)
}

/// The file can be looked at, and not into: restic would say so in words of its own.
fn a_password_in_an_open_directory_is_no_secret_either(
    server: &Homeserver,
    plain: &dyn Fn(&str) -> Result<Output>,
) -> Result<()> {
    let config = r#"{"repositories": {"local": {"repository": "/r", "passwordFile": "/etc/svc/password"}},
        "services": {"notes": {"backup": {"enable": true, "paths": ["/etc/hostname"]}}}}"#;
    server.home.write("/etc/svc/mine.json", config)?;
    server.home.check("umask 077; echo x > /etc/svc/password")?;
    let words = "-c /etc/svc/mine.json list-backups local notes";
    let refused = plain(words)?;
    assert_eq!(refused.code, 19, "{refused}");
    assert_eq!(refused.stderr.lines().last(), Some(format!("hint: sudo svc {words}").as_str()), "{refused}");
    Ok(())
}

fn what_may_be_seen_is_shown(plain: &dyn Fn(&str) -> Result<Output>) -> Result<()> {
    let list = plain("list")?;
    assert_eq!(list.code, 0, "{list}");
    let line =
        |name: &str| list.stdout.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    // systemd tells everybody about units, Docker nobody about containers; svc's records are for all to read.
    assert!(line("notes").contains("running") && !line("notes").contains("local never"), "{list}");
    assert!(line("paperless").contains("unknown"), "{list}");
    assert!(list.to_string().contains("docker.sock"), "{list}");
    let logs = plain("logs notes --no-follow")?;
    assert_eq!(logs.code, 19, "{logs}");
    assert_eq!(logs.stderr.lines().last(), Some("hint: sudo svc logs notes --no-follow"), "{logs}");
    let check = plain("config check")?;
    assert_eq!(check.code, 0, "{check}");
    Ok(())
}
