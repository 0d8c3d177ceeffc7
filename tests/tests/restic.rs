//! svc-core's own tests of its restic module, with the restic that is in the boxes: the host may have none, or an old one.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use svc_tests::lease::{Slot, test_can_go_on};
use svc_tests::tree;

#[test]
fn the_restic_module_holds_against_the_real_restic() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let restic = tempfile::tempdir()?;
    let program = restic.path().join("restic");
    let box_root = tree::pristine(slot.store())?;
    std::fs::copy(box_root.root().join("usr/bin/restic"), &program)?;
    let server = box_root.root().join("usr/bin/restic-rest-server");
    let cargo = std::env::var_os("CARGO").context("this is a test of cargo's")?;
    let tests = Command::new(cargo)
        .args(["test", "--quiet", "--package", "svc-core", "--test", "restic", "--", "--nocapture"])
        .env("SVC_TEST_RESTIC", &program)
        .env("SVC_TEST_REST_SERVER", server)
        .stdin(Stdio::null())
        .output()?;
    let said = [tests.stdout, tests.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(tests.status.success(), "{said}");
    // One of them wants a restic that is too old, which only some hosts have.
    let ran = said.matches(&format!("with {}", program.display())).count();
    assert!(said.contains("15 passed") && ran >= 14, "{ran} ran:\n{said}");
    Ok(())
}
