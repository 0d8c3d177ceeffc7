//! Hooks, and what becomes of them when the run is cancelled or dies: what clears up runs, alone and in any case. And who
//! gets to see what they are told.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use svc_tests::homeserver::WAIT;
use svc_tests::{Homeserver, wait};

const LIMIT: Duration = Duration::from_mins(1);

/// Gives `notes` these hooks.
fn hook(server: &Homeserver, hooks: &Value) -> Result<()> {
    server.home.write("/run/hooks.json", hooks.to_string())?;
    server.home.check(
        "jq --slurpfile hooks /run/hooks.json '.services.notes.backup.hooks = $hooks[0]' /etc/svc/services.json \
         > /run/new.json && cat /run/new.json > /etc/svc/services.json && svc config check >&2",
    )?;
    Ok(())
}

#[test]
fn fault_43_what_clears_up_runs_also_when_the_run_is_cancelled() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    hook(
        &server,
        &json!({
            "pre": [{"command": ["touch", "/run/maintenance"]}],
            "post": [{"script": "rm /run/maintenance; systemctl is-active notes.service > /run/posted"}],
        }),
    )?;
    for signals in [1, 2] {
        server.home.check("rm -f /run/posted")?;
        let client = server.home.spawn("exec svc backup local notes")?;
        client.wait_for_stdout("backing up to local", LIMIT)?;
        server.home.check("test -e /run/maintenance")?;
        for _ in 0..signals {
            client.signal(Signal::TERM)?;
        }
        let ended = client.wait_within(LIMIT)?;
        assert_eq!(ended.code, 143, "{ended}");
        assert_eq!(server.home.read("/run/posted")?.trim(), "active", "the service was not back yet");
        assert_ne!(server.home.run("test -e /run/maintenance")?.code, 0);
        assert_eq!(server.runs()?, before);
    }
    Ok(())
}

#[test]
fn fault_01_a_hook_that_outlives_its_run_is_ended_before_what_clears_up_begins() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs_since()?;
    for (place, whom) in [("host", "main"), ("host", "all"), ("container:paperless-db-1", "all")] {
        server.home.check("rm -f /run/beside")?;
        hook(
            &server,
            &json!({
                "pre": [{"in": place, "script": "sleep 4711", "timeout": "5m"}],
                "post": [{"script": "pgrep -x sleep -a | grep -c 4711 > /run/beside; true"}],
            }),
        )?;
        let run = server.home.check("svc backup local notes --detach")?;
        let sleeps = || Ok(server.home.run("pgrep -x sleep -a | grep 4711")?.code == 0);
        ensure!(wait::until(LIMIT, sleeps)?, "{place}: the hook does not begin");
        server.home.check(&format!("systemctl kill -s KILL --kill-whom={whom} svc-run-{}", run.trim()))?;
        let ended = wait::poll(LIMIT, || {
            let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
            Ok(runs.get(0).filter(|run| run["fate"] == "recovered").cloned())
        })?;
        ended.with_context(|| format!("{place}, {whom}: nobody recovers the run"))?;
        assert_eq!(
            server.home.read("/run/beside")?.trim(),
            "0",
            "{place}, {whom}: it ran beside the next one"
        );
        assert!(!sleeps()?, "{place}, {whom}: it still runs");
        assert_eq!(server.home.check("systemctl list-units --all --no-legend 'svc-hook-*'")?, "");
        assert_eq!(server.runs_since()?, before);
    }
    Ok(())
}

#[test]
fn fault_47_what_a_hook_is_told_nobody_else_can_read() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let value = "hush 'a' \"b\" $C `d` \\e\nf ";
    let look = "runuser -u nobody -- systemctl show \"$SVC_HOOK\" > /run/shown
                cat \"/run/systemd/transient/$SVC_HOOK\" > /run/written
                printf %s \"$TOLD\" > /run/told";
    hook(&server, &json!({"pre": [{"script": look, "env": {"TOLD": value}}]}))?;
    let saved = server.svc("backup local notes")?;
    assert_eq!(saved.code, 0, "{saved}");
    assert_eq!(server.home.read("/run/told")?, value);
    for (file, setting) in [("/run/shown", "EnvironmentFiles=/var"), ("/run/written", "EnvironmentFile=/var")]
    {
        let settings = server.home.read(file)?;
        assert!(settings.contains(setting) && !settings.contains("hush"), "{settings}");
    }
    assert_eq!(server.home.check("ls /var/lib/svc/runs/*/*.env 2> /dev/null || true")?, "");

    server.home.check("echo A=b > /etc/svc/hook.env; chmod 640 /etc/svc/hook.env")?;
    hook(&server, &json!({"post": [{"command": ["true"], "envFile": "/etc/svc/hook.env"}]}))?;
    let warned = server.svc("backup local notes")?;
    assert_eq!(warned.code, 0, "{warned}");
    assert_eq!(warned.stderr.matches("`/etc/svc/hook.env` can be read by its group").count(), 1, "{warned}");
    let before = server.runs_since()?;
    server.home.check("chmod 644 /etc/svc/hook.env")?;
    let refused = server.svc("backup local notes")?;
    assert_eq!(refused.code, 20, "{refused}");
    assert!(refused.stderr.contains("chmod 0600 /etc/svc/hook.env"), "{refused}");
    assert_eq!(server.runs_since()?, before);
    Ok(())
}
