//! The way to a repository on another machine: rows of the fault matrix that are about what is cut, stands still or is not
//! there. The service runs meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use svc_tests::enter::Running;
use svc_tests::{Homeserver, wait};

const LONG: Duration = Duration::from_mins(3);

/// A `restic` in front of the real one, by which an upload takes a minute.
const SLOW_RESTIC: &str = r#"#!/bin/sh
case " $* " in *" backup "*) exec /usr/bin/restic "$@" --limit-upload=1000 ;; esac
exec /usr/bin/restic "$@"
"#;

/// The same, and a backup does not heed SIGTERM: it writes down when it got it.
const STUBBORN_RESTIC: &str = r#"#!/bin/sh
case " $* " in *" backup "*) ;; *) exec /usr/bin/restic "$@" ;; esac
trap 'date +%s > /run/asked' TERM
exec 3<&0
/usr/bin/restic "$@" --limit-upload=1000 <&3 &
while :; do wait $!; code=$?; [ $code -gt 128 ] || exit $code; done
"#;

/// Begins to save `paperless` on the vault, by this `restic`; gives it when the vault has got a part of it.
fn upload(server: &Homeserver, restic: &str, svc: &str) -> Result<Running> {
    server.home.check("head -c 60M /dev/urandom > /var/lib/docker/volumes/paperless_media/_data/large")?;
    server.home.write("/usr/local/bin/restic", restic)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let stored =
        || -> Result<u64> { Ok(server.vault.check("du -sb /srv/restic | cut -f1")?.trim().parse()?) };
    let before = stored()?;
    let mut running = server.home.spawn(&format!("{svc} backup remote paperless"))?;
    // More than any lock.
    let arrives = || Ok(stored()? > before + 200_000 || running.has_ended()?);
    ensure!(wait::until(LONG, arrives)?, "nothing arrives: {}", running.stderr_so_far()?);
    Ok(running)
}

/// When the first such event of the newest run was, in seconds.
fn second_of(server: &Homeserver, is_that: &str) -> Result<i64> {
    let log = "$(ls -d /var/lib/svc/runs/* | tail -1)/log.jsonl";
    let at = format!("jq -r 'select({is_that}) | .at' {log} | head -1");
    Ok(server.home.check(&format!("date +%s -d $({at})"))?.trim().parse()?)
}

#[test]
fn fault_15_a_link_that_is_cut_in_an_upload_ends_at_the_deadline_with_the_service_up() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.configure(".services.paperless.backup.timeout = \"30s\"")?;
    let before = server.runs()?;
    let mut running = upload(&server, STUBBORN_RESTIC, "svc")?;
    server.cut_link()?;
    let meanwhile = server.runs()?;
    assert!(!running.has_ended()?, "{}", running.stderr_so_far()?);
    assert_eq!(meanwhile, before);
    let ended = running.wait_within(LONG)?;
    assert_eq!((ended.code, server.runs()?), (15, before), "{ended}");
    let began = second_of(&server, ".event == \"stepStarted\" and .step.do == \"backup\"")?;
    let asked = server.home.read("/run/asked")?.trim().parse::<i64>()? - began;
    assert!((30..50).contains(&asked), "it was asked to end after {asked} s");
    let killed = second_of(&server, ".event == \"runFinished\"")? - began;
    assert!((90..110).contains(&killed), "it was killed after {killed} s");
    server.restore_link()?;
    // A busy machine needs longer for all services.
    server.configure("del(.services.paperless.backup.timeout)")?;
    server.home.check("rm /usr/local/bin/restic")?;
    let next = server.home.run("systemctl start --wait svc-backup@remote.service")?;
    assert_eq!(next.code, 0, "{}", server.home.check("journalctl -u svc-backup@remote.service")?);
    assert_eq!(server.snapshots("remote", "paperless")?, 1);
    Ok(())
}

#[test]
fn fault_16_a_transfer_that_stands_still_is_ended_with_the_service_up() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    let mut running = upload(&server, SLOW_RESTIC, "SVC_HASTE=10s svc")?;
    server.vault.check("systemctl kill -s STOP restic-rest-server.service")?;
    let meanwhile = server.runs()?;
    assert!(!running.has_ended()?, "{}", running.stderr_so_far()?);
    assert_eq!(meanwhile, before);
    let ended = running.wait_within(LONG)?;
    assert_eq!((ended.code, server.runs()?), (15, before.clone()), "{ended}");
    assert!(ended.stderr.contains("stood still for 10 s"), "{ended}");
    server.vault.check("systemctl kill -s CONT restic-rest-server.service")?;
    server.home.check("rm /usr/local/bin/restic")?;
    let next = server.svc("backup remote paperless")?;
    assert_eq!((next.code, server.snapshots("remote", "paperless")?), (0, 1), "{next}");
    assert_eq!(server.runs()?, before);
    Ok(())
}

#[test]
fn fault_17_a_server_that_is_down_is_found_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    server.vault.check("systemctl stop restic-rest-server.service restic-rest-server.socket 2>/dev/null || systemctl stop restic-rest-server")?;
    let backup = server.svc("backup remote paperless notes")?;
    assert_eq!(backup.code, 15, "{backup}");
    server.home.check("sed -i s/vault:8000/nowhere.invalid:8000/ /var/lib/secrets/restic/remote.env")?;
    let backup = server.svc("backup remote paperless notes")?;
    assert_eq!(backup.code, 15, "{backup}");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}
