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

/// The newest run's summary.
fn latest(server: &Homeserver) -> Result<Value> {
    let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
    runs.get(0).cloned().context("there is no run")
}

/// Waits until a service's containers are down for a backup that waits.
fn wait_until_down(server: &Homeserver) -> Result<()> {
    let is_down = || Ok(!server.runs()?.contains("paperless-db-1"));
    ensure!(wait::until(LIMIT, is_down)?, "nothing was stopped");
    Ok(())
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
    wait_until_down(&server)?;
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
    wait_until_down(&server)?;
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

#[test]
fn fault_42_sixteen_at_once_are_one_and_the_others_say_who_holds_it() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let first = server.home.spawn("exec svc backup local paperless")?;
    wait_until_down(&server)?;
    let waits = server.home.spawn("exec svc backup local paperless --wait 2m")?;
    let waiting =
        || Ok(waits.stderr_so_far()?.contains("waits for `paperless`, held by another run: backup"));
    ensure!(wait::until(LIMIT, waiting)?, "it does not wait");
    let script = "for n in $(seq 16); do svc backup local paperless > /dev/null 2> /run/said-$n & done
                  code=0; for job in $(jobs -p); do wait $job; [ $? = 7 ] || code=1; done; exit $code";
    let (signals, all) = processes::foreign_signals(&server.home, &["bash", "-c", script])?;
    assert_eq!(signals, [""; 0]);
    assert_eq!(all.code, 0, "{all}\n{}", server.home.check("cat /run/said-*")?);
    let said = server.home.read("/run/said-1")?;
    assert!(said.contains("backup (run ") && said.contains("backing up since"), "{said}");
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
    wait_until_down(&server)?;
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
fn fault_44_a_terminal_that_goes_changes_nothing_about_the_run() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    let client = server.home.spawn("exec svc backup local paperless")?;
    wait_until_down(&server)?;
    client.signal(Signal::HUP)?;
    let ended = client.wait_within(LIMIT)?;
    assert_eq!(ended.code, 129, "{ended}");
    assert!(ended.stderr.contains("the run goes on") && ended.stderr.contains("svc attach"), "{ended}");
    server.home.check("touch /run/go")?;
    assert_eq!(wait_until_ended(&server)?["code"], "ok");
    assert_eq!(server.runs()?, before);
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
    wait_until_down(&server)?;
    server.home.down()?;
    server.home.up()?;
    let back = || Ok(server.runs()? == before);
    ensure!(wait::until(LIMIT, back)?, "not everything is back:\n{}", server.runs()?);
    let run = wait_until_ended(&server)?;
    assert_ne!(run["code"], "ok", "{run}");
    assert_ne!(server.svc("status paperless --json")?.code, 5);
    Ok(())
}

#[test]
fn the_nightly_timer_fires_and_its_run_can_be_watched() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    server.home.check(
        "mkdir -p /etc/systemd/system/svc-backup@local.timer.d
         printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=1ms\\n' > /etc/systemd/system/svc-backup@local.timer.d/soon.conf
         systemctl daemon-reload; systemctl start svc-backup@local.timer",
    )?;
    wait_until_down(&server)?;
    let watcher = server.home.spawn("exec svc attach")?;
    watcher.wait_for_stdout("backing up to local", LIMIT)?;
    server.home.check("touch /run/go")?;
    let seen = watcher.wait_within(Duration::from_mins(3))?;
    assert_eq!(seen.code, 0, "{seen}");
    assert_eq!(server.runs()?, before);
    assert!(server.snapshots("local", "music")? == 1 && server.snapshots("local", "paperless")? == 1);
    let result = server.home.check("systemctl show -P Result svc-backup@local.service")?;
    assert_eq!(result.trim(), "success");
    Ok(())
}

/// Gives `notes` these hooks.
fn hook(server: &Homeserver, hooks: &str) -> Result<()> {
    server.home.check(&format!(
        "jq '.services.notes.backup.hooks = {hooks}' /etc/svc/services.json > /etc/svc/new.json &&
         mv /etc/svc/new.json /etc/svc/services.json && svc config check"
    ))?;
    Ok(())
}

#[test]
fn fault_35_a_pre_hook_that_fails_stops_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    hook(
        &server,
        r#"{"pre": [{"script": "echo no such database >&2; exit 1"}], "post": [{"command": ["touch", "/run/posted"]}]}"#,
    )?;
    let before = server.runs_since()?;
    let failed = server.svc("backup local notes")?;
    assert_eq!(failed.code, 16, "{failed}");
    assert!(failed.stderr.contains("no such database"), "{failed}");
    assert_eq!((server.runs_since()?, server.snapshots("local", "notes")?), (before, 0));
    server.home.check("test -e /run/posted")?;
    Ok(())
}

#[test]
fn fault_36_a_hook_that_hangs_floods_and_forks_ends_in_time_with_all_that_it_started() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let script = "trap : TERM; (setsid sleep 4711 &); sleep 4711 & yes flood | head -c 50000000; while :; do sleep 1; done";
    hook(&server, &format!(r#"{{"pre": [{{"script": "{script}", "timeout": "5s"}}]}}"#))?;
    let before = server.runs_since()?;
    let failed = server.svc("backup local notes")?;
    assert_eq!(failed.code, 16, "{failed}");
    assert!(failed.stderr.contains("did not end within 5 s") && failed.stderr.contains("flood"), "{failed}");
    assert_eq!(server.runs_since()?, before);
    assert_ne!(server.home.run("pgrep -f 'slee[p] 4711'")?.code, 0, "something of it was left");
    let log = server.home.check("stat -c %s $(ls -t /var/lib/svc/runs/*/log.jsonl | head -1)")?;
    assert!(log.trim().parse::<u64>()? < 2_000_000, "{log}");
    Ok(())
}

#[test]
fn fault_37_hooks_in_containers_and_with_variables_work_and_a_failed_post_hook_is_partial() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check(
        "printf 'FROM_FILE=\"a \\\"quoted\\\" word\"\\n' > /etc/svc/hook.env; chmod 600 /etc/svc/hook.env",
    )?;
    hook(
        &server,
        r#"{"pre": [
              {"script": "printf \"%s|%s|\" \"$COLOUR\" \"$FROM_FILE\" > /run/said", "env": {"COLOUR": "$5 red"}, "envFile": "/etc/svc/hook.env"},
              {"in": "container:paperless-db-1", "script": "psql -h 127.0.0.1 -U paperless -Atc \"select count(*) from documents\"; echo \"$FROM_FILE\"", "envFile": "/etc/svc/hook.env"}],
            "post": [{"command": ["false"]}]}"#,
    )?;
    let partial = server.svc("backup local notes")?;
    assert_eq!(partial.code, 3, "{partial}");
    assert_eq!(server.home.read("/run/said")?, "$5 red|a \"quoted\" word|");
    assert!(partial.stdout.contains("pre hook script: a \"quoted\" word"), "{partial}");
    assert_eq!(server.snapshots("local", "notes")?, 1);
    assert_eq!(server.state_of("notes")?, "running");
    Ok(())
}
