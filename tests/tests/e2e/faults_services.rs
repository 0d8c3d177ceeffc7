//! Units and containers that hang, vanish, come up by themselves or do not start again: rows of the fault matrix that
//! are about what svc stops and starts.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use svc_tests::homeserver::{WAIT, Way};
use svc_tests::kills::Campaign;
use svc_tests::{Homeserver, wait};

const LIMIT: Duration = Duration::from_mins(1);

const COMPOSE: &str = "docker compose -f /var/lib/docker-services/paperless/docker-compose.yml";

/// Adds lines to a unit.
fn amend(server: &Homeserver, unit: &str, lines: &str) -> Result<()> {
    server.home.write(&format!("/etc/systemd/system/{unit}.d/fault.conf"), lines)?;
    server.home.check("systemctl daemon-reload").map(drop)
}

/// Waits until the shell line succeeds.
fn wait_for(server: &Homeserver, line: &str) -> Result<()> {
    ensure!(wait::until(LIMIT, || Ok(server.home.run(line)?.code == 0))?, "it never came to `{line}`");
    Ok(())
}

/// Which containers run, and since when.
fn containers(server: &Homeserver) -> Result<String> {
    server.home.check("docker ps -q | xargs docker inspect -f '{{.Id}} {{.State.StartedAt}}' | sort")
}

fn ids(server: &Homeserver) -> Result<Vec<String>> {
    let ids = server.home.check("docker ps -aq --no-trunc --filter name=paperless | sort")?;
    Ok(ids.lines().map(str::to_owned).collect())
}

#[test]
fn fault_26_without_docker_its_services_are_left_alone_and_units_of_their_own_are_saved() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (before, untouched) = (server.runs()?, containers(&server)?);
    server.home.check("kill -STOP $(pidof dockerd)")?;
    let hung = server.home.run("timeout 60 svc backup local paperless notes");
    server.home.check("kill -CONT $(pidof dockerd)")?;
    let hung = hung?;
    assert_eq!(hung.code, 18, "{hung}");
    assert!(hung.stderr.contains("no answer within 2 s"), "{hung}");
    assert_eq!((server.runs()?, containers(&server)?), (before, untouched));
    assert_eq!((server.snapshots("local", "paperless")?, server.snapshots("local", "notes")?), (0, 1));

    server.home.check("systemctl stop docker.socket docker.service")?;
    let gone = server.svc("backup local paperless notes")?;
    assert_eq!(gone.code, 18, "{gone}");
    assert_eq!((server.snapshots("local", "paperless")?, server.snapshots("local", "notes")?), (0, 2));
    assert_eq!(server.home.check("systemctl is-active notes")?, "active\n");
    Ok(())
}

/// Has each `restic backup` restart Docker first, and with it all that needs it.
const RESTART: &str = "systemctl reset-failed docker; systemctl restart docker
    until docker ps --format '{{.Names}} {{.Status}}' | grep -q 'paperless-web.*(healthy)'; do sleep 0.1; done";

/// The same shell line for the first time only.
fn once(line: &str) -> String {
    format!("[ -e /run/once ] || {{ touch /run/once; {line}; }}")
}

/// How many snapshots of a service its record calls good, and how many not.
fn judged(server: &Homeserver, service: &str) -> Result<(bool, usize)> {
    let record: Value =
        serde_json::from_str(&server.home.read(&format!("/var/lib/svc/records/{service}.json"))?)?;
    let local = &record["backups"]["local"];
    Ok((local["lastGood"].is_object(), local["notGood"].as_array().map_or(0, Vec::len)))
}

fn is_back(server: &Homeserver, before: &str) -> Result<bool> {
    wait::until(LIMIT, || Ok(server.runs()? == before))
}

#[test]
fn fault_27_when_docker_restarts_while_containers_are_saved_they_are_saved_once_more() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    // The service runs again while a frozen copy is read: whatever becomes of it then does no harm.
    server.make_backups_fail(RESTART)?;
    let frozen = server.svc("backup local paperless")?;
    assert_eq!((frozen.code, judged(&server, "paperless")?), (0, (true, 0)), "{frozen}");
    assert!(is_back(&server, &before)?);

    server.freeze_nothing()?;
    server.make_backups_fail(&once(RESTART))?;
    let again = server.svc("backup local paperless")?;
    assert_eq!((again.code, judged(&server, "paperless")?), (0, (true, 1)), "{again}");
    assert!(again.stdout.contains("came up by itself"), "{again}");
    assert!(is_back(&server, &before)?);

    server.make_backups_fail(RESTART)?;
    let partial = server.svc("backup local paperless")?;
    assert_eq!((partial.code, judged(&server, "paperless")?), (3, (true, 3)), "{partial}");
    assert!(partial.stderr.contains("may be torn"), "{partial}");
    assert!(is_back(&server, &before)?);
    server.documents().map(drop)
}

/// Restarts Docker alone, as its own crash does: the units above it are not stopped and started with it.
const DOCKER_ALONE: &str = "systemctl restart --job-mode=ignore-dependencies docker
    until docker ps > /dev/null 2>&1; do sleep 0.1; done; docker ps --format '{{.Names}}' | grep paperless || true";

#[test]
fn fault_27_when_docker_restarts_while_a_frozen_services_containers_are_stopped_the_same_ones_start()
-> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (before, old) = (server.runs()?, ids(&server)?);
    let mut campaign = Campaign::begin(server, Way::Snapshot)?;
    let code = campaign.meanwhile("freeze", |server| {
        let up = server.home.check(DOCKER_ALONE)?;
        ensure!(up.is_empty(), "they are not stopped any more:\n{up}");
        Ok(())
    })?;
    let server = campaign.server();
    assert_eq!((code, judged(server, "paperless")?), (0, (true, 0)));
    assert_eq!((ids(server)?, is_back(server, &before)?), (old, true));
    server.documents().map(drop)
}

#[test]
fn fault_28_containers_that_were_made_anew_meanwhile_are_the_ones_that_start() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (before, old) = (server.runs()?, ids(&server)?);
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let backup = server.home.spawn("svc backup local paperless")?;
    wait_for(&server, "! docker ps | grep paperless")?;
    server.home.check(&format!("{COMPOSE} up --detach --force-recreate && touch /run/go"))?;
    let ended = backup.wait_within(LIMIT)?;
    assert_eq!((ended.code, judged(&server, "paperless")?), (0, (true, 1)), "{ended}");
    let new = ids(&server)?;
    assert!(old.len() == new.len() && !old.iter().any(|id| new.contains(id)), "{old:?} {new:?}");
    assert_eq!(server.runs()?, before);
    server.documents().map(drop)
}

#[test]
fn fault_29_a_container_that_does_not_stop_in_time_is_left_alone_and_not_saved() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    // A debugger that stands still holds every signal back, and hides even a death.
    server.home.check(
        "sed -i 's/init: true/&\\n    stop_grace_period: 1s/' /var/lib/docker-services/archive/docker-compose.yml
         systemctl start docker-compose-archive
         setsid strace -o /run/traced -p $(docker inspect -f '{{.State.Pid}}' archive-archive-1) > /dev/null 2>&1 &
         until grep -q 'TracerPid:[^0]*[1-9]' /proc/$(docker inspect -f '{{.State.Pid}}' archive-archive-1)/status; do sleep 0.05; done
         kill -STOP $(pidof strace)",
    )?;
    let before = server.runs()?;
    let backup = server.svc("backup local archive")?;
    assert_eq!(backup.code, 17, "{backup}");
    assert!(backup.stderr.contains("did not stop `archive-archive-1` within 11 s"), "{backup}");
    assert_eq!((server.runs()?, server.snapshots("local", "archive")?), (before, 0));
    server.home.check("kill -9 $(pidof strace)").map(drop)
}

#[test]
fn fault_30_a_unit_that_hangs_while_it_stops_meets_a_deadline_and_its_state_is_told() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    // systemd itself gives up after as long again for what comes after the stop: later than svc does.
    let hang = "[Service]\nTimeoutStopSec=15\nExecStop=sleep inf\nExecStopPost=sleep inf\n";
    amend(&server, "notes.service", hang)?;
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 17, "{backup}");
    assert!(backup.stderr.contains("within 25 s") && backup.stderr.contains("deactivating"), "{backup}");
    assert_eq!((server.runs()?, server.snapshots("local", "notes")?), (before, 0));
    Ok(())
}

#[test]
fn fault_31_a_stop_that_somebody_cancels_is_no_stop() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    amend(&server, "notes.service", &format!("[Service]\nExecStop=sh -c '{WAIT}'\n"))?;
    let backup = server.home.spawn("svc backup local notes")?;
    wait_for(&server, "[ $(systemctl is-active notes) = deactivating ]")?;
    server.home.check(
        "systemctl cancel $(systemctl list-jobs --no-legend | awk '$2 == \"notes.service\" {print $1}')
         touch /run/go",
    )?;
    let ended = backup.wait_within(LIMIT)?;
    assert_eq!(ended.code, 17, "{ended}");
    assert!(ended.stderr.contains("canceled") && ended.stderr.contains("deactivating"), "{ended}");
    assert_eq!((server.runs()?, server.snapshots("local", "notes")?), (before, 0));
    Ok(())
}

/// A socket that svc knows nothing of: whoever knocks there wants notes, too.
const KNOCKER: &str = "
    printf '[Socket]\\nListenStream=127.0.0.1:8099\\n' > /run/systemd/system/knock.socket
    printf '[Unit]\\nRequires=notes.service\\n[Service]\\nExecStart=sleep inf\\n' > /run/systemd/system/knock.service
    systemctl daemon-reload; systemctl start knock.socket";

#[test]
fn fault_32_a_unit_that_comes_up_by_itself_is_saved_once_more_and_then_the_snapshot_is_partial() -> Result<()>
{
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.home.check(KNOCKER)?;
    server.make_backups_fail(&once("systemctl start notes"))?;
    let again = server.svc("backup local notes")?;
    assert_eq!((again.code, judged(&server, "notes")?), (0, (true, 1)), "{again}");
    // It ran for a part of the time only.
    server.make_backups_fail(&format!(
        "rm -f /run/once; {}",
        once("systemctl start notes; systemctl stop notes")
    ))?;
    let short = server.svc("backup local notes")?;
    assert_eq!((short.code, judged(&server, "notes")?), (3, (true, 3)), "{short}");
    // The client is not answered, and so the socket starts it again as often as it is stopped.
    server.make_backups_fail(&once(
        "{ setsid curl -s -m 60 http://127.0.0.1:8099/ > /dev/null 2>&1 & }; until systemctl is-active -q notes; do sleep 0.05; done",
    ))?;
    server.home.check("rm /run/once")?;
    let partial = server.svc("backup local notes")?;
    assert_eq!(partial.code, 3, "{partial}");
    // Whether the second stop comes to its end between two of its starts is chance.
    assert!(judged(&server, "notes")?.1 >= 4, "{partial}");
    assert!(partial.stderr.contains("`notes.service` came up by itself"), "{partial}");
    assert!(is_back(&server, &before)?);
    Ok(())
}

/// A path unit that starts notes as soon as somebody leaves something there.
const MAILBOX: &str = "
    printf '[Path]\\nPathExists=/run/mail\\nUnit=notes.service\\n' > /etc/systemd/system/mailbox.path
    systemctl daemon-reload; systemctl start mailbox.path";

/// Leaves something there, and says what is up all the same.
const MAIL: &str = "touch /run/mail; systemctl is-active mailbox.path notes.service | grep -vx inactive";

// The same of a socket and of a timer is in `foreign_units`: `calendar` and `feeds`.
#[test]
fn fault_32_a_path_unit_is_off_while_what_it_starts_is_saved_and_on_again_after() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.freeze_nothing()?;
    server.home.check(MAILBOX)?;
    let before = server.runs()?;
    server.watch_backups(MAIL)?;
    let backup = server.svc("backup local notes")?;
    assert_eq!((backup.code, judged(&server, "notes")?), (0, (true, 0)), "{backup}");
    assert_eq!(server.seen_meanwhile()?, "");
    assert_eq!(
        server.home.check("ls /run/mail; systemctl is-active mailbox.path notes")?,
        "/run/mail\nactive\nactive\n"
    );
    assert_eq!(server.runs()?, before);
    Ok(())
}

/// What units are, to the finest.
const STATES: &str = "systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState \
    notes docker-compose-archive feeds.service feeds.timer calendar.service calendar.socket; docker ps -q | wc -l";

#[test]
fn fault_33_what_was_off_masked_or_done_before_is_exactly_so_after() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check(
        "cp /etc/svc/services.new.json /etc/svc/services.json
         systemctl start feeds.service; touch /var/lib/calendar/visits
         mv /etc/systemd/system/notes.service /usr/lib/systemd/system/
         systemctl daemon-reload; systemctl stop notes; systemctl mask notes",
    )?;
    let before = server.home.check(STATES)?;
    assert!(before.contains("LoadState=masked"), "{before}");
    let backup = server.svc("backup local archive notes feeds calendar")?;
    assert_eq!(backup.code, 0, "{backup}");
    assert_eq!(server.home.check(STATES)?, before);
    Ok(())
}

#[test]
fn fault_33_what_could_not_be_started_again_because_it_is_masked_is_not_stopped() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check(
        "mv /etc/systemd/system/notes.service /usr/lib/systemd/system/
         systemctl daemon-reload; systemctl mask notes",
    )?;
    let before = server.runs_since()?;
    let backup = server.svc("backup local notes")?;
    assert_eq!(backup.code, 20, "{backup}");
    assert!(backup.stderr.contains("`notes.service` is masked"), "{backup}");
    assert_eq!((server.runs_since()?, server.snapshots("local", "notes")?), (before, 0));
    Ok(())
}

#[test]
fn fault_34_what_does_not_start_again_is_tried_three_times_and_all_others_start() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    // The recovery after a run that failed so would try, too.
    server.home.write(
        "/etc/systemd/system/svc-recover@.service.d/not.conf",
        "[Service]\nExecStart=\nExecStart=true\n",
    )?;
    let backup = server.home.spawn("svc backup local notes paperless")?;
    wait_for(&server, "! docker ps | grep paperless && ! systemctl is-active notes")?;
    amend(
        &server,
        "notes.service",
        "[Service]\nRestart=no\nExecStartPre=+sh -c 'echo >> /run/tries; false'\n",
    )?;
    server.home.check("touch /run/go")?;
    let ended = backup.wait_within(LIMIT)?;
    assert_eq!(ended.code, 5, "{ended}");
    assert!(
        ended.stderr.contains("notes.service") && ended.stderr.contains("journalctl --unit notes"),
        "{ended}"
    );
    assert_eq!(server.home.check("wc -l < /run/tries")?, "3\n");
    let running = server.runs()?;
    assert_eq!(running, before.replace("notes.service\n", ""));
    assert_eq!((server.snapshots("local", "notes")?, server.snapshots("local", "paperless")?), (1, 1));
    Ok(())
}

#[test]
fn fault_34_what_starts_and_is_not_well_is_told_as_loudly() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let check =
        "healthcheck: {test: [\"CMD\", \"test\", \"-s\", \"/files/numbers\"], interval: 1s, retries: 2}";
    server.home.check(&format!(
        "sed -i 's|init: true|&\\n    {check}|' /var/lib/docker-services/archive/docker-compose.yml
         systemctl start docker-compose-archive"
    ))?;
    server.freeze_nothing()?;
    server.configure(".services.archive.health.timeout = \"10s\"")?;
    let before = server.runs()?;
    server.make_backups_fail("rm /var/lib/docker/volumes/archive_files/_data/numbers")?;
    let ended = server.svc("backup local archive notes")?;
    assert_eq!(ended.code, 5, "{ended}");
    assert!(ended.stderr.contains("archive-archive-1") && ended.stderr.contains("unhealthy"), "{ended}");
    assert_eq!(server.runs()?, before);
    Ok(())
}
