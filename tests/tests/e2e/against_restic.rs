//! svc-core's own tests of its restic module with the restics that are in the boxes, for the host may have none, or an old
//! one; and the homeserver with the newest of them.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use svc_tests::lease::{Slot, test_can_go_on};
use svc_tests::{Homeserver, tree};

#[test]
fn the_restic_module_holds_against_the_real_restic() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let directory = tempfile::tempdir()?;
    let root = tree::pristine(slot.store())?.root();
    let copy = |of: &str, name: &str| -> Result<_> {
        let program = directory.path().join(name);
        std::fs::copy(root.join(of.trim_start_matches('/')), &program)?;
        Ok(program)
    };
    let programs = [copy("/usr/bin/restic", "restic")?, copy(&tree::other_restic("sid"), "newest")?];
    let cargo = std::env::var_os("CARGO").context("this is a test of cargo's")?;
    let tests = Command::new(cargo)
        .args(["test", "--quiet", "--package", "svc-core", "--test", "restic", "--", "--nocapture"])
        .env("SVC_TEST_RESTIC", std::env::join_paths(&programs)?)
        .env("SVC_TEST_OLD_RESTIC", copy(&tree::other_restic("bookworm"), "oldest")?)
        .env("SVC_TEST_REST_SERVER", root.join("usr/bin/restic-rest-server"))
        .stdin(Stdio::null())
        .output()?;
    let said = [tests.stdout, tests.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(tests.status.success() && said.contains("15 passed") && !said.contains("SKIPPED"), "{said}");
    for program in programs {
        // One of them wants the restic that is too old.
        let ran = said.matches(&format!("with {}\n", program.display())).count();
        assert!(ran >= 14, "{ran} ran with {}:\n{said}", program.display());
    }
    Ok(())
}

#[test]
fn the_newest_restic_saves_frozen_services_forgets_and_restores() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let newest = tree::other_restic("sid");
    server.home.check(&format!("ln -s {newest} /usr/local/bin/restic"))?;
    let version = server.home.check("restic version")?;
    let is_newer = |version: &str| version.split('.').nth(1)?.parse::<u32>().ok().map(|minor| minor >= 19);
    assert_eq!(is_newer(&version), Some(true), "{version}");
    server.configure(".services[].backup.policy = {last: 1}")?;
    let (before, documents, notes) = (server.runs()?, server.documents()?, server.notes()?);
    let plan = server.svc("-n backup local paperless")?.stdout;
    assert!(plan.contains("btrfs snapshot"), "{plan}");
    for _ in 0..2 {
        let backup = server.svc("backup local notes paperless")?;
        assert_eq!(backup.code, 0, "{backup}");
    }
    assert_eq!((server.snapshots("local", "paperless")?, server.snapshots("local", "notes")?), (1, 1));
    server.home.check(
        "docker exec paperless-db-1 psql -q -h 127.0.0.1 -U paperless -c 'delete from documents'
         sqlite3 /var/lib/private/notes/notes.db 'delete from notes'",
    )?;
    assert_ne!(server.documents()?, documents);
    for service in ["paperless", "notes"] {
        let restored = server.svc(&format!("restore local {service} --yes"))?;
        assert_eq!(restored.code, 0, "{restored}");
    }
    assert_eq!((server.documents()?, server.notes()?, server.runs()?), (documents, notes, before));
    let checked = server.svc("repo check local")?;
    assert_eq!(checked.code, 0, "{checked}");
    Ok(())
}
