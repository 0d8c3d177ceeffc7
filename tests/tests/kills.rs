//! Runs that die right before and right after each of their side effects: what ran before runs again, data is old or
//! new, and the next backup succeeds.

use anyhow::Result;
use svc_tests::Homeserver;
use svc_tests::kills::{Campaign, Death, Kill, Outcome, Verb};

/// Kills the verb's run at each of its places until it has none any more.
fn at_every_place(verb: Verb, death: Death) -> Result<Vec<Outcome>> {
    let Some(server) = Homeserver::for_test()? else { return Ok(Vec::new()) };
    let mut campaign = Campaign::begin(server)?;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let Some(outcome) = campaign.kill(Kill { verb, place, death })? else { break };
        outcomes.push(outcome);
    }
    let bad: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    Ok(outcomes)
}

#[test]
fn fault_01_a_backup_killed_at_any_step_leaves_nothing_down() -> Result<()> {
    let outcomes = at_every_place(Verb::Backup, Death::Process)?;
    assert!(outcomes.is_empty() || outcomes.len() >= 10, "{} places", outcomes.len());
    assert!(outcomes.iter().all(|outcome| outcome.recovery_ms <= 5000), "{outcomes:#?}");
    Ok(())
}

#[test]
fn fault_01_a_restore_killed_at_any_step_is_all_or_nothing() -> Result<()> {
    let outcomes = at_every_place(Verb::Restore, Death::Process)?;
    assert!(outcomes.is_empty() || outcomes.len() >= 15, "{} places", outcomes.len());
    Ok(())
}

#[test]
fn fault_01_a_restart_killed_at_any_step_leaves_nothing_down() -> Result<()> {
    let outcomes = at_every_place(Verb::Restart, Death::Group)?;
    assert!(outcomes.is_empty() || outcomes.len() >= 4, "{} places", outcomes.len());
    Ok(())
}
