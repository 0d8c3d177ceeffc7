//! Runs and those who watch, share, cancel or hook into them: rows of the fault matrix that are about the run itself.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use svc_tests::homeserver::{Still, WAIT, Way};
use svc_tests::kills::{Campaign, Death, Verb};
use svc_tests::{Homeserver, processes, wait};

const LIMIT: Duration = Duration::from_mins(1);
/// What a crowd of runs may take that two processors are shared by.
const CROWD: Duration = Duration::from_mins(5);

/// The newest run's summary.
fn latest(server: &Homeserver) -> Result<Value> {
    let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
    runs.get(0).cloned().context("there is no run")
}

/// Waits until the newest run has ended, and returns its summary.
fn wait_until_ended(server: &Homeserver) -> Result<Value> {
    let ended = wait::poll(LIMIT, || {
        let run = latest(server)?;
        Ok((run["fate"] == "ended" || run["fate"] == "recovered").then_some(run))
    })?;
    ended.context("the run does not end")
}

#[test]
fn fault_01_a_container_that_still_stops_when_the_run_dies_runs_again() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (home, before) = (&server.home, server.runs()?);
    // It ends only once it goes on, or when Docker loses patience: until then it runs, and yet it is about to end.
    let ending = home.check("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' paperless-broker-1")?;
    let (pid, started) = ending.trim().split_once(' ').context("no process")?;
    home.check(&format!("kill -STOP {pid}"))?;
    let run = home.check("date +%s > /run/since; svc backup local paperless --detach")?;
    let told = "docker events --since $(cat /run/since) --until $(date +%s) --filter event=kill \
                --filter container=paperless-broker-1";
    ensure!(wait::until(LIMIT, || Ok(!home.check(told)?.is_empty()))?, "nothing was stopped");
    home.check(&format!("systemctl kill -s KILL --kill-whom=main svc-run-{}", run.trim()))?;
    let log = format!("/var/lib/svc/runs/{}/log.jsonl", run.trim());
    let resumes = |line: &str| line.contains("stepStarted") && line.contains("\"do\":\"resume\"");
    ensure!(wait::until(LIMIT, || Ok(home.read(&log)?.lines().any(resumes)))?, "nobody recovers");
    home.check(&format!("kill -CONT {pid}"))?;
    let ended = wait_until_ended(&server)?;
    assert_eq!((ended["fate"].as_str(), server.runs()?), (Some("recovered"), before), "{ended}");
    let now = home.check("docker inspect -f '{{.State.StartedAt}}' paperless-broker-1")?;
    assert_ne!(now.trim(), started, "it was never down");
    server.documents()?;
    Ok(())
}

#[test]
fn fault_01_a_run_by_another_configuration_that_dies_with_all_of_its_group_leaves_nothing_down() -> Result<()>
{
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (home, before) = (&server.home, server.runs()?);
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    home.check("cp /etc/svc/services.json /root/other.json")?;
    let run = home.check("svc --config /root/other.json backup local paperless --detach")?;
    server.wait_until_down()?;
    home.check(&format!("systemctl kill -s KILL svc-run-{}", run.trim()))?;
    ensure!(wait::until(LIMIT, || Ok(server.runs()? == before))?, "something is down");
    let units = format!("systemctl list-units --all --no-legend 'svc-*{}*'", run.trim());
    ensure!(wait::until(LIMIT, || Ok(home.check(&units)?.is_empty()))?, "its units are left");
    Ok(())
}

/// The names in these targets of a log.
fn names(targets: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let name = |target: Value| Some(target.as_object()?.values().next()?.as_str()?.to_owned());
    targets.into_iter().filter_map(name).collect()
}

#[test]
fn fault_01_status_is_5_until_a_recovery_started_exactly_what_was_recorded_and_stopped() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let home = &server.home;
    home.check("docker stop paperless-web-1")?;
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let run = home.check("svc backup local paperless --detach")?.trim().to_owned();
    server.wait_until_down()?;
    let log = format!("/var/lib/svc/runs/{run}/log.jsonl");
    let saves = || Ok(home.read(&log)?.contains("\"do\":\"backup\""));
    ensure!(wait::until(LIMIT, saves)?, "nothing is saved");
    // Nobody recovers by itself any more; the run has been told already that somebody will.
    home.check("systemctl mask --quiet svc-recover@.service")?;
    let since = home.check(&format!(
        "date +%s.%N; systemctl kill -s KILL --kill-whom=main svc-run-{run}
         while systemctl is-active --quiet svc-run-{run}; do sleep 0.05; done"
    ))?;
    let left = server.svc("status paperless")?;
    assert_eq!((left.code, server.runs()?.contains("paperless-db-1")), (5, false), "{left}");
    let events = home.read(&log)?.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let prior = events.iter().find(|event| event["event"] == "priorState").context("nothing was recorded")?;
    let running = names(prior["running"].as_array().context("no list")?.iter().cloned());
    let stopped =
        names(events.iter().filter(|event| event["event"] == "stopped").map(|event| event["target"].clone()));
    home.check("systemctl unmask svc-recover@.service; rm /run/fault")?;
    let recovered = server.svc("recover")?;
    assert_eq!((recovered.code, server.runs()?), (0, before), "{recovered}");
    let started = home.check(&format!(
        "docker events --since {} --until $(date +%s.%N) --filter event=start --format '{{{{.Actor.Attributes.name}}}}'",
        since.trim()
    ))?;
    let started: BTreeSet<String> = started.lines().map(str::to_owned).collect();
    let owed: BTreeSet<String> = running.intersection(&stopped).cloned().collect();
    assert_eq!((started, owed.contains("paperless-db-1")), (owed, true));
    assert_ne!(server.svc("status paperless")?.code, 5);
    Ok(())
}

#[test]
fn fault_03_a_run_outlives_the_client_that_began_it_and_others_may_watch() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let client = server.home.spawn("exec svc backup local paperless")?;
    server.wait_until_down()?;
    let watcher = server.home.spawn("exec svc attach --json")?;
    watcher.wait_for_stdout("\"do\":\"backup\"", LIMIT)?;
    let killed = server.home.spawn("exec svc attach")?;
    killed.wait_for_stdout("backing up to local", LIMIT)?;
    killed.signal(Signal::KILL)?;
    client.signal(Signal::KILL)?;
    ensure!(client.wait_within(LIMIT)?.code == 137);
    let late = server.home.spawn("exec svc attach")?;
    late.wait_for_stdout("backing up to local", LIMIT)?;
    server.home.check("touch /run/go")?;
    let late = late.wait_within(LIMIT)?;
    assert_eq!(late.code, 0, "{late}");
    let seen = watcher.wait_within(LIMIT)?;
    assert_eq!(seen.code, 0, "{seen}");
    assert!(seen.stdout.lines().last().is_some_and(|last| last.contains("runFinished")), "{seen}");
    let run = wait_until_ended(&server)?;
    assert_eq!((run["fate"].as_str(), run["code"].as_str()), (Some("ended"), Some("ok")), "{run}");
    assert!(run["downtimeMs"].as_u64().is_some_and(|ms| ms > 0), "{run}");
    assert_eq!(server.runs()?, before);
    Ok(())
}

/// Begins 64 backups of a service at once, behind a gate, and writes down how each ended and what it said.
const SIXTY_FOUR: &str = "mkdir -p /run/said; exec 9> /run/gate; flock -x 9
    for n in $(seq 64); do
        (flock -s /run/gate svc backup local paperless > /dev/null 2> /run/said/$n; echo $? > /run/said/$n.code) 9>&- &
    done
    until [ $(pgrep -xc flock) = 64 ]; do sleep 0.05; done
    flock -u 9; wait";

#[test]
fn fault_42_of_64_that_begin_at_once_one_runs_and_each_other_says_who_holds_it() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let (home, before) = (&server.home, server.runs()?);
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let all = home.spawn(SIXTY_FOUR)?;
    let codes = || Ok(home.check("cat /run/said/*.code 2> /dev/null; true")?.lines().count() == 63);
    ensure!(wait::until(CROWD, codes)?, "{}", home.check("tail -n +1 /run/said/*")?);
    home.check("touch /run/go")?;
    let ended = all.wait_within(LIMIT)?;
    let codes = home.check("cat /run/said/*.code | sort -n | uniq -c")?;
    let codes: Vec<&str> = codes.split_whitespace().collect();
    assert_eq!(codes, ["1", "0", "63", "7"], "{ended}\n{}", home.check("tail -n +1 /run/said/*")?);
    let winner = latest_good(&server)?;
    for n in home.check("grep -lx 7 /run/said/*.code")?.lines() {
        let said = home.read(n.trim_end_matches(".code"))?;
        let line = said.lines().find(|line| line.contains("held by another run")).unwrap_or_default();
        let names = line.contains(&format!("backup (run {winner}, process "));
        let (_, step) = line.split_once("; ").unwrap_or_default();
        let tells = step.split_once(" since 20").is_some_and(|(step, _)| !step.is_empty());
        assert!(names && tells, "run {winner}: {said}");
    }
    assert_eq!((server.snapshots("local", "paperless")?, server.runs()?), (1, before));
    Ok(())
}

/// The run of a service's last good backup.
fn latest_good(server: &Homeserver) -> Result<String> {
    let record: Value = serde_json::from_str(&server.home.read("/var/lib/svc/records/paperless.json")?)?;
    Ok(record["backups"]["local"]["lastGood"]["run"].as_str().context("nothing good")?.to_owned())
}

#[test]
fn fault_42_who_waits_for_a_run_runs_after_it_and_nobody_sends_it_a_signal() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let first = server.home.spawn("exec svc backup local paperless")?;
    server.wait_until_down()?;
    let waits = server.home.spawn("exec svc backup local paperless --wait 2m")?;
    let waiting =
        || Ok(waits.stderr_so_far()?.contains("waits for `paperless`, held by another run: backup"));
    ensure!(wait::until(LIMIT, waiting)?, "it does not wait");
    let script = "for n in $(seq 16); do svc backup local paperless & done
                  code=0; for job in $(jobs -p); do wait $job; [ $? = 7 ] || code=1; done; exit $code";
    let (signals, all) = processes::foreign_signals(&server.home, &["bash", "-c", script])?;
    assert_eq!(signals, [""; 0]);
    assert_eq!(all.code, 0, "{all}");
    server.home.check("touch /run/go")?;
    assert_eq!(first.wait_within(LIMIT)?.code, 0);
    let second = waits.wait_within(LIMIT)?;
    assert_eq!(second.code, 0, "{second}");
    assert_eq!((server.snapshots("local", "paperless")?, server.runs()?), (2, before));
    Ok(())
}

#[test]
fn fault_43_a_second_interrupt_starts_the_services_at_once() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    // It does not heed the first signal.
    server.freeze_nothing()?;
    server.make_backups_fail("trap '' TERM INT; while [ ! -e /run/go ]; do sleep 0.05; done; exit 1")?;
    let client = server.home.spawn("exec svc backup local paperless")?;
    server.wait_until_down()?;
    client.signal(Signal::INT)?;
    client.wait_for_stdout("cancelled by SIGINT", LIMIT)?;
    assert!(!server.runs()?.contains("paperless-db-1"), "it waits for restic after the first");
    client.signal(Signal::INT)?;
    let back = || Ok(server.runs()? == before);
    ensure!(wait::until(Duration::from_secs(20), back)?, "it still waits after the second");
    server.home.check("touch /run/go")?;
    let ended = client.wait_within(LIMIT)?;
    assert_eq!(ended.code, 130, "{ended}");
    Ok(())
}

#[test]
fn fault_43_the_first_signal_reaches_restic_which_takes_its_lock_away() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    // As over a slow line: restic alone would be at work for minutes.
    server.configure(
        ".repositories = {local: {environmentFile: \"/var/lib/secrets/restic/local.env\", limitUpload: 256},
            remote: {environmentFile: \"/var/lib/secrets/restic/remote.env\"}}",
    )?;
    server.home.check("head -c 60M /dev/urandom > /var/lib/docker/volumes/paperless_media/_data/large")?;
    let client = server.home.spawn("exec svc backup local paperless")?;
    server.wait_until_down()?;
    let locks = "ls /mnt/backup/restic/locks";
    let is_held = || Ok(server.home.check(locks)?.lines().count() == 1);
    ensure!(wait::until(LIMIT, is_held)?, "restic does not lock the repository");
    client.signal(Signal::TERM)?;
    let ended = client.wait_within(LIMIT)?;
    assert_eq!((ended.code, server.runs()?), (143, before), "{ended}");
    assert_eq!(server.home.check(&format!("{locks}; pgrep -x restic || true"))?, "");
    assert_eq!(server.snapshots("local", "paperless")?, 0, "it was not ended, it came to its end");
    Ok(())
}

#[test]
fn fault_44_a_terminal_that_goes_changes_nothing_about_the_run() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let client = server.home.spawn("exec svc backup local paperless")?;
    server.wait_until_down()?;
    client.signal(Signal::HUP)?;
    let ended = client.wait_within(LIMIT)?;
    assert_eq!(ended.code, 129, "{ended}");
    assert!(ended.stderr.contains("the run goes on") && ended.stderr.contains("svc attach"), "{ended}");
    server.home.check("touch /run/go")?;
    assert_eq!(wait_until_ended(&server)?["code"], "ok");
    assert_eq!(server.runs()?, before);
    Ok(())
}

/// svc on a terminal of its own, which is torn away as soon as svc shows that it saves: what an SSH drop does. Says how svc
/// ended.
const TORN_AWAY: &str = r#"
import os
os.environ["TERM"] = "xterm"
child, terminal = os.forkpty()
if child == 0:
    os.execvp("svc", ["svc", "backup", "local", "paperless"])
seen = b""
while b"backing up" not in seen:
    seen += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn fault_44_a_pty_that_is_torn_away_ends_the_client_and_the_run_goes_on() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let client = server.home.program(["python3", "-c", TORN_AWAY])?.spawn()?.wait_within(LIMIT)?;
    assert_eq!((client.code, client.stdout.as_str()), (0, "129\n"), "{client}");
    let run = latest(&server)?;
    assert_eq!(run["fate"], "running", "{run}");
    assert!(!server.runs()?.contains("paperless-db-1"), "it does not save any more");
    server.home.check("touch /run/go")?;
    let ended = wait_until_ended(&server)?;
    assert_eq!((&ended["run"], ended["fate"].as_str()), (&run["run"], Some("ended")), "{ended}");
    assert_eq!((ended["code"].as_str(), server.runs()?), (Some("ok"), before), "{ended}");
    assert_eq!(server.snapshots("local", "paperless")?, 1);
    Ok(())
}

#[test]
fn fault_49_a_power_cut_in_the_middle_of_an_exchange_ends_on_one_side_before_docker_starts() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let mut campaign = Campaign::begin(server, Way::Snapshot)?;
    // One for each of the four trees that change places, too.
    let mut seen = 0;
    for outcome in campaign.kill_within(Verb::Restore, Still::Stop, Death::Power, "exchange")? {
        assert!(outcome.violations.is_empty(), "{outcome:#?}");
        let log = format!("/var/lib/svc/runs/{}/log.jsonl", outcome.run);
        let text = campaign.server().home.read(&log)?;
        let died_between = text.lines().skip_while(|line| !line.contains("\"exchanging\"")).nth(1);
        if died_between.is_some_and(|line| line.contains("\"recovering\"")) {
            seen += 1;
            let order = "journalctl -b -o short-monotonic -u svc-recover-data -u docker | grep -m1 -n 'Finished svc-recover-data' |
                         cut -d: -f1; journalctl -b -o short-monotonic -u svc-recover-data -u docker | grep -m1 -n 'Starting docker' | cut -d: -f1";
            let order = campaign.server().home.check(order)?;
            let lines: Vec<u64> = order.lines().filter_map(|line| line.parse().ok()).collect();
            assert!(lines.len() == 2 && lines[0] < lines[1], "{order}");
        }
    }
    assert!(seen >= 3, "it died {seen} times in the middle");
    Ok(())
}

#[test]
fn fault_50_a_machine_that_goes_down_during_a_run_brings_all_back_when_it_is_up_again() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    server.home.check("svc backup local paperless --detach")?;
    server.wait_until_down()?;
    server.home.down()?;
    server.home.up()?;
    let back = || Ok(server.runs()? == before);
    ensure!(wait::until(LIMIT, back)?, "not everything is back:\n{}", server.runs()?);
    let run = wait_until_ended(&server)?;
    assert_ne!(run["code"], "ok", "{run}");
    assert_ne!(server.svc("status paperless --json")?.code, 5);
    Ok(())
}
