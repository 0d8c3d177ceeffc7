//! `svc restore`: all or nothing, and equal to what was saved.

use anyhow::Result;
use svc_tests::Homeserver;
use svc_tests::homeserver::{SEED, music};
use svc_tests::metadata::Tree;

const REPOSITORY: &str = "restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password";

fn tree(server: &Homeserver, path: &str) -> Result<Tree> {
    Tree::read(&server.home.host_path(path)?)
}

#[test]
fn a_destroyed_stack_comes_back_with_all_its_rows() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let media = "/var/lib/docker/volumes/paperless_media/_data";
    let consume = "/data/paperless/consume";
    let (rows, before) = (server.documents()?, [tree(&server, media)?, tree(&server, consume)?]);
    let backup = server.svc("backup local paperless")?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    server.home.check(&format!(
        "rm -rf /var/lib/docker/volumes/paperless_pgdata/_data /var/lib/docker/volumes/paperless_redis/_data {media} {consume}"
    ))?;
    let restore = server.svc("restore local paperless --yes")?;
    assert_eq!(restore.code, 0, "{}{}", restore.stdout, restore.stderr);
    assert_eq!(server.documents()?, rows);
    server.check_documents()?;
    assert_eq!(before[0].difference(&tree(&server, media)?), Vec::<String>::new());
    assert_eq!(before[1].difference(&tree(&server, consume)?), Vec::<String>::new());
    assert_eq!(server.state_of("paperless")?, "running");
    Ok(())
}

#[test]
fn thousands_of_odd_files_come_back_to_the_last_attribute() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let expected = music::expected(SEED);
    assert_eq!(expected.difference(&server.music()?), Vec::<String>::new());
    assert_eq!(server.svc("backup remote music")?.code, 0);
    let mtime = "stat -c %y /data/music";
    let top = server.home.check(mtime)?;
    server.home.check("rm -rf /data/music/library /data/music/beets-library.db /data/music/library_mum")?;
    let restore = server.svc("restore remote music --yes")?;
    assert_eq!(restore.code, 0, "{}{}", restore.stdout, restore.stderr);
    // The directory above the declared paths is not part of the backup: its own time is the restore's.
    server.home.check(&format!("touch -d \"{}\" /data/music", top.trim()))?;
    assert_eq!(expected.difference(&server.music()?), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_snapshot_without_a_target_touches_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check(&format!("{REPOSITORY} backup --tag svc:paperless /data/paperless/consume"))?;
    let (before, rows) = (server.runs_since()?, server.documents()?);
    let restore = server.svc("restore local paperless --yes")?;
    assert_eq!(restore.code, 4, "{}{}", restore.stdout, restore.stderr);
    assert!(restore.stderr.contains("paperless_pgdata"), "{}", restore.stderr);
    assert_eq!(server.runs_since()?, before);
    assert_eq!(server.documents()?, rows);
    let stages = server.home.check("find / -xdev -name '.svc-stage-*' 2>/dev/null; true")?;
    assert_eq!(stages, "");
    Ok(())
}

#[test]
fn a_restore_without_a_terminal_needs_yes() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.svc("backup local notes")?.code, 0);
    let (before, notes) = (server.runs_since()?, server.notes()?);
    let restore = server.svc("restore local notes")?;
    assert_eq!(restore.code, 2, "{}", restore.stderr);
    assert!(restore.stderr.contains("--yes"), "{}", restore.stderr);
    assert_eq!(server.runs_since()?, before);
    server.home.check("systemctl stop notes.service && rm -rf /var/lib/private/notes/notes.db")?;
    assert_eq!(server.svc("restore local notes --yes")?.code, 0);
    assert_eq!(server.notes()?.lines().next(), notes.lines().next());
    Ok(())
}

#[test]
fn fault_51_a_mount_at_or_below_a_target_is_refused_before_anything_stops_and_stays() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let target = "/data/paperless/consume";
    server.home.check(&format!(
        "mkdir -p {target}/inbox /srv/other && echo other > /srv/other/file && echo mine > {target}/inbox/file"
    ))?;
    let saved = server.svc("backup local paperless")?;
    assert_eq!(saved.code, 0, "{saved}");
    server.home.check(&format!("echo later > {target}/later"))?;
    let data = || {
        server.home.check(&format!(
            "cd / && find data/paperless srv/other var/lib/docker/volumes/paperless_media -type f -exec sha256sum {{}} + | sort -k2
             findmnt -rn -o TARGET,SOURCE | grep -e {target} -e /srv/other"
        ))
    };
    for place in [format!("{target}/inbox"), target.to_owned()] {
        server.home.check(&format!("mount --bind /srv/other {place}"))?;
        let (before, held) = (server.runs_since()?, data()?);
        let refused = server.svc("restore local paperless --yes")?;
        assert_eq!(refused.code, 20, "{refused}");
        assert!(refused.stderr.contains(&place), "{refused}");
        assert_eq!((server.runs_since()?, data()?), (before, held), "{place}");
        let stages = server.home.check("find / /data -xdev -name '.svc-stage-*' 2>/dev/null; true")?;
        assert_eq!(stages, "");
        server.home.check(&format!("umount {place}"))?;
    }
    let restored = server.svc("restore local paperless --yes")?;
    assert_eq!(restored.code, 0, "{restored}");
    assert_eq!(
        server.home.check(&format!("ls {target}/later 2>/dev/null; cat {target}/inbox/file"))?,
        "mine\n"
    );
    Ok(())
}

#[test]
fn a_target_on_a_file_system_that_never_answers_is_told_and_nothing_stops() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.back_up("notes")?;
    server.mount_dead()?;
    server.configure(r#".services.notes.restore.paths += ["/mnt/dead/snapshots/latest"]"#)?;
    let before = server.runs_since()?;
    let restore = server.home.run("timeout 120 svc restore local notes --yes < /dev/null")?;
    server.unmount_dead()?;
    assert_eq!(restore.code, 4, "{restore}");
    assert!(restore.stderr.contains("`/mnt/dead/snapshots/latest` has not answered for 30 s"), "{restore}");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}
