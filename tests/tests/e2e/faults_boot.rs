//! Boots after a power cut or a shutdown in the middle of a run: what only a recovery starts, and data that cannot be
//! brought to one side.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use svc_tests::kills::{epoch_millis, start_ms};
use svc_tests::{Homeserver, Machine, wait};

const LIMIT: Duration = Duration::from_mins(1);
/// How soon after Docker is up a recovery begins to start, in milliseconds.
const SOON: u64 = 10_000;
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

/// Two services that somebody started and nobody enabled: `hand`, a unit, and `chest`, a container that comes back by
/// itself only if nobody stopped it. What of them was off before a boot is off after it, unless a recovery starts it.
const BY_HAND: &str = r"set -e
mkdir -p /srv/hand; echo kept > /srv/hand/file
printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/hand.service
systemctl daemon-reload; systemctl start hand.service
docker run --quiet --detach --init --name chest --restart unless-stopped --pull never homeserver/idle:1";
/// A restic that stands still before it saves anything, and notes that it was told to end.
const STANDING: &str = "trap 'echo told >> /var/told; exit 1' TERM
: > /var/standing-$$; while :; do sleep 0.05; done";
const BOTH: &str = "hand.service\nchest\n";

/// What of them runs.
fn by_hand(server: &Homeserver) -> Result<String> {
    server.home.check(
        "systemctl is-active --quiet hand.service && echo hand.service
         docker ps --filter name='^chest$' --format '{{.Names}}'",
    )
}

fn start_by_hand(server: &Homeserver) -> Result<()> {
    server.home.check(BY_HAND)?;
    server.configure(
        ".services.hand = {name: \"hand\", units: [\"hand.service\"]} | .services.chest = {name: \"chest\"} |
            .services[\"hand\", \"chest\"].backup = {enable: true, paths: [\"/srv/hand\"]}",
    )?;
    server.freeze_nothing()?;
    ensure!(by_hand(server)? == BOTH, "{}", by_hand(server)?);
    Ok(())
}

/// Begins a backup of them, which stands still inside restic; gives the run.
fn stand_inside_restic(server: &Homeserver) -> Result<String> {
    server.home.check("rm -f /var/told /var/standing-*")?;
    server.make_backups_fail(STANDING)?;
    let run = server.home.check("svc backup local hand chest --detach")?.trim().to_owned();
    let stands = || Ok(server.home.check("ls /var | grep -c standing- || true")?.trim() == "2");
    ensure!(wait::until(LIMIT, stands)?, "restic is never begun");
    ensure!(by_hand(server)?.is_empty(), "this runs while it is saved:\n{}", by_hand(server)?);
    Ok(run)
}

fn events(server: &Homeserver, run: &str) -> Result<Vec<Value>> {
    let text = server.home.read(&format!("/var/lib/svc/runs/{run}/log.jsonl"))?;
    text.lines().map(|line| serde_json::from_str(line).context("no event")).collect()
}

/// Goes down in that way in the middle of a backup, and boots without a recovery: it is told as long as something is
/// down, and `svc recover` ends that. Gives the events of the run, up to what another process did.
fn boot_without_recovery(
    server: &mut Homeserver,
    go_down: fn(&mut Machine) -> Result<()>,
) -> Result<Vec<Value>> {
    server.home.check("systemctl mask svc-recover.service")?;
    let run = stand_inside_restic(server)?;
    go_down(&mut server.home)?;
    server.home.up()?;
    let mut events = events(server, &run)?;
    // Data is brought to one side at any boot.
    events.truncate(events.iter().take_while(|event| event["event"] != "recovering").count());
    assert!(!by_hand(server)?.contains("hand.service"), "nobody could have started it");
    let left = server.svc("status hand")?;
    assert_eq!(left.code, 5, "{left}");
    assert!(left.stdout.contains("hand.service"), "{left}");
    let recovered = server.svc("recover")?;
    assert_eq!((recovered.code, &*by_hand(server)?), (0, BOTH), "{recovered}");
    let status = server.svc("status")?;
    assert!(matches!(status.code, 0 | 8), "{status}");
    server.home.check("systemctl unmask svc-recover.service")?;
    Ok(events)
}

/// Does the same and boots with all that is shipped: it runs again. Gives the run.
fn boot_with_recovery(server: &mut Homeserver, go_down: fn(&mut Machine) -> Result<()>) -> Result<String> {
    let run = stand_inside_restic(server)?;
    go_down(&mut server.home)?;
    server.home.up()?;
    let is_back = || Ok(by_hand(server)? == BOTH);
    ensure!(wait::until(LIMIT, is_back)?, "after the boot there runs only\n{}", by_hand(server)?);
    let is_done = || Ok(server.svc("status")?.code != 5);
    ensure!(wait::until(LIMIT, is_done)?, "{}", server.svc("status")?);
    Ok(run)
}

#[test]
fn fault_50_what_nobody_enabled_runs_again_after_a_shutdown_in_the_middle_of_its_backup() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    start_by_hand(&server)?;
    let events = boot_without_recovery(&mut server, Machine::down)?;
    let end = events.last().context("no events")?;
    assert_eq!((&end["event"], &end["report"]["code"]), (&"runFinished".into(), &"terminated".into()));
    assert!(server.home.read("/var/told")?.starts_with("told\n"));
    // Said at the first start that fails, before any pause: a second try would have come after one.
    let is_resume = |event: &&Value| event["step"]["do"] == "resume";
    let resumed: Vec<String> =
        events.iter().filter(is_resume).map(|event| event["service"].to_string()).collect();
    let once: BTreeSet<&String> = resumed.iter().collect();
    assert_eq!((resumed.len(), once.len()), (2, 2), "{resumed:?}");
    let report = &end["report"]["services"][0];
    let failures = report["failures"].as_array().context("no failures")?;
    let said =
        |failure: &Value| failure["message"] == "`hand.service` stays off: the machine is shutting down";
    assert_eq!(failures.iter().filter(|failure| said(failure)).count(), 1, "{report}");
    let down = report["down"].as_array().context("nothing is said to be down")?;
    assert!(down.contains(&serde_json::json!({"unit": "hand.service"})), "{report}");

    let run = boot_with_recovery(&mut server, Machine::down)?;
    let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
    assert_eq!((&runs[0]["run"], &runs[0]["code"]), (&run.into(), &"terminated".into()), "{runs}");
    Ok(())
}

#[test]
fn fault_04_what_nobody_enabled_runs_again_within_10_s_of_docker_after_a_power_cut() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    start_by_hand(&server)?;
    boot_without_recovery(&mut server, Machine::power_cut)?;
    let run = boot_with_recovery(&mut server, Machine::power_cut)?;
    let up = server.home.check("systemctl show -P ActiveEnterTimestamp --timestamp=us+utc docker.service")?;
    let up = epoch_millis(up.trim()).with_context(|| format!("no time: {up}"))?;
    let started = start_ms(&events(&server, &run)?, up).context("the recovery started nothing")?;
    assert!(started <= SOON, "it began {started} ms after Docker was up");
    Ok(())
}
