//! Locks in a repository: waited for before anything stops, and removed only when they are proven to be svc's own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use svc_tests::enter::{Output, Running};
use svc_tests::{Homeserver, processes, wait};

const RESTIC: &str =
    "RESTIC_REPOSITORY=/mnt/backup/restic RESTIC_PASSWORD_FILE=/var/lib/secrets/restic/password restic";
const LONG: Duration = Duration::from_mins(1);

/// A `restic` in front of the real one, by which backups go on for long.
const SLOW_RESTIC: &str = r#"#!/bin/sh
case " $* " in *" backup "*) exec /usr/bin/restic "$@" --limit-upload=20 ;; esac
exec /usr/bin/restic "$@"
"#;

/// Runs svc with these words; neither it nor restic may send anybody else a signal.
fn quietly(server: &Homeserver, words: &str) -> Result<Output> {
    let argv: Vec<&str> = std::iter::once("svc").chain(words.split(' ')).collect();
    let (signals, output) = processes::foreign_signals(&server.home, &argv)?;
    assert_eq!(signals, [""; 0], "{words}");
    Ok(output)
}

fn locks(server: &Homeserver) -> Result<usize> {
    // One that is being written is none yet.
    let names = server.home.check("ls /mnt/backup/restic/locks")?;
    Ok(names.lines().filter(|name| !name.contains("tmp")).count())
}

/// The process in the only lock of `local`.
fn holder(server: &Homeserver) -> Result<u64> {
    let lock = server.home.check(&format!("{RESTIC} cat lock --no-lock $({RESTIC} list locks --no-lock)"))?;
    serde_json::from_str::<serde_json::Value>(&lock)?["pid"].as_u64().context("a lock without a process")
}

/// Starts a program that has nothing to do with svc, under this very process id.
fn innocent(server: &Homeserver, pid: u64) -> Result<()> {
    // Others start programs meanwhile: it takes more than one try. The box's own /proc/sys is read-only.
    let tries = format!(
        "for try in $(seq 500); do
             echo $(({pid} - 1)) > /proc/sys/kernel/ns_last_pid || exit 2
             setsid sleep 1000 > /dev/null 2>&1 & [ $! = {pid} ] && exit 0
             kill $!
         done; exit 1"
    );
    server.home.program(["unshare", "--mount-proc", "sh", "-c", &tries])?.check().map(drop)
}

/// Two snapshots of `notes`, one of which is to go: somebody has to have the repository alone for it.
fn one_too_many(server: &Homeserver) -> Result<()> {
    for _ in 0..2 {
        assert_eq!(server.svc("backup local notes")?.code, 0);
    }
    server.configure(".services.notes.backup.policy = {last: 1}")
}

/// Somebody else's restic that works in `local` alone, for as long as it is let; `as_who` is what it is started by.
fn somebody(server: &Homeserver, as_who: &str) -> Result<Running> {
    let line = format!("{as_who} {RESTIC} check --read-data --limit-download 40 --no-cache; wait'");
    let running = server.home.spawn(&line)?;
    assert!(wait::until(LONG, || Ok(locks(server)? == 1))?);
    Ok(running)
}

fn end(server: &Homeserver, running: Running) -> Result<()> {
    // By the name of its cache's want: nobody else's restic reads everything.
    server.home.check("kill -TERM $(pgrep -f 'check --read-dat[a]' | tail -1)")?;
    // What it reads at this moment it reads to its end, slowly.
    running.wait_within(LONG * 3)?;
    Ok(())
}

#[test]
fn fault_02_after_a_restic_that_was_killed_the_services_run_and_its_lock_goes() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.freeze_nothing()?;
    let before = server.runs()?;
    server.home.write("/usr/local/bin/restic", SLOW_RESTIC)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let running = server.home.spawn("svc backup local paperless")?;
    // The look before it takes a lock, too, for a moment.
    let uploads = || Ok(server.home.run("pgrep -f 'restic backu[p]'")?.code == 0 && locks(&server)? == 1);
    assert!(wait::until(LONG, uploads)?);
    assert_ne!(server.runs()?, before, "nothing is down");
    server.home.check("pkill -9 -f 'restic backu[p]'")?;
    let killed = running.wait_within(LONG)?;
    assert_eq!((killed.code, server.runs()?), (4, before.clone()), "{killed}");
    server.home.check("rm /usr/local/bin/restic")?;
    let again = quietly(&server, "backup local paperless")?;
    assert_eq!(
        (again.code, server.runs()?, server.snapshots("local", "paperless")?),
        (0, before, 1),
        "{again}"
    );
    let pruned = quietly(&server, "repo prune local")?;
    assert_eq!((pruned.code, locks(&server)?), (0, 0), "{pruned}");
    Ok(())
}

#[test]
fn fault_10_a_repository_locked_by_another_host_is_waited_for_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local music")?.code, 0);
    let other = somebody(&server, "unshare --uts sh -c 'hostname elsewhere; exec env")?;
    let before = server.runs_since()?;
    let began = Instant::now();
    let refused = server.svc("backup local notes --wait-lock 1s")?;
    assert_eq!(refused.code, 11, "{refused}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < LONG / 2, "{took:?}");
    assert!(refused.stderr.contains("`elsewhere`"), "{refused}");
    assert_eq!(server.runs_since()?, before);
    let waiting = server.home.spawn("svc backup local notes --wait-lock 5m")?;
    let is_told = || Ok(waiting.stderr_so_far()?.contains("is locked; nothing stops until it is free"));
    assert!(wait::until(LONG, is_told)?);
    assert_eq!(server.runs_since()?, before);
    end(&server, other)?;
    let ended = waiting.wait_within(LONG)?;
    assert_eq!(ended.code, 0, "{ended}");
    Ok(())
}

/// A backup of `music` whose restic is killed while it uploads: its lock stays.
fn leave_a_lock(server: &Homeserver) -> Result<()> {
    server.home.write("/usr/local/bin/restic", SLOW_RESTIC)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let running = server.home.spawn("svc backup local music")?;
    // The look before it takes a lock, too, for a moment.
    let uploads = || Ok(server.home.run("pgrep -f 'restic backu[p]'")?.code == 0 && locks(server)? == 1);
    assert!(wait::until(LONG, uploads)?);
    server.home.check("pkill -9 -f 'restic backu[p]'")?;
    let killed = running.wait_within(LONG)?;
    assert_eq!((killed.code, locks(server)?), (4, 1), "{killed}");
    server.home.check("rm /usr/local/bin/restic").map(drop)
}

#[test]
fn fault_11_a_lock_that_our_own_dead_process_left_is_removed_and_no_other() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    one_too_many(&server)?;
    leave_a_lock(&server)?;
    let looked = quietly(&server, "repo unlock local -n")?;
    assert_eq!((looked.code, locks(&server)?), (0, 1), "{looked}");
    let (started, forgot) = processes::started(&server.home, "svc forget local notes --yes", "restic")?;
    assert_eq!(
        (forgot.code, locks(&server)?, server.snapshots("local", "notes")?),
        (0, 0, 1),
        "{forgot}\n{started:#?}"
    );
    let unlocks = started.iter().filter(|argv| argv.split(' ').nth(1) == Some("unlock"));
    assert_eq!(unlocks.count(), 1, "{started:#?}");
    assert!(!started.iter().any(|argv| argv.contains("--remove-all")), "{started:#?}");
    leave_a_lock(&server)?;
    let checked = quietly(&server, "repo check local")?;
    assert_eq!((checked.code, locks(&server)?), (0, 0), "{checked}");
    Ok(())
}

#[test]
fn fault_12_no_signal_goes_to_a_program_that_has_the_process_id_of_a_dead_restic() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local music")?.code, 0);
    let innocent = server.home.check("setsid sleep 1000 > /dev/null 2>&1 & echo $!")?.trim().to_owned();
    // In a namespace of its own a restic gets the very id that the innocent program has here, and dies.
    let inside = format!(
        "echo $(({innocent} - 1)) > /proc/sys/kernel/ns_last_pid; {RESTIC} check --read-data --limit-download 40 --no-cache & wait"
    );
    let outside =
        server.home.spawn(&format!("unshare --pid --fork --mount-proc --kill-child sh -c '{inside}'"))?;
    assert!(wait::until(LONG, || Ok(locks(&server)? == 1))?);
    server.home.check("pkill -9 -f 'check --read-dat[a]'")?;
    outside.wait_within(LONG)?;
    assert_eq!(holder(&server)?.to_string(), innocent);
    for words in ["repo unlock local", "repo check local --wait-lock 1s", "repo prune local --wait-lock 1s"] {
        let refused = quietly(&server, words)?;
        assert_eq!((refused.code, locks(&server)?), (11, 1), "{words}: {refused}");
        assert!(refused.stderr.contains("which lives here"), "{refused}");
        assert_eq!(server.home.read(&format!("/proc/{innocent}/comm"))?, "sleep\n", "{words}");
    }
    Ok(())
}

#[test]
fn fault_12_a_program_that_has_the_id_of_our_own_dead_restic_is_waited_for_and_hears_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    one_too_many(&server)?;
    leave_a_lock(&server)?;
    let pid = holder(&server)?;
    innocent(&server, pid)?;
    // All that anybody sends it, also from a unit.
    let ear = server.home.spawn(&format!("exec strace -qq -e trace=none -o /run/heard -p {pid}"))?;
    let status = format!("/proc/{pid}/status");
    assert!(wait::until(LONG, || Ok(!server.home.read(&status)?.contains("TracerPid:\t0")))?);
    for words in [
        "repo unlock local",
        "repo check local --wait-lock 1s",
        "repo prune local --wait-lock 1s",
        "forget local notes --yes",
    ] {
        let refused = quietly(&server, words)?;
        assert_eq!((refused.code, locks(&server)?), (11, 1), "{words}: {refused}");
        let told = format!("its process id {pid} is another program's by now");
        assert!(refused.stderr.contains(&told), "{words}: {refused}");
        assert_eq!(server.home.read(&format!("/proc/{pid}/comm"))?, "sleep\n", "{words}");
    }
    assert_eq!((server.home.read("/run/heard")?, server.snapshots("local", "notes")?), (String::new(), 2));
    server.home.check(&format!("kill {pid}"))?;
    ear.wait_within(LONG)?;
    assert!(server.home.read("/run/heard")?.contains("SIGTERM"), "it heard nothing at all");
    let checked = quietly(&server, "repo check local")?;
    assert_eq!((checked.code, locks(&server)?), (0, 0), "{checked}");
    Ok(())
}

#[test]
fn fault_13_a_lock_from_another_process_namespace_is_alive_though_nobody_here_has_its_id() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local music")?.code, 0);
    // Far above all that were given here so far.
    let pid: u64 = server.home.check("echo $(($(cat /proc/sys/kernel/pid_max) / 2))")?.trim().parse()?;
    let as_who = format!(
        "unshare --pid --fork --mount-proc sh -c 'echo {} > /proc/sys/kernel/ns_last_pid; env",
        pid - 1
    );
    let other = somebody(&server, &as_who)?;
    let nobody = format!("! test -e /proc/{pid}");
    assert_eq!(holder(&server)?, pid);
    server.home.check(&nobody)?;
    let before = server.runs_since()?;
    for words in ["backup local notes --wait-lock 1s", "repo unlock local", "repo check local --wait-lock 1s"]
    {
        let refused = quietly(&server, words)?;
        assert_eq!((refused.code, locks(&server)?), (11, 1), "{words}: {refused}");
    }
    server.home.check(&nobody)?;
    assert_eq!(server.runs_since()?, before);
    end(&server, other)
}

#[test]
fn fault_14_junk_in_a_repository_is_told_soon_and_left_where_it_is() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    let repository = "/mnt/backup/restic";
    let junk = format!("{repository}/locks/{}", "a".repeat(64));
    for (damage, mend, words) in [
        (format!("echo junk > {junk}"), format!("rm {junk}"), "invalid lock file"),
        (
            format!("cp {repository}/config /tmp/config; truncate -s 30 {repository}/config"),
            format!("cp /tmp/config {repository}/config"),
            "ciphertext too short",
        ),
        (format!("truncate -s 50 {repository}/keys/*"), "true".to_owned(), "invalid data returned"),
    ] {
        server.home.check(&damage)?;
        let all = format!("find {repository} -type f -exec sha256sum {{}} + | sort");
        let files = server.home.check(&all)?;
        let refused = server.home.run("timeout 60 svc backup local notes")?;
        assert_eq!(refused.code, 13, "{damage}: {refused}");
        assert!(refused.stderr.contains(words), "{damage}: {refused}");
        assert_eq!(server.home.check(&all)?, files, "{damage}");
        server.home.check(&mend)?;
    }
    assert_eq!(server.runs_since()?, before);
    Ok(())
}
