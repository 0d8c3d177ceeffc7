//! `cargo demo`: a real homeserver is listed, backed up, damaged and restored; on a terminal it ends in `svc tui`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use svc_tests::{Homeserver, host, say};

/// What a bad day does to paperless: its database, its documents and the folder that it watches are gone.
const DESTROY: &str = "rm -rf /var/lib/docker/volumes/paperless_pgdata/_data \
     /var/lib/docker/volumes/paperless_media/_data /data/paperless/consume";

fn main() -> ExitCode {
    if let Some(reason) = host::boxes_unavailable() {
        say(&format!("the demo runs a real homeserver in a box, and that cannot be here: {reason}"));
        return ExitCode::FAILURE;
    }
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    host::become_root(Some(&svc_tests::svc::binary()?))?;
    say("a homeserver with PostgreSQL, Redis, Caddy, SQLite and thousands of files comes up");
    let server = Homeserver::lease()?;
    show(&server, "svc list")?;
    show(&server, "svc backup remote all")?;
    show(&server, "svc backup local paperless")?;
    let before = server.documents()?;
    tell(&format!("paperless has {} lines in its databases. Now the bad day:", before.lines().count()))?;
    show(&server, DESTROY)?;
    if server.documents().is_ok_and(|rows| rows == before) {
        tell("(what runs still has its files open; nothing of them is left on the disk)")?;
    }
    show(&server, "svc restore local paperless --yes")?;
    server.check_documents()?;
    if server.documents()? != before {
        bail!("the restored rows are not the ones from before");
    }
    tell("the databases' own checks are clean, and every row is as it was before")?;
    show(&server, "svc")?;
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        show(&server, "svc tui")?;
    }
    Ok(())
}

/// Runs a command in the box before the reader's eyes.
fn show(server: &Homeserver, line: &str) -> Result<()> {
    tell(&format!("\n$ {line}"))?;
    let code = server.home.command(line)?.attach()?;
    if code == 0 { Ok(()) } else { bail!("`{line}` ended with {code}") }
}

fn tell(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
