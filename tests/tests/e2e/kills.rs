//! Runs that die right before and right after each of their side effects, and at random: what ran before runs again, data
//! is old or new, nothing is left, and the next backup succeeds.
//!
//! What a step does that is the same in every way of saving is killed in one of them.

use anyhow::Result;
use svc_tests::Homeserver;
use svc_tests::homeserver::{Still, Way};
use svc_tests::kills::{Ask, Campaign, Cancelled, Death, Dice, Outcome, Verb};

/// All places of a step, before and after it.
const BOTH: usize = 2;
/// The slowest start of what was stopped that is good enough, in milliseconds.
const SLOWEST: u64 = 5000;

fn campaign(way: Way) -> Result<Option<Campaign>> {
    Homeserver::for_test()?.map(|server| Campaign::begin(server, way)).transpose()
}

/// All is well after each, and each of these steps was killed before and after.
fn all_hold(outcomes: &[Outcome], steps: &[&str]) {
    let bad: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for step in steps {
        let killed = outcomes.iter().filter(|outcome| outcome.step.as_deref() == Some(step)).count();
        assert!(killed >= BOTH, "killed {killed} times in `{step}`: {outcomes:#?}");
    }
    let is_slow = |outcome: &&Outcome| {
        outcome.kill.death != Death::Power && outcome.start_ms.is_some_and(|start| start > SLOWEST)
    };
    let slow: Vec<&Outcome> = outcomes.iter().filter(is_slow).collect();
    assert!(slow.is_empty(), "{slow:#?}");
}

/// Kills a backup before and after each of these steps.
fn backups_die_in(way: Way, stopped: &[&str], paused: &[&str]) -> Result<()> {
    let Some(mut campaign) = campaign(way)? else { return Ok(()) };
    if stopped.contains(&"forget") {
        campaign = campaign.forget_old_ones()?;
    }
    for (still, steps) in [(Still::Stop, stopped), (Still::Pause, paused)] {
        if !steps.is_empty() {
            all_hold(&campaign.kill_around(Verb::Backup, still, Death::Process, steps)?, steps);
        }
    }
    Ok(())
}

#[test]
fn fault_01_a_backup_from_snapshots_killed_at_any_step_leaves_nothing_down() -> Result<()> {
    let stopped = ["writeManifest", "stop", "freeze", "resume", "backup", "dropFreeze", "forget"];
    backups_die_in(Way::Snapshot, &stopped, &["pause", "freeze", "resume"])
}

#[test]
fn fault_01_a_backup_from_reflinks_killed_while_it_freezes_leaves_nothing() -> Result<()> {
    backups_die_in(Way::Reflink, &["freeze", "dropFreeze"], &["freeze"])
}

#[test]
fn fault_01_a_backup_in_two_passes_killed_in_either_leaves_nothing_down() -> Result<()> {
    backups_die_in(Way::TwoPasses, &["hot backup", "cold backup", "forgetHot"], &["cold backup"])
}

#[test]
fn fault_01_a_backup_with_a_long_stop_or_a_restart_killed_at_any_step_leaves_nothing_down() -> Result<()> {
    let Some(mut campaign) = campaign(Way::Classic)? else { return Ok(()) };
    let steps = ["backup", "resume"];
    for still in [Still::Stop, Still::Pause] {
        all_hold(&campaign.kill_around(Verb::Backup, still, Death::Process, &steps)?, &steps);
    }
    let restarts = campaign.kill_around(Verb::Restart, Still::Stop, Death::Group, &[])?;
    all_hold(&restarts, &["stop", "resume"]);
    Ok(())
}

#[test]
fn fault_01_a_restore_killed_at_any_step_is_all_or_nothing() -> Result<()> {
    let Some(mut campaign) = campaign(Way::Snapshot)? else { return Ok(()) };
    let outcomes = campaign.kill_around(Verb::Restore, Still::Stop, Death::Process, &[])?;
    all_hold(&outcomes, &["stage", "stop", "exchange", "resume"]);
    Ok(())
}

#[test]
fn fault_01_runs_killed_at_random_leave_nothing_down() -> Result<()> {
    let Some(campaign) = campaign(Way::Snapshot)? else { return Ok(()) };
    let mut campaign = campaign.forget_old_ones()?;
    let (mut dice, mut outcomes) = (Dice::new(20), Vec::new());
    for (count, death) in [(20, Death::Process), (10, Death::Group)] {
        campaign.kill_some(&mut dice, count, Some(death), |outcome| {
            outcomes.push(outcome);
            Ok(())
        })?;
    }
    all_hold(&outcomes, &[]);
    Ok(())
}

#[test]
fn fault_04_a_power_cut_in_any_phase_leaves_nothing_down() -> Result<()> {
    let Some(campaign) = campaign(Way::Snapshot)? else { return Ok(()) };
    let mut campaign = campaign.forget_old_ones()?;
    let backup = ["stop", "freeze", "resume", "backup", "forget"];
    all_hold(&campaign.kill_after(Verb::Backup, Still::Stop, Death::Power, &backup)?, &[]);
    let restore = ["stage", "stop", "exchange", "resume"];
    all_hold(&campaign.kill_after(Verb::Restore, Still::Stop, Death::Power, &restore)?, &[]);
    Ok(())
}

/// All is well after each, and each was asked in all of these steps: by either signal, once and twice.
fn all_end_in_good_order(cancelled: &[Cancelled], steps: &[&str]) {
    let is_bad = |one: &&Cancelled| {
        // After its last side effect a run has nothing to do but to say how it ended, and may have said so first.
        let is_done = one.is_last && one.code == 0;
        !one.violations.is_empty() || !(one.code == one.ask.code() || is_done)
    };
    let bad: Vec<&Cancelled> = cancelled.iter().filter(is_bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for step in steps {
        let own = || cancelled.iter().filter(|one| one.step == *step);
        let by_each = [Ask::Interrupt, Ask::Terminate].iter().all(|ask| own().any(|one| one.ask == *ask));
        assert!(
            by_each && own().any(|one| one.twice) && own().any(|one| !one.twice),
            "{step}: {cancelled:#?}"
        );
    }
}

#[test]
fn fault_43_a_backup_asked_to_end_once_or_twice_at_any_step_leaves_all_as_it_was() -> Result<()> {
    let Some(campaign) = campaign(Way::Snapshot)? else { return Ok(()) };
    let cancelled = campaign.forget_old_ones()?.cancel_within(&[])?;
    let steps = ["writeManifest", "stop", "freeze", "resume", "backup", "dropFreeze", "forget"];
    all_end_in_good_order(&cancelled, &steps);
    Ok(())
}

#[test]
fn fault_43_a_backup_with_a_long_stop_asked_to_end_once_or_twice_leaves_all_as_it_was() -> Result<()> {
    let Some(mut campaign) = campaign(Way::Classic)? else { return Ok(()) };
    let steps = ["backup", "resume"];
    all_end_in_good_order(&campaign.cancel_within(&steps)?, &steps);
    Ok(())
}
