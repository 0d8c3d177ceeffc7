//! Repositories that are full, gone, closed, swapped or damaged, and what restic says of it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use svc_tests::{Homeserver, processes, tree, wait};

const LONG: Duration = Duration::from_mins(3);
/// What paperless has, without what a test adds. Bytes.
const ALL_ELSE: u64 = 200_000_000;
/// The repository by the real restic.
const RESTIC: &str = "restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password";

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
    assert!(backup.to_string().contains(" are missing: so much"), "{backup}");
    assert_eq!(server.runs()?, before);
    let left = server.home.check(packs)?;
    assert!(files.lines().all(|file| left.contains(file)), "{left}");
    Ok(())
}

#[test]
fn fault_07_a_service_that_is_down_while_the_disk_runs_full_is_up_before_that_is_told() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.home.check(
        "head -c 50000000 /dev/urandom > /var/lib/docker/volumes/paperless_media/_data/new
         fallocate -l $(($(stat -f -c '%f * %S' /mnt/backup) - 30000000)) /mnt/backup/full",
    )?;
    let backup = server.svc("backup local paperless --json")?;
    assert_eq!((backup.code, server.runs()?), (14, before), "{backup}");
    let events = backup.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let resumes = events.iter().find(|event| event["step"]["do"] == "resume").map(|event| &event["index"]);
    let is_back = |event: &Value| {
        event["event"] == "stepFinished" && Some(&event["index"]) == resumes && event["failure"].is_null()
    };
    let back = events.iter().position(is_back).context("it was not stopped, or is not back")?;
    let told = events.iter().position(|event| event["event"] == "serviceFinished").context("no end")?;
    assert!(back < told, "{backup}");
    let said = events[told].to_string();
    let missing = said.split_once("up to ").and_then(|(_, rest)| rest.split_once(" MiB are missing"));
    let mebibytes: u64 =
        missing.and_then(|(figure, _)| figure.split('.').next()).context(said.clone())?.parse()?;
    // Some of it found room.
    assert!(mebibytes > 0 && mebibytes <= (50_000_000 + ALL_ELSE) >> 20, "{said}");
    Ok(())
}

#[test]
fn fault_07_a_disk_without_room_for_a_single_pack_is_found_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    // ext4 keeps 16 MiB for itself.
    server.home.check(
        "fallocate -l $(($(stat -f -c '%f * %S' /mnt/backup) - 30000000)) /mnt/backup/full
         cat /dev/zero >> /mnt/backup/full || true",
    )?;
    let backup = server.svc("backup local paperless")?;
    assert_eq!((backup.code, server.runs_since()?), (14, before), "{backup}");
    assert!(backup.to_string().contains(" are free, and restic needs"), "{backup}");
    server.home.check("rm /mnt/backup/full")?;
    assert_eq!(server.svc("backup local paperless")?.code, 0);
    Ok(())
}

#[test]
fn fault_18_a_wrong_password_is_tried_once_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("echo wrong > /var/lib/secrets/restic/password")?;
    let before = server.runs_since()?;
    let (started, backup) = processes::started(&server.home, "svc backup local notes paperless", "restic")?;
    assert_eq!(backup.code, 12, "{backup}");
    assert_eq!(server.runs_since()?, before);
    let tries = started.iter().filter(|argv| !argv.ends_with(" version"));
    assert_eq!(tries.count(), 1, "{started:#?}");
    Ok(())
}

#[test]
fn fault_19_a_repository_that_is_missing_not_mounted_or_another_is_never_made_nor_used() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    let id = server.home.check(&format!("{RESTIC} cat config | jq -r .id"))?;
    let pinned = format!("{{mountPoint: \"/mnt/backup\", id: \"{}\"}}", id.trim());
    name_repositories(&server, &pinned)?;
    let swap = format!("mv /mnt/backup/restic /mnt/backup/elsewhere; {RESTIC} init --quiet");
    server.home.check(&swap)?;
    let files = "find /mnt/backup/restic -type f | sort";
    let made = server.home.check(files)?;
    let other = server.svc("backup local notes")?;
    assert_eq!(other.code, 20, "{other}");
    assert_eq!(server.home.check(files)?, made, "it is used");
    server.home.check("rm -r /mnt/backup/restic")?;
    let missing = server.svc("backup local notes")?;
    assert_eq!(missing.code, 10, "{missing}");
    server.home.check("umount /mnt/backup")?;
    let unmounted = server.svc("backup local notes")?;
    assert_eq!(unmounted.code, 15, "{unmounted}");
    assert_eq!(server.home.check("ls -A /mnt/backup")?, "", "made below the place where its disk belongs");
    server.home.check(
        "systemctl start mnt-backup.mount && rm -rf /mnt/backup/restic && mv /mnt/backup/elsewhere /mnt/backup/restic",
    )?;
    let back = server.svc("backup local notes --dry-run")?;
    assert_eq!(back.code, 0, "the one that is pinned: {back}");
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

/// Whether the snapshots of `notes` are said to be unproven by `list`, `status` and `list-backups`.
fn unproven(server: &Homeserver) -> Result<(bool, bool, bool)> {
    let says =
        |words: &str| serde_json::from_str::<Value>(&server.svc(words)?.stdout).context(words.to_owned());
    let of_notes = |all: &Value| {
        let services = all["services"].as_array().into_iter().flatten();
        let mut own = services.filter(|service| service["name"] == "notes");
        own.any(|notes| {
            notes["backups"][0]["repository"] == "local" && notes["backups"][0]["damaged"] == true
        })
    };
    let backups = says("list-backups local notes --json")?;
    let all = backups.as_array().context("no list")?;
    ensure!(!all.is_empty(), "there is no snapshot");
    let is_unproven = all.iter().all(|snapshot| snapshot["unproven"] == true);
    Ok((of_notes(&says("list --json")?), of_notes(&says("status --json")?), is_unproven))
}

#[test]
fn fault_21_a_pack_that_is_gone_is_found_by_the_timers_check_and_marks_the_repository() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes")?.code, 0);
    assert_eq!(server.home.run("systemctl start --wait svc-check@local.service")?.code, 0);
    assert_eq!(server.home.run("systemctl start --wait svc-prune@local.service")?.code, 0);
    assert_eq!(unproven(&server)?, (false, false, false));
    server.home.check("rm -f $(find /mnt/backup/restic/data -type f); rm -rf /var/cache/svc/restic")?;
    server.home.check(
        "mkdir -p /etc/systemd/system/svc-check@local.timer.d
         printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=1ms\\n' > /etc/systemd/system/svc-check@local.timer.d/soon.conf
         systemctl daemon-reload; systemctl start svc-check@local.timer",
    )?;
    let status = "systemctl show -P ExecMainStatus svc-check@local.service";
    let has_ended = || Ok(server.home.check(status)?.trim() == "13");
    ensure!(wait::until(LONG, has_ended)?, "{}", server.home.check(status)?);
    assert_eq!(unproven(&server)?, (true, true, true));
    let list = server.svc("list-backups local notes")?;
    assert!(list.code == 0 && list.stderr.contains("none of these is proven"), "{list}");
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
    let record: Value = serde_json::from_str(&server.home.read("/var/lib/svc/records/music.json")?)?;
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
fn fault_23_a_volume_that_is_gone_is_refused_before_anything_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.configure(".services.paperless.backup.volumes += [\"paperless_extra\"]")?;
    server.home.check(
        "docker volume create paperless_extra && touch /var/lib/docker/volumes/paperless_extra/_data/file",
    )?;
    let there = server.svc("backup local paperless")?;
    assert_eq!(there.code, 0, "{there}");
    let before = server.runs_since()?;
    server.home.check("docker volume rm paperless_extra")?;
    let gone = server.svc("backup local paperless")?;
    assert_eq!(gone.code, 4, "{gone}");
    assert!(gone.stderr.contains("paperless_extra"), "{gone}");
    assert_eq!((server.runs_since()?, server.snapshots("local", "paperless")?), (before, 1));
    assert_eq!(
        server.home.check("docker volume ls -q | grep -c paperless_extra || true")?,
        "0\n",
        "it was made anew"
    );
    Ok(())
}

#[test]
fn fault_24_a_restic_that_is_absent_or_too_old_is_told_with_the_version_that_is_needed() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    server.home.check(&format!("ln -s {} /usr/local/bin/restic", tree::other_restic("bookworm")))?;
    let backup = "svc backup local notes paperless";
    let (started, too_old) = processes::started(&server.home, backup, "restic")?;
    assert_eq!(started, ["/usr/local/bin/restic version"]);
    assert_eq!(too_old.code, 6, "{too_old}");
    assert!(too_old.stderr.contains("0.17.1") && too_old.stderr.contains("0.14.0"), "{too_old}");
    server.home.check("rm /usr/local/bin/restic; mv /usr/bin/restic /usr/bin/elsewhere")?;
    let (started, absent) = processes::started(&server.home, backup, "restic")?;
    assert_eq!(started, [""; 0]);
    assert_eq!(absent.code, 6, "{absent}");
    assert!(absent.stderr.contains("0.17.1"), "{absent}");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}

#[test]
fn fault_25_an_unknown_code_is_a_failure_and_an_unknown_message_is_none() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.make_backups_fail("echo what nobody knows >&2; exit 77")?;
    let unknown = server.svc("backup local notes")?;
    assert_eq!(unknown.code, 4, "{unknown}");
    assert!(unknown.stderr.contains("77") && unknown.stderr.contains("what nobody knows"), "{unknown}");
    server.make_backups_fail("yes noise | head -c 20000000 >&2; echo the end of it >&2; exit 77")?;
    let flood = server.svc("backup local notes")?;
    assert_eq!(flood.code, 4, "{}", flood.code);
    // Of what is too much, its end stays.
    assert!(
        flood.stderr.contains("noise") && flood.stderr.contains("the end of it"),
        "{}",
        flood.stderr.len()
    );
    assert!(flood.stderr.len() < 200_000, "{}", flood.stderr.len());
    let record: Value = serde_json::from_str(&server.home.read("/var/lib/svc/records/notes.json")?)?;
    let local = &record["backups"]["local"];
    assert_eq!((local["lastAttempt"]["code"].as_str(), &local["lastGood"]), (Some("failed"), &Value::Null));
    server.make_backups_fail("echo '{\"message_type\":\"hologram\"}'; echo no json; echo text >&2")?;
    let odd = server.svc("backup local notes")?;
    assert_eq!(odd.code, 0, "{odd}");
    let record: Value = serde_json::from_str(&server.home.read("/var/lib/svc/records/notes.json")?)?;
    assert_eq!(record["backups"]["local"]["lastGood"]["code"], "ok", "{record}");
    assert_eq!(server.runs()?, before);
    Ok(())
}
