//! Hooks that fail, hang, flood and fork: rows 35 to 37 of the fault matrix.

use anyhow::{Context as _, Result};
use serde_json::Value;
use svc_tests::Homeserver;

/// Gives `notes` these hooks.
fn hook(server: &Homeserver, hooks: &str) -> Result<()> {
    server.home.check(&format!(
        "jq '.services.notes.backup.hooks = {hooks}' /etc/svc/services.json > /etc/svc/new.json &&
         mv /etc/svc/new.json /etc/svc/services.json && svc config check"
    ))?;
    Ok(())
}

/// The directory of the newest run.
fn newest_run(server: &Homeserver) -> Result<String> {
    let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
    Ok(format!("/var/lib/svc/runs/{}", runs[0]["run"].as_str().context("there is no run")?))
}

#[test]
fn fault_35_a_pre_hook_that_fails_stops_nothing() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    hook(
        &server,
        r#"{"pre": [{"script": "echo no such database >&2; exit 1"}, {"command": ["touch", "/run/second"]}],
            "post": [{"command": ["touch", "/run/posted"]}, {"command": ["touch", "/run/second-posted"]}]}"#,
    )?;
    let before = server.runs_since()?;
    let failed = server.svc("backup local notes")?;
    assert_eq!(failed.code, 16, "{failed}");
    assert!(failed.stderr.contains("no such database"), "{failed}");
    assert_eq!((server.runs_since()?, server.snapshots("local", "notes")?), (before, 0));
    // The second was never reached: there is nothing of it to clear up.
    assert_eq!(
        server.home.check("cd /run; ls posted second second-posted 2> /dev/null || true")?,
        "posted\n"
    );
    Ok(())
}

/// Says in which control group it is and in which the run is, and then does all that a hook must not. From the flood on the
/// shell says nothing of its own: systemd ends all that the loop starts as long as it sees something new, and each death
/// would be a line.
const BAD_HOOK: &str = "trap : TERM; sed -n s/^0:://p /proc/self/cgroup > /run/groups; \
    systemctl show -P ControlGroup svc-run-*.service >> /run/groups; \
    (setsid sleep 4711 &); sleep 4711 & yes flood | head -c 50000000; exec 2> /dev/null; while :; do sleep 1; done";

#[test]
fn fault_36_a_hook_that_hangs_floods_and_forks_ends_in_time_with_all_that_it_started() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    hook(&server, &format!(r#"{{"pre": [{{"script": "{BAD_HOOK}", "timeout": "5s"}}]}}"#))?;
    let before = server.runs_since()?;
    let failed = server.svc("backup local notes")?;
    assert_eq!(failed.code, 16, "{failed}");
    assert!(failed.stderr.contains("did not end within 5 s") && failed.stderr.contains("flood"), "{failed}");
    assert_eq!(server.runs_since()?, before);
    assert_ne!(server.home.run("pgrep -f 'slee[p] 4711'")?.code, 0, "something of it was left");

    let run = newest_run(&server)?;
    let id = run.rsplit('/').next().unwrap_or_default();
    let groups = server.home.read("/run/groups")?;
    let (hooks, runs) = groups.trim().split_once('\n').context("no two groups")?;
    assert!(hooks.ends_with(&format!("/svc-hook-{id}-notes-pre-0.service")), "{groups}");
    assert!(runs.ends_with(&format!("/svc-run-{id}.service")), "{groups}");

    // The log stays small, and what was kept can be read.
    let log = server.home.check(&format!("stat -c %s {run}/log.jsonl"))?;
    assert!(log.trim().parse::<u64>()? < 100_000, "{log}");
    let kept = format!("{run}/hook-notes-pre-0.log");
    assert!(failed.stderr.contains(&kept), "{failed}");
    assert_eq!(server.home.check(&format!("stat -c '%s %a' {kept}"))?, "1048576 640\n");
    let lines: u64 = server.home.check(&format!("grep -cx flood {kept}"))?.trim().parse()?;
    assert!(lines > 170_000, "{lines}");
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
    // The run is partial, its snapshot is as good as any.
    let record: Value = serde_json::from_str(&server.home.read("/var/lib/svc/records/notes.json")?)?;
    let local = &record["backups"]["local"];
    let id = server.home.check("svc list-backups local notes --json | jq -r '.[0].id'")?;
    assert_eq!(local["lastGood"]["snapshot"].as_str(), Some(id.trim()), "{record}");
    assert_eq!(
        (local["lastGood"]["code"].as_str(), &local["notGood"]),
        (Some("ok"), &Value::from([""; 0].to_vec()))
    );
    Ok(())
}
