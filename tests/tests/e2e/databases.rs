//! A database that is written to at full speed, saved in each way: see `cargo box databases` for many rounds.

use anyhow::Result;
use svc_tests::Homeserver;
use svc_tests::databases::Databases;
use svc_tests::homeserver::{Still, Way};

/// Saved once stopped and once paused.
fn copies_are_sound(way: Way) -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let databases = Databases::begin(server, way)?;
    for still in [Still::Stop, Still::Pause] {
        let round = databases.round(still)?;
        assert!(round.violations.is_empty(), "{round:#?}");
    }
    Ok(())
}

#[test]
fn a_busy_database_is_sound_in_its_copy_from_snapshots() -> Result<()> {
    copies_are_sound(Way::Snapshot)
}

#[test]
fn a_busy_database_is_sound_in_its_copy_from_reflinks() -> Result<()> {
    copies_are_sound(Way::Reflink)
}

#[test]
fn a_busy_database_is_sound_in_its_copy_from_two_passes() -> Result<()> {
    copies_are_sound(Way::TwoPasses)
}

#[test]
fn a_busy_database_is_sound_in_its_copy_from_a_longer_stop() -> Result<()> {
    copies_are_sound(Way::Classic)
}
