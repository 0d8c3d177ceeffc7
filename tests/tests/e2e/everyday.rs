//! The verbs of every day where they succeed, as people see them; and svc's own units, which run one of them by night.

use anyhow::Result;
use insta::assert_snapshot;
use svc_tests::Homeserver;
use svc_tests::screen::Screen;

/// What systemd says of a unit is the same each time; how often it was started is not.
const LOGS: &str = "logs notes --no-follow --grep Started --tail 1";

/// What a verb that succeeded said, without what differs from run to run.
fn said(server: &Homeserver, words: &str) -> Result<String> {
    let told = server.svc(words)?;
    Ok(format!("$ svc {words}\nexit {}\n--- stdout\n{}--- stderr\n{}", told.code, told.stdout, told.stderr))
}

/// The live screen as it is first, without the details beside the table, and how it ends.
fn screen(server: &Homeserver) -> Result<String> {
    let screen = Screen::run(&server.home, "svc tui")?;
    // The last line is drawn last.
    let shown = screen.once(|shown| shown.contains("healthy") && shown.contains("1 of 7"))?;
    screen.press("q")?;
    let ended = screen.once(|shown| shown.contains("exit "))?;
    let left = shown.lines().filter_map(|line| line.split('│').next()).map(str::trim_end);
    let left: Vec<&str> = left.filter(|line| !line.is_empty() && !line.starts_with('─')).collect();
    Ok(format!("$ svc tui\n{}\n--- screen\n{}\n", ended.trim(), left.join("\n")))
}

/// Strikes out times, sizes, ids, and the blanks and line breaks of columns, whose widths depend on them.
fn steady() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    for (what, by) in [
        (r"\d{8}T\d{6}(Z|-[0-9a-f]+)", "[moment]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "[time]"),
        (r"\b[0-9a-f]{8}\b", "[id]"),
        (r"just now|\b\d+ (s|min|h) ago\b", "[age]"),
        (r"\bin \d+ (s|min|h)\b", "in [T]"),
        (r"\b\d+(\.\d+)? (ms|s|min|h)( \d+ (s|min))?\b", "[T]"),
        (r"\b[\d,]+(\.\d+)? (B|KiB|MiB)\b", "[size]"),
        (r"\n {20,}", " "),
        (r"(\S)  +", "$1  "),
    ] {
        settings.add_filter(what, by);
    }
    settings
}

#[test]
fn every_verb_says_what_it_did_and_svcs_units_run_it_by_night() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("systemctl enable -q --now svc-backup@local.timer svc-backup@remote.timer")?;
    server.home.check("systemctl start --wait svc-backup@local.service")?;
    let container = || server.home.check("docker inspect -f '{{.Id}}' caddy-caddy-1");
    let before = container()?;
    for words in ["doctor", "timers", "list", "list-backups local notes", LOGS] {
        is_as_before(&server, words)?;
    }
    let screen = screen(&server)?;
    steady().bind(|| assert_snapshot!("tui", screen));
    for words in ["start archive", "stop archive", "start music", "restart notes", "restart caddy --recreate"]
    {
        is_as_before(&server, words)?;
    }
    assert_ne!(container()?, before, "the container is not a new one");
    server.home.check("systemctl stop notes; rm /var/lib/private/notes/notes.db; systemctl start notes")?;
    is_as_before(&server, "restore local notes --yes")
}

fn is_as_before(server: &Homeserver, words: &str) -> Result<()> {
    let said = said(server, words)?;
    steady().bind(|| assert_snapshot!(words.replace([' ', '-'], "_"), said));
    Ok(())
}
