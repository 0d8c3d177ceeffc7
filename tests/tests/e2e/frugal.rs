//! What svc asks of the machine is as little for a thousand services as for ten. Counted, never timed.

use anyhow::Result;
use svc_tests::{
    Machine, counter, crowd,
    lease::{Slot, test_can_go_on},
    processes, svc,
};

/// A box with svc on it.
fn machine() -> Result<Option<Machine>> {
    if !test_can_go_on()? {
        return Ok(None);
    }
    let mut machine = Slot::take()?.pristine("home")?;
    svc::install(machine.disks())?;
    machine.up()?;
    Ok(Some(machine))
}

#[test]
fn a_list_of_any_length_is_one_request_to_docker_and_three_waits_for_the_bus() -> Result<()> {
    let Some(machine) = machine()? else { return Ok(()) };
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

/// restic's verbs that a backup of a service starts, in alphabetical order.
fn verbs(machine: &Machine, service: &str) -> Result<Vec<String>> {
    let (started, output) = processes::started(machine, &format!("svc backup local {service}"), "restic")?;
    assert_eq!(output.code, 0, "{output}");
    let mut verbs: Vec<String> =
        started.iter().filter_map(|line| line.split(' ').nth(1).map(str::to_owned)).collect();
    verbs.sort_unstable();
    Ok(verbs)
}

#[test]
fn a_backup_starts_restic_three_times() -> Result<()> {
    let Some(machine) = machine()? else { return Ok(()) };
    crowd::plant(&machine, 10)?;
    machine.write("/etc/svc/services.json", crowd::tree())?;
    // What restic is there is known from the first run on.
    assert_eq!(verbs(&machine, "tree")?, ["backup", "cat", "snapshots", "version"]);
    for _ in 0..2 {
        assert_eq!(verbs(&machine, "tree")?, ["backup", "cat", "snapshots"]);
    }
    Ok(())
}

/// A service that runs and has 90 MB on btrfs, and one that has them on ext4.
const DISKS: &str = r#"set -e
truncate -s 1G /root/disk; mkfs.ext4 -q /root/disk; mkdir -p /srv/slow; mount -o loop /root/disk /srv/slow
head -c 90M /dev/urandom > /srv/slow/large; cp /srv/slow/large /srv/tree/
for name in frozen twice; do
    printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/$name.service
done
systemctl daemon-reload; systemctl start frozen twice
service() {
    echo "$1: {name: \"$1\", units: [\"$1.service\"], backup: {enable: true, quiesce: \"stop\", paths: [\"$2\"]}}"
}
jq ".services = {$(service frozen /srv/tree), $(service twice /srv/slow)}" /etc/svc/services.json > /run/services.json
cp /run/services.json /etc/svc/services.json"#;

#[test]
fn a_frozen_backup_starts_restic_as_often_as_a_plain_one_and_two_passes_twice_more() -> Result<()> {
    let Some(machine) = machine()? else { return Ok(()) };
    crowd::plant(&machine, 10)?;
    machine.write("/etc/svc/services.json", crowd::tree())?;
    machine.check(DISKS)?;
    machine.check("svc list-backups local frozen")?;
    assert_eq!(verbs(&machine, "frozen")?, ["backup", "cat", "snapshots"]);
    assert_eq!(verbs(&machine, "twice")?, ["backup", "backup", "cat", "forget", "snapshots"]);
    Ok(())
}

/// Three services, two repositories, and a policy that lets something go of each service each time.
const POLICY: &str = r#"set -e
restic init --quiet --repo /srv/second --password-file /etc/svc/restic.password
service() {
    mkdir -p /srv/$1; echo $1 > /srv/$1/file
    echo "$1: {name: \"$1\", backup: {enable: true, paths: [\"/srv/$1\"], policy: {last: 1}}}"
}
jq ".repositories.second = (.repositories.local | .repository = \"/srv/second\") |
    .services = {$(service one), $(service two), $(service three)}" /etc/svc/services.json > /run/services.json
cp /run/services.json /etc/svc/services.json"#;

#[test]
fn all_services_share_two_looks_at_each_repository_and_each_forgets_with_two_more() -> Result<()> {
    let Some(machine) = machine()? else { return Ok(()) };
    crowd::plant(&machine, 1)?;
    machine.write("/etc/svc/services.json", crowd::tree())?;
    machine.check(POLICY)?;
    assert_eq!(machine.run("svc backup all all")?.code, 0);
    let (started, output) = processes::started(&machine, "svc backup all all", "restic")?;
    assert_eq!(output.code, 0, "{output}");
    let count = |is_it: fn(&str) -> bool| started.iter().filter(|line| is_it(line)).count();
    let is = [
        count(|line| line.contains("restic cat ")),
        count(|line| line.contains("restic snapshots ")),
        count(|line| line.contains("restic backup ")),
        count(|line| line.contains("restic forget ") && line.contains(" --dry-run ")),
        count(|line| line.contains("restic forget ") && !line.contains(" --dry-run ")),
    ];
    assert_eq!((is, started.len()), ([2, 2, 6, 6, 6], 22), "{started:#?}");
    Ok(())
}
