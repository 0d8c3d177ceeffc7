//! Repositories that are full, gone, closed, swapped or damaged, and what restic says of it.

use std::time::Duration;

use anyhow::Result;
use svc_tests::Homeserver;

const LONG: Duration = Duration::from_mins(2);

/// Names the repositories, which today's format only implies; `local` has these fields besides.
fn name_repositories(server: &Homeserver, local: &str) -> Result<()> {
    let of = |name: &str| format!("{{environmentFile: \"/var/lib/secrets/restic/{name}.env\"}}");
    server.configure(&format!(
        ".repositories = {{local: ({} + {local}), remote: {}}}",
        of("local"),
        of("remote")
    ))
}

#[test]
fn fault_07_a_full_disk_of_the_repository_is_told_and_nothing_is_pruned() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes")?.code, 0);
    let before = server.runs()?;
    server.home.check(
        // Root may use what is reserved for it, too.
        "fallocate -l $(($(stat -f -c '%f * %S' /mnt/backup) - 30000000)) /mnt/backup/full;
         head -c 50000000 /dev/urandom > /data/music/library/new.flac",
    )?;
    let packs = "find /mnt/backup/restic/data /mnt/backup/restic/snapshots -type f | grep -v tmp | sort";
    let files = server.home.check(packs)?;
    let backup = server.svc("backup local music paperless")?;
    assert_eq!(backup.code, 14, "{backup}");
    assert!(backup.to_string().contains("bytes are missing"), "{backup}");
    assert_eq!(server.runs()?, before);
    let left = server.home.check(packs)?;
    assert!(files.lines().all(|file| left.contains(file)), "{left}");
    Ok(())
}

#[test]
fn fault_15_a_link_that_is_cut_in_an_upload_ends_at_the_deadline_with_the_service_up() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.configure(".services.paperless.backup.timeout = \"20s\"")?;
    let before = server.runs()?;
    server.watch_backups("echo > /run/gate")?;
    server.home.check("rm -f /run/gate; mkfifo /run/gate")?;
    let running = server.home.spawn("svc backup remote paperless")?;
    server.home.check("timeout 60 cat /run/gate")?;
    server.cut_link()?;
    server.home.spawn("cat /run/gate")?;
    let ended = running.wait_within(LONG)?;
    assert_eq!(ended.code, 15, "{ended}");
    assert_eq!(server.runs()?, before);
    server.restore_link()?;
    server.home.check("rm /usr/local/bin/restic")?;
    assert_eq!(server.svc("backup remote paperless")?.code, 0, "the next window");
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

#[test]
fn fault_18_a_wrong_password_is_tried_once_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("echo wrong > /var/lib/secrets/restic/password")?;
    let before = server.runs_since()?;
    let traced = "strace -qq -f -v -s 200 --seccomp-bpf -e trace=execve -e signal=none -o /run/execs";
    let backup = server.home.run(&format!("{traced} svc backup local notes paperless"))?;
    assert_eq!(backup.code, 12, "{backup}");
    assert_eq!(server.runs_since()?, before);
    let tries = server.home.check("grep execve /run/execs | grep '/restic\"' | grep -vc '\"version\"'")?;
    assert_eq!(tries.trim(), "1", "{}", server.home.read("/run/execs")?);
    Ok(())
}

#[test]
fn fault_19_a_repository_that_is_missing_not_mounted_or_another_is_never_made_nor_used() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    name_repositories(&server, "{mountPoint: \"/mnt/backup\", id: (\"1\" * 64)}")?;
    let other = server.svc("backup local notes")?;
    assert_eq!(other.code, 20, "{other}");
    name_repositories(&server, "{mountPoint: \"/mnt/backup\"}")?;
    server.home.check("mv /mnt/backup/restic /mnt/backup/elsewhere")?;
    let missing = server.svc("backup local notes")?;
    assert_eq!(missing.code, 10, "{missing}");
    server.home.check("umount /mnt/backup")?;
    let unmounted = server.svc("backup local notes")?;
    assert_eq!(unmounted.code, 15, "{unmounted}");
    assert_eq!(server.home.check("ls -A /mnt/backup")?, "");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}

#[test]
fn fault_20_flipped_bytes_are_found_by_the_rotating_check_and_nothing_is_removed_then() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes music")?.code, 0);
    // The largest holds files: a pack of directories is read by every check.
    server.home.check(
        "pack=$(find /mnt/backup/restic/data -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2); chmod u+w $pack;
         printf XXXX | dd of=$pack bs=1 seek=20 conv=notrunc 2>/dev/null; rm -rf /var/cache/svc/restic",
    )?;
    assert_eq!(server.svc("repo check local")?.code, 0, "without reading it is not seen");
    let mut found = None;
    for turn in 1..=12 {
        let check = server.svc("repo check local --subset auto")?;
        if check.code != 0 {
            assert_eq!(check.code, 13, "{check}");
            found = Some(turn);
            break;
        }
    }
    assert!(found.is_some(), "every byte was read, and the damage not seen");
    let snapshots = server.snapshots("local", "notes")?;
    for words in ["repo prune local", "forget local notes --yes"] {
        let held = server.svc(words)?;
        assert_eq!(held.code, 13, "{words}: {held}");
    }
    let backup = server.svc("backup local notes")?;
    assert_eq!((backup.code, server.snapshots("local", "notes")?), (3, snapshots + 1), "{backup}");
    assert!(backup.stderr.contains("unproven") && backup.stderr.contains("svc repo check local"), "{backup}");
    Ok(())
}

#[test]
fn fault_21_a_pack_that_is_gone_is_found_by_the_timers_check_and_marks_the_repository() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes")?.code, 0);
    assert_eq!(server.home.run("systemctl start --wait svc-check@local.service")?.code, 0);
    assert_eq!(server.home.run("systemctl start --wait svc-prune@local.service")?.code, 0);
    server.home.check("rm -f $(find /mnt/backup/restic/data -type f); rm -rf /var/cache/svc/restic")?;
    server.home.run("systemctl start --wait svc-check@local.service")?;
    let status = server.home.check("systemctl show -P ExecMainStatus svc-check@local.service")?;
    assert_eq!(status.trim(), "13");
    let record = server.home.read("/var/lib/svc/records/repositories/local.json")?;
    assert!(record.contains("\"damaged\""), "{record}");
    assert_eq!(server.svc("repo prune local")?.code, 13);
    assert_eq!(server.svc("forget local notes --yes")?.code, 13);
    let doctor = server.svc("doctor")?;
    assert!(doctor.stdout.contains("damaged") && doctor.code == 8, "{doctor}");
    assert_eq!(server.svc("status --cached")?.code, 8);
    Ok(())
}

#[test]
fn fault_22_what_cannot_be_read_makes_a_snapshot_partial_and_never_good() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local music")?.code, 0);
    let file = "/data/music/library/locked.flac";
    server.home.check(&format!("echo la > {file}"))?;
    // Root may read everything: the kernel has to say no.
    let wrapper = format!(
        "#!/bin/sh\ncase \" $* \" in *\" backup \"*) exec strace -qqq -f -o /dev/null -P {file} -e inject=openat:error=EACCES /usr/bin/restic \"$@\" ;; esac\nexec /usr/bin/restic \"$@\"\n"
    );
    server.home.write("/usr/local/bin/restic", wrapper)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let backup = server.svc("backup local music")?;
    assert_eq!(backup.code, 3, "{backup}");
    assert!(backup.stderr.contains(file), "{backup}");
    assert_eq!(server.snapshots("local", "music")?, 2);
    let record: serde_json::Value =
        serde_json::from_str(&server.home.read("/var/lib/svc/records/music.json")?)?;
    let local = &record["backups"]["local"];
    assert_eq!(local["notGood"].as_array().map(Vec::len), Some(1), "{record}");
    assert_ne!(local["lastGood"]["snapshot"], local["notGood"][0]);
    Ok(())
}

#[test]
fn fault_23_a_source_that_is_gone_is_refused_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    server.home.check("mv /data/paperless/consume /data/paperless/elsewhere")?;
    let backup = server.svc("backup local paperless")?;
    assert_eq!(backup.code, 4, "{backup}");
    assert!(backup.stderr.contains("/data/paperless/consume"), "{backup}");
    assert_eq!(server.runs_since()?, before);
    assert_eq!(server.snapshots("local", "paperless")?, 0);
    Ok(())
}

#[test]
fn fault_24_a_restic_that_is_absent_or_too_old_is_told_with_the_version_that_is_needed() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    let old =
        "#!/bin/sh\n[ \"$1\" = version ] && echo 'restic 0.14.0 compiled with go1.19.8 on linux/amd64'\n";
    server.home.write("/usr/local/bin/restic", old)?;
    server.home.check("chmod 755 /usr/local/bin/restic")?;
    let too_old = server.svc("backup local notes paperless")?;
    assert_eq!(too_old.code, 6, "{too_old}");
    assert!(too_old.stderr.contains("0.17.1") && too_old.stderr.contains("0.14.0"), "{too_old}");
    server.home.check("rm /usr/local/bin/restic; mv /usr/bin/restic /usr/bin/elsewhere")?;
    let absent = server.svc("backup local notes paperless")?;
    assert_eq!(absent.code, 6, "{absent}");
    assert!(absent.stderr.contains("0.17.1"), "{absent}");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}

#[test]
fn fault_25_an_unknown_code_is_a_failure_and_an_unknown_message_is_none() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.make_backups_fail("echo what nobody knows >&2; yes noise | head -c 20000000 >&2; exit 77")?;
    let unknown = server.svc("backup local notes")?;
    assert_eq!(unknown.code, 4, "{}", unknown.code);
    assert!(unknown.stderr.contains("77") && unknown.stderr.len() < 200_000, "{}", unknown.stderr.len());
    server.make_backups_fail("echo '{\"message_type\":\"hologram\"}'; echo no json; echo text >&2")?;
    let odd = server.svc("backup local notes")?;
    assert_eq!(odd.code, 0, "{odd}");
    assert_eq!(server.runs()?, before);
    Ok(())
}
