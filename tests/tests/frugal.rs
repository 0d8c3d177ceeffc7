//! What svc asks of the machine is as little for a thousand services as for ten. Counted, never timed.

use anyhow::Result;
use svc_tests::{
    Machine, counter, crowd,
    lease::{Slot, test_can_go_on},
    processes, svc,
};

/// A place in the pool, and a box with svc on it.
fn machine() -> Result<Option<(Machine, Slot)>> {
    if !test_can_go_on()? {
        return Ok(None);
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("home")?;
    svc::install(machine.disks())?;
    machine.up()?;
    Ok(Some((machine, slot)))
}

#[test]
fn a_list_of_any_length_is_one_request_to_docker_and_three_waits_for_the_bus() -> Result<()> {
    let Some((machine, _slot)) = machine()? else { return Ok(()) };
    crowd::settle(&machine)?;
    for count in [10, 100, 1000] {
        machine.write("/etc/svc/services.json", crowd::services(count))?;
        let (cost, output) = counter::cost(&machine, "svc list")?;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{count} services");
        let running = output.stdout.lines().filter(|line| line.contains("  running  ")).count();
        assert_eq!(running, count.min(2 * crowd::EACH), "{}", output.stdout);
        assert_eq!(cost.requests, ["GET /v1.44/containers/json?all=true&size=false"], "{count} services");
        // The greeting, the list, and what the list leaves open.
        assert_eq!(cost.waits, 3, "{count} services");
    }
    Ok(())
}

#[test]
fn a_backup_starts_restic_three_times() -> Result<()> {
    let Some((machine, _slot)) = machine()? else { return Ok(()) };
    crowd::plant(&machine, 10)?;
    machine.write("/etc/svc/services.json", crowd::tree())?;
    for run in ["first", "second", "third"] {
        let (started, output) = processes::started(&machine, "svc backup local tree", "restic")?;
        assert_eq!(output.code, 0, "{output}");
        let verbs: Vec<&str> = started.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        // What restic is there is known from the first run on.
        let version = if run == "first" { ["version"].as_slice() } else { &[] };
        let mut expected = [version, &["cat", "snapshots", "backup"]].concat();
        expected.sort_unstable();
        let mut seen = verbs.clone();
        seen.sort_unstable();
        assert_eq!(seen, expected, "the {run} run: {started:#?}");
    }
    Ok(())
}
