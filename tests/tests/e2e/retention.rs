//! What a policy does not keep goes: after a good backup, when the service is up again, and never a neighbour's.

use anyhow::Result;
use svc_tests::{Homeserver, enter::Output};

const RESTIC: &str =
    "RESTIC_REPOSITORY=/mnt/backup/restic RESTIC_PASSWORD_FILE=/var/lib/secrets/restic/password restic";

/// A snapshot of another time, as some other tool makes it.
fn save(server: &Homeserver, days_ago: i32, tags: &str) -> Result<()> {
    let line = format!(
        "{RESTIC} backup -q --host home --time \"$(date -d '{days_ago} days ago' '+%F 03:00:00')\" {tags} /var/lib/private/notes"
    );
    server.home.check(&line).map(drop)
}

/// The tags of all snapshots, oldest first.
fn tags(server: &Homeserver) -> Result<Vec<String>> {
    let list = server.home.check(&format!("{RESTIC} snapshots --json | jq -r '.[].tags | join(\",\")'"))?;
    Ok(list.lines().map(str::to_owned).collect())
}

fn keep_last(server: &Homeserver, service: &str, count: u32) -> Result<()> {
    let file = "/etc/svc/services.json";
    let change = format!(".services.{service}.backup.policy = {{last: {count}}}");
    server.home.check(&format!("jq '{change}' {file} > /tmp/new && cat /tmp/new > {file}")).map(drop)
}

#[test]
fn mistake_11_old_snapshots_expire_and_a_neighbours_never() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    keep_last(&server, "notes", 2)?;
    for (days, tags) in
        [(9, "--tag notes"), (8, "--tag notes"), (7, "--tag caddy"), (6, "--tag svc:caddy --tag caddy")]
    {
        save(&server, days, tags)?;
    }
    let dry = server.svc("backup local notes --dry-run")?;
    assert!(dry.code == 0 && dry.stdout.contains("forget") && dry.stdout.contains("last 2"), "{dry}");
    assert_eq!(tags(&server)?.len(), 4);
    let alone = server.svc("forget local notes")?;
    assert_eq!(alone.code, 0, "nothing to do, so nothing to ask: {alone}");
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 0, "{backup}");
    assert_eq!(tags(&server)?, ["notes", "caddy", "svc:caddy,caddy", "svc:notes,notes"]);
    keep_last(&server, "notes", 1)?;
    assert_eq!(server.svc("forget local notes")?.code, 2, "it asks first");
    let alone = server.svc("forget local notes --yes")?;
    assert_eq!(alone.code, 0, "{alone}");
    assert_eq!(tags(&server)?, ["caddy", "svc:caddy,caddy", "svc:notes,notes"]);
    Ok(())
}

#[test]
fn fault_46_a_snapshot_from_the_future_is_never_the_latest_and_holds_retention() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    keep_last(&server, "notes", 1)?;
    save(&server, -2, "--tag svc:notes --tag notes")?;
    let before = server.runs()?;
    let none = server.svc("restore local notes --yes")?;
    assert!(none.code == 4 && none.stderr.contains("from the future"), "{none}");
    save(&server, 3, "--tag svc:notes --tag notes")?;
    let backup = server.svc("backup local notes")?;
    assert_eq!((backup.code, server.runs()?, tags(&server)?.len()), (3, before, 3), "{backup}");
    let forget = server.svc("forget local notes --yes")?;
    assert_eq!((forget.code, tags(&server)?.len()), (20, 3), "{forget}");
    // By its time the future one is the last; the one before it is the new one.
    let ids = server.home.check(&format!("{RESTIC} snapshots --json | jq -r 'sort_by(.time)[].short_id'"))?;
    let new = ids.lines().nth(1).unwrap_or_default();
    let restore = server.svc("restore local notes --dry-run")?;
    assert!(restore.code == 0 && !new.is_empty() && restore.stdout.contains(new), "{new}: {restore}");
    Ok(())
}

/// Runs `svc` as its timer does, with a clock that shows what `/run/clock` says beside the machine's. Clocks that only go on
/// are left alone, as they are when a clock is set.
fn svc_by_its_clock(server: &Homeserver, words: &str) -> Result<Output> {
    server.home.run(&format!(
        "systemd-run --quiet --wait --pipe --collect --unit=svc-nightly \
             -E LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 -E DONT_FAKE_MONOTONIC=1 \
             -E FAKETIME_TIMESTAMP_FILE=/run/clock -E FAKETIME_NO_CACHE=1 svc {words}"
    ))
}

#[test]
fn fault_46_a_clock_that_jumps_in_a_run_or_goes_back_between_two_holds_retention_and_hits_no_deadline()
-> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    keep_last(&server, "notes", 1)?;
    server.configure(".services.notes.backup.timeout = \"5m\"")?;
    save(&server, 3, "--tag svc:notes --tag notes")?;
    let before = server.runs()?;
    // When the run begins, and from its backup on; and how many snapshots are there in the end. A clock that was set in a run
    // is not trusted in the next one if that is earlier; one that is behind shows snapshots from the future.
    let clocks =
        [("+0", "+400d", 2), ("+0", "+0", 3), ("+0", "-400d", 4), ("-400d", "-400d", 5), ("+0", "+0", 1)];
    for (begins, goes_on, count) in clocks {
        server.home.write("/run/clock", begins)?;
        server.make_backups_fail(&format!("echo {goes_on} > /run/clock"))?;
        let backup = svc_by_its_clock(&server, "backup local notes")?;
        let code = if count == 1 { 0 } else { 3 };
        assert_eq!((backup.code, tags(&server)?.len()), (code, count), "{begins}, then {goes_on}: {backup}");
        assert_eq!(server.runs()?, before);
    }
    Ok(())
}

#[test]
fn mistake_08_a_service_is_up_again_before_anything_is_forgotten() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    keep_last(&server, "notes", 1)?;
    save(&server, 3, "--tag svc:notes")?;
    let watcher = "#!/bin/sh\ncase \" $* \" in *\" forget \"*) systemctl is-active notes.service >> /run/meanwhile ;; esac\nexec /usr/bin/restic \"$@\"\n";
    server.home.write("/usr/local/bin/restic", watcher)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 0, "{backup}");
    // It is asked once what would go, and told once what goes.
    assert_eq!(server.home.read("/run/meanwhile")?, "active\nactive\n");
    assert_eq!(tags(&server)?.len(), 1);
    Ok(())
}
