//! `svc backup`: exit 0 means restorable, and whatever happens, what ran before runs again.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use svc_tests::Homeserver;

#[test]
fn all_services_are_saved_and_run_as_before() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    let backup = server.svc("backup all all")?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    assert_eq!(server.runs()?, before);
    for service in ["paperless", "caddy", "music", "notes"] {
        assert_eq!(server.snapshots("local", service)?, 1, "{service}");
        assert_eq!(server.snapshots("remote", service)?, 1, "{service}");
    }
    server.home.check(
        "restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password check --read-data",
    )?;
    Ok(())
}

#[test]
fn one_missing_path_fails_its_service_and_no_other() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("mv /data/music/library_mum /data/music/elsewhere")?;
    let backup = server.svc("backup remote all")?;
    assert_eq!(backup.code, 4, "{}{}", backup.stdout, backup.stderr);
    assert!(backup.stderr.contains("/data/music/library_mum"), "{}", backup.stderr);
    assert_eq!(server.snapshots("remote", "music")?, 0);
    for service in ["paperless", "caddy", "notes"] {
        assert_eq!(server.snapshots("remote", service)?, 1, "{service}");
    }
    Ok(())
}

/// A repository that the run does not use, a source, and what is mounted below one.
const ON_DEAD_DISK: &str = r#"
    .repositories = (["local", "remote"] | map({(.): {environmentFile: "/var/lib/secrets/restic/\(.).env"}}) | add) |
    .repositories.nas = {repository: "/mnt/dead/snapshots/restic", passwordFile: "/var/lib/secrets/restic/password"} |
    .services.music.backup.paths += ["/mnt/dead/snapshots/latest"] |
    .services.paperless.backup.paths += ["/mnt"]"#;

#[test]
fn a_file_system_that_never_answers_fails_who_is_saved_from_it_and_nobody_else() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.mount_dead()?;
    server.configure(ON_DEAD_DISK)?;
    let before = server.runs_since()?;
    let broken = server.home.run("timeout -k 1 120 svc backup remote music paperless")?;
    let after = server.runs_since()?;
    let good = server.home.run("timeout -k 1 120 svc backup local notes")?;
    server.unmount_dead()?;
    assert_eq!((broken.code, good.code), (4, 0), "{broken}{good}");
    assert_eq!(after, before);
    for path in ["/mnt/dead/snapshots/latest", "/mnt/dead"] {
        assert!(broken.stderr.contains(&format!("`{path}` has not answered for 30 s")), "{broken}");
    }
    assert_eq!((server.snapshots("remote", "music")?, server.snapshots("remote", "paperless")?), (0, 0));
    assert_eq!(server.snapshots("local", "notes")?, 1);
    Ok(())
}

#[test]
fn a_wrong_password_is_found_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("echo wrong > /var/lib/secrets/restic/password")?;
    let before = server.runs_since()?;
    let backup = server.svc("backup remote all")?;
    assert_eq!(backup.code, 12, "{}{}", backup.stdout, backup.stderr);
    assert_eq!(server.runs_since()?, before);
    Ok(())
}

#[test]
fn without_docker_what_needs_none_is_saved_and_the_rest_is_named() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("systemctl stop docker.socket docker.service")?;
    let backup = server.svc("backup local all")?;
    assert_eq!(backup.code, 18, "{}{}", backup.stdout, backup.stderr);
    // A native service is none of Docker's, even where it has to be stopped.
    for service in ["music", "notes"] {
        assert_eq!(server.snapshots("local", service)?, 1, "{service}");
    }
    assert_eq!(server.snapshots("local", "paperless")?, 0);
    for service in ["`paperless`", "`caddy`"] {
        assert!(backup.stderr.contains(service), "{}", backup.stderr);
    }
    Ok(())
}

#[test]
fn a_failing_restic_is_never_a_success() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    for (fault, code) in [("exit 1", 4), ("exit 3", 4), ("exit 12", 12), ("kill -9 $$", 4)] {
        server.make_backups_fail(fault)?;
        let backup = server.svc("backup local paperless notes")?;
        assert_eq!(backup.code, code, "`{fault}`: {}{}", backup.stdout, backup.stderr);
        assert_eq!(server.runs()?, before, "`{fault}`");
        assert_eq!(server.snapshots("local", "paperless")?, 0, "`{fault}`");
    }
    Ok(())
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_backup() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let line = server.home.check("bash -o pipefail -c 'svc backup local all | head -1'")?;
    assert_eq!(line.lines().count(), 1, "{line}");
    for service in ["paperless", "caddy", "music", "notes"] {
        assert_eq!(server.snapshots("local", service)?, 1, "{service}");
    }
    Ok(())
}

#[test]
fn ctrl_c_leaves_every_service_as_it_was() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.home.check("mkfifo /run/gate")?;
    server.make_backups_fail("echo > /run/gate; sleep 600")?;
    let running = server.home.program(["svc", "backup", "local", "paperless"])?.spawn()?;
    // The gate opens when restic has been started, and with it the service has been stopped.
    server.home.check("timeout 60 cat /run/gate")?;
    assert_ne!(server.runs()?, before);
    running.signal_group(Signal::INT)?;
    let ended = running.wait_within(Duration::from_mins(1))?;
    assert_eq!(ended.code, 130, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(server.runs()?, before);
    assert_eq!(server.snapshots("local", "paperless")?, 0);
    Ok(())
}

#[test]
fn a_backup_takes_no_more_of_the_machine_than_its_limits() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.configure(".limits = {nice: 7, ioClass: \"idle\", memoryMax: 1500}")?;
    server.configure(".services[].backup.enable = false | .services.notes.backup.enable = true")?;
    let look = "unit=$(grep -o 'svc-[^/]*service' /proc/self/cgroup); ionice -p $$ > /run/seen;
        nice >> /run/seen; systemctl show -P MemoryMax $unit >> /run/seen;
        cut -d' ' -f19 /proc/$PPID/stat >> /run/seen";
    server.make_backups_fail(look)?;
    // svc itself, which starts the service again, steps back for nobody: it is the last line.
    let seen = "idle\n7\n1572864000\n0\n";
    let backup = server.svc("backup local notes")?;
    assert_eq!((backup.code, server.home.read("/run/seen")?.as_str()), (0, seen), "{backup}");
    // The same goes for what a timer begins, in a unit that is not svc's to make.
    server.home.check("rm /run/seen; systemctl start --wait svc-backup@local.service")?;
    assert_eq!(server.home.read("/run/seen")?, seen);
    // systemd would keep that until the next boot.
    server.configure("del(.limits.memoryMax)")?;
    server.home.check("systemctl start --wait svc-backup@local.service")?;
    assert_eq!(server.home.read("/run/seen")?, seen.replace("1572864000", "infinity"));

    // A service that is down for it waits for nobody.
    server.freeze_nothing()?;
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 0, "{backup}");
    assert_eq!(server.home.read("/run/seen")?, "none: prio 0\n0\ninfinity\n0\n");
    Ok(())
}

#[test]
fn a_stack_goes_down_and_up_by_its_unit_where_stop_via_says_so() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.freeze_nothing()?;
    server.configure(".services.paperless.backup.stopVia = \"unit\"")?;
    let before = server.runs()?;
    // `compose down` removes what Docker's own stop would leave.
    server.watch_backups("docker ps --all --format '{{.Names}}' | grep ^paperless-")?;
    let backup = server.svc("backup local paperless")?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    assert_eq!(server.seen_meanwhile()?, "");
    assert_eq!(server.runs()?, before);
    // Its unit would start what is off.
    server.home.check("docker stop paperless-web-1 > /dev/null")?;
    let partial = server.runs()?;
    let backup = server.svc("backup local paperless")?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    assert_ne!(server.seen_meanwhile()?, "");
    assert_eq!(server.runs()?, partial);
    Ok(())
}
