//! Secrets stay where they belong. Every test of a homeserver looks for them at its end; these two look at that look,
//! and at each program that `svc` starts.

use anyhow::{Context as _, Result, ensure};
use svc_tests::{Homeserver, homeserver::CANARIES};

/// Writes down each program that is started, with all arguments and its whole environment.
const TRACE: &str =
    "strace -qq -f -v -s 65535 --seccomp-bpf -e trace=execve,execveat -e signal=none -A -o /run/execs";

/// Arguments, and the environment, of each started program, as strace shows them.
fn started(server: &Homeserver) -> Result<Vec<(String, String)>> {
    let trace = server.home.read("/run/execs")?;
    let calls = trace.lines().filter(|line| line.contains("execve"));
    let split = |line: &str| {
        let (arguments, environment) = line.split_once("], [").with_context(|| format!("odd: {line}"))?;
        Ok((arguments.to_owned(), environment.to_owned()))
    };
    calls.map(split).collect()
}

fn holds_secret(text: &str) -> bool {
    CANARIES.iter().any(|canary| text.contains(canary))
}

#[test]
fn fault_47_no_program_but_restic_gets_a_secret_and_none_shows_it() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let traced = |words: &str, code: i32| {
        let ended = server.home.run(&format!("{TRACE} svc {words}"))?;
        ensure!(ended.code == code, "`{words}` ended with {} and not {code}:\n{ended}", ended.code);
        anyhow::Ok(ended)
    };
    traced("backup all notes caddy", 0)?;
    traced("--json backup remote music", 0)?;
    traced("--json list-backups remote notes", 0)?;
    traced("--json list", 0)?;
    traced("--json config check", 0)?;
    traced("--json restore remote notes --yes", 0)?;
    traced("repo init remote", 20)?;
    // What restic says of a repository that it cannot reach has its address in it.
    server.vault.check("systemctl stop restic-rest-server")?;
    let ended = traced("backup remote notes", 15)?;
    assert!(ended.stderr.contains("vault:8000"), "{ended}");

    let started = started(&server)?;
    let restics = started.iter().filter(|(arguments, _)| arguments.contains("/restic\", ["));
    let given = restics.filter(|(_, environment)| holds_secret(environment)).count();
    assert!(given >= 7, "the trace shows too few of restic's runs: {given} of {}", started.len());
    for (arguments, environment) in &started {
        assert!(!holds_secret(arguments), "{arguments}");
        assert!(
            !holds_secret(environment) || arguments.contains("/restic\", ["),
            "{arguments} {environment}"
        );
    }
    a_file_that_others_may_read_is_refused(&server)
}

fn a_file_that_others_may_read_is_refused(server: &Homeserver) -> Result<()> {
    let before = server.runs_since()?;
    for file in ["password", "local.env"] {
        server.home.check(&format!("chmod 644 /var/lib/secrets/restic/{file}"))?;
        let backup = server.svc("backup local notes")?;
        assert_eq!(backup.code, 20, "{file}: {backup}");
        assert!(backup.stderr.contains(&format!("/var/lib/secrets/restic/{file}")), "{backup}");
        server.home.check(&format!("chmod 600 /var/lib/secrets/restic/{file}"))?;
    }
    assert_eq!(server.runs_since()?, before);
    Ok(())
}

#[test]
fn a_secret_in_the_wrong_place_does_not_pass_unseen() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    let secret = CANARIES[0];
    server.home.check(
        "mkdir -p /var/lib/svc/runs/1; cp /var/lib/secrets/restic/password /var/lib/svc/runs/1/log.jsonl
         systemd-cat cat /var/lib/secrets/restic/password; journalctl --sync; mkfifo /run/never",
    )?;
    server.home.check("cat /var/lib/secrets/restic/password # as svc would")?;
    let mut running = Vec::new();
    for line in [
        format!("exec tail {secret} -f /run/never"),
        "X=$(cat /var/lib/secrets/restic/password) exec tail -f /run/never".to_owned(),
        "ln -s /bin/tail /run/restic; X=$(cat /var/lib/secrets/restic/password) exec /run/restic -f /run/never --pid=1"
            .to_owned(),
    ] {
        running.push(server.home.command(&format!("echo begun; {line}"))?.spawn()?);
    }
    for one in &running {
        one.wait_for_stdout("begun", std::time::Duration::from_secs(10))?;
    }
    // The shells have become their programs when these have opened the pipe.
    server.home.check("exec timeout 10 sh -c 'echo > /run/never'")?;
    let leaks = server.leaks()?;
    let is_found = |place: &str| leaks.iter().any(|leak| leak.starts_with(place));
    for place in [
        "arguments: tail",
        "environment of: tail -f /run/never ",
        "journal: ",
        "stdout of ",
        "/var/lib/svc/runs/1/log.jsonl:",
    ] {
        assert!(is_found(place), "{place} is not in {leaks:#?}");
    }
    assert!(!is_found("environment of: /run/restic"), "{leaks:#?}");
    Ok(())
}
