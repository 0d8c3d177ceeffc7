//! Boots after a power cut in which data cannot be brought to one side.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use svc_tests::{Homeserver, wait};

const LIMIT: Duration = Duration::from_mins(1);
/// More than a restore has.
const PLACES: usize = 60;

/// A unit of the host whose data is two directories, saved once; since then they have changed.
const SCENE: &str = r"set -e
mkdir -p /srv/pair/a /srv/pair/b
echo saved | tee /srv/pair/a/file > /srv/pair/b/file
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    > /etc/systemd/system/pair.service
systemctl daemon-reload; systemctl enable --now pair.service";
const CHANGE: &str = "echo changed | tee /srv/pair/a/file > /srv/pair/b/file";
const TREES: &str = "cat /srv/pair/a/file /srv/pair/b/file";

fn state(server: &Homeserver) -> Result<String> {
    let show =
        "systemctl show -P ActiveState -P AssertResult pair.service; systemctl is-active docker || true";
    Ok(server.home.check(show)?.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Begins a restore and leaves it standing still where one directory is restored and the other is not.
fn stop_half_way(server: &Homeserver) -> Result<()> {
    server.home.check(CHANGE)?;
    let run = server.home.check("SVC_FAULT=1 svc restore local pair --yes --detach")?.trim().to_owned();
    let question = format!(
        "pid=$(systemctl show -P MainPID svc-run-{run}.service)
         grep -q '\"runFinished\"' /var/lib/svc/runs/{run}/log.jsonl || grep -q '^State:.T' /proc/$pid/status"
    );
    for _ in 0..PLACES {
        ensure!(
            wait::until(LIMIT, || Ok(server.home.run(&question)?.code == 0))?,
            "{run} neither stands nor ends"
        );
        if server.home.check(TREES)?.replace('\n', " ") == "saved changed " {
            return Ok(());
        }
        // It stops again at its next place.
        server.home.run(&format!("systemctl kill --signal=CONT svc-run-{run}.service"))?;
    }
    bail!("the restore does not stand still between its two directories")
}

#[test]
fn fault_49_a_unit_whose_data_stays_a_mixture_does_not_start_at_boot_nor_does_docker() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check(SCENE)?;
    server.configure(
        ".services.pair = {name: \"pair\", units: [\"pair.service\"],
            backup: {enable: true, paths: [\"/srv/pair/a\", \"/srv/pair/b\"]}}",
    )?;
    let saved = server.svc("backup local pair")?;
    assert_eq!(saved.code, 0, "{saved}");
    stop_half_way(&server)?;
    // Now neither forward nor back.
    server.home.check("chattr +i /srv/pair && sync")?;
    server.home.power_cut()?;
    server.home.start()?;
    server.home.wait_until_ready()?;
    assert_eq!(state(&server)?, "inactive no inactive");
    let refused = server.home.run("systemctl start pair.service")?;
    assert_ne!(refused.code, 0, "{refused}");
    assert_eq!(server.svc("recover")?.code, 5, "as long as it cannot");
    server.home.check("chattr -i /srv/pair")?;
    let recovered = server.svc("recover")?;
    assert_eq!(recovered.code, 0, "{recovered}");
    let trees = server.home.check(TREES)?;
    assert!(trees == "saved\nsaved\n" || trees == "changed\nchanged\n", "{trees}");
    server.home.check("systemctl start docker")?;
    assert_eq!(state(&server)?, "active yes active");
    Ok(())
}
