//! Backups of a database that is written to at full speed: whatever the way, the restored copy is sound and whole.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde::Serialize;
use serde_json::Value;

use crate::enter::Running;
use crate::homeserver::{Still, Way};
use crate::{Homeserver, wait};

/// How long the copy may take to start.
const LIMIT: Duration = Duration::from_mins(1);

/// Inserts row after row, each its own transaction, for as long as the database is up, and again when it is back.
const WRITER: &str = "while :; do
    yes \"insert into documents (title, checksum) values (md5(random()::text), md5(random()::text));\" |
        docker exec -i paperless-db-1 psql -q -h 127.0.0.1 -U paperless > /dev/null 2>&1
    sleep 0.05
done";

/// A copy of the database out of the last snapshot, in a container of its own.
const COPY: &str = "set -e
docker rm -f copy > /dev/null 2>&1
rm -rf /root/copy
data=/var/lib/docker/volumes/paperless_pgdata/_data
/usr/bin/restic -q -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password \\
    restore latest --tag svc:paperless --target /root/copy --include $data >&2
docker run -d --name copy --network none -e POSTGRES_USER=paperless -e POSTGRES_DB=paperless \\
    -v /root/copy$data:/var/lib/postgresql/data homeserver/postgres:1 > /dev/null";

const CHECK: &str = "docker exec copy sh -c \\
    'psql -q -h 127.0.0.1 -U paperless -c \"create extension if not exists amcheck\" &&
     pg_amcheck -h 127.0.0.1 -U paperless --heapallindexed paperless'";

/// One backup and what became of its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// How the service held still.
    pub still: Still,
    /// How its data did.
    pub way: Way,
    /// Rows before the backup began, in the copy, and after the backup.
    pub rows: [u64; 3],
    /// How long the service was down, in milliseconds.
    pub downtime_ms: u64,
    /// What is not as it must be; none: all is well.
    pub violations: Vec<String>,
}

/// A homeserver whose database is written to.
#[derive(Debug)]
pub struct Databases {
    server: Homeserver,
    way: Way,
    writer: Running,
}

impl Databases {
    /// Begins to write; from now on the service is saved in this way.
    pub fn begin(server: Homeserver, way: Way) -> Result<Self> {
        server.save_by(Still::Stop, way)?;
        let writer = server.home.spawn(WRITER)?;
        Ok(Self { server, way, writer })
    }

    /// Saves, restores a copy, and lets the database's own checker look at it.
    pub fn round(&self, still: Still) -> Result<Round> {
        self.server.hold_still_by(still)?;
        let before = self.rows_that_grow()?;
        let plan = self.server.svc("backup local paperless --dry-run")?.stdout;
        let backup = self.server.svc("backup local paperless --json")?;
        ensure!(backup.code == 0, "{backup}");
        let after = self.rows_that_grow()?;
        let mut violations = Vec::new();
        if !plan.contains(self.way.mark()) {
            violations.push(format!("it is saved in another way:\n{plan}"));
        }
        self.server.home.check(COPY)?;
        let rows_of_copy = wait::poll(LIMIT, || Ok(self.rows("copy").ok()))?;
        let copied = rows_of_copy.with_context(|| "the copy does not start")?;
        let checked = self.server.home.run(CHECK)?;
        if checked.code != 0 {
            violations.push(format!("the copy is not sound:\n{checked}"));
        }
        if copied < before || copied > after {
            violations.push(format!("{copied} rows in the copy, {before} before and {after} after"));
        }
        let downtime_ms = downtime(&backup.stdout).context("the backup does not say how long it was down")?;
        Ok(Round { still, way: self.way, rows: [before, copied, after], downtime_ms, violations })
    }

    /// Rows in the database now; waits until there are more than that, for somebody writes.
    fn rows_that_grow(&self) -> Result<u64> {
        let first =
            wait::poll(LIMIT, || Ok(self.rows("paperless-db-1").ok()))?.context("the database is down")?;
        let grown = wait::until(LIMIT, || Ok(self.rows("paperless-db-1")? > first))?;
        ensure!(grown, "nobody writes");
        self.rows("paperless-db-1")
    }

    fn rows(&self, container: &str) -> Result<u64> {
        let question = "psql -h 127.0.0.1 -U paperless -Atc 'select count(*) from documents'";
        Ok(self.server.home.check(&format!("docker exec {container} {question}"))?.trim().parse()?)
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        // The box goes with the homeserver in any case.
        let _ = self.writer.signal_group(Signal::KILL);
    }
}

fn downtime(events: &str) -> Option<u64> {
    let last: Value = serde_json::from_str(events.lines().last()?).ok()?;
    last["report"]["services"][0]["downtimeMs"].as_u64()
}
