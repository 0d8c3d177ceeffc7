//! The homeserver of `fixtures/homeserver`: a machine `home` with its services, linked to a machine `vault` with the
//! remote repository.

pub mod music;

mod build;
mod music_writer;
mod scene;
mod secrets;
mod ways;

use std::{collections::BTreeSet, thread};

use anyhow::Result;

use secrets::Watch;

pub use build::{Templates, templates};
pub use scene::WAIT;
pub use ways::{Still, Way};

use crate::{
    Machine,
    lease::{self, Slot},
    link,
    metadata::Tree,
    svc,
    tool::say,
};

/// The seed of all generated data.
pub const SEED: u64 = 7;

/// Secrets of the homeserver that must never show up in a log, an argument list or any output: the password of both
/// repositories, and that of the REST server's user.
pub const CANARIES: [&str; 2] = ["canary-repository-5e7a", "canary-rest-9c1f"];

/// A running homeserver of one's own; it is gone when it is dropped, be it by a panic.
///
/// On `home`: `paperless`, `caddy`, `watchtower` (compose), `notes` (a unit) and `music` (files) run, `archive` is
/// stopped; `/etc/svc/services.json` is in today's format, `services.new.json` beside it has the new fields. The
/// repository `local` is on `/mnt/backup`, `remote` on `vault`; both are made and empty.
#[derive(Debug)]
pub struct Homeserver {
    /// The machine with the services and with `svc`.
    pub home: Machine,
    /// The machine with the remote repository, in `/srv/restic`.
    pub vault: Machine,
    watch: Watch,
    slot: Slot,
}

impl Homeserver {
    /// What an end-to-end test does first; `None`: there is nothing more to do, see [`lease::test_can_go_on`].
    pub fn for_test() -> Result<Option<Self>> {
        if lease::test_can_go_on()? { Self::lease().map(Some) } else { Ok(None) }
    }

    /// Takes a place in the pool, and boots a clone of both machines until all services are healthy.
    pub fn lease() -> Result<Self> {
        let slot = Slot::take()?;
        let templates = templates(slot.store())?;
        let mut home = slot.machine("home", &templates.home)?;
        let mut vault = slot.machine("vault", &templates.vault)?;
        svc::install(home.disks())?;
        vault.start()?;
        home.start()?;
        link::link(&home, &vault)?;
        vault.wait_until_ready()?;
        home.wait_until_ready()?;
        let watch = Watch::over(&mut home);
        Ok(Self { home, vault, watch, slot })
    }

    /// Ends the watch for secrets ([`CANARIES`]) and tells each place where one was that must not be: arguments of any
    /// process, the environment of any but restic and what that starts, what `svc` printed, the journal, svc's files.
    ///
    /// Without it the same is done when the homeserver is dropped, and a finding fails the test.
    pub fn leaks(&mut self) -> Result<BTreeSet<String>> {
        self.watch.end(&self.home)
    }

    /// Pulls the cable between `home` and `vault`.
    pub fn cut_link(&self) -> Result<()> {
        link::cut(self.home.name(), self.vault.name())
    }

    /// Puts the cable back.
    pub fn restore_link(&self) -> Result<()> {
        link::restore(self.home.name(), self.vault.name())
    }

    /// The pool's place, to take more boxes on.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Reads `/data/music` as it is now; to be compared with [`music::expected`] of [`SEED`].
    pub fn music(&self) -> Result<Tree> {
        Tree::read(&self.home.host_path("/data/music")?)
    }

    /// All rows of paperless's database, and its counter in Redis: what its users have. An error when it is not up.
    pub fn documents(&self) -> Result<String> {
        self.home.check(
            "docker exec paperless-db-1 psql -h 127.0.0.1 -U paperless -Atc \
             'select id, title, checksum from documents order by id' &&
             docker exec paperless-broker-1 redis-cli get documents",
        )
    }

    /// Asks the database's own checker whether tables and indices are sound; an error says what is not.
    pub fn check_documents(&self) -> Result<()> {
        self.home.check(
            "docker exec paperless-db-1 sh -c \
             'psql -q -h 127.0.0.1 -U paperless -c \"create extension if not exists amcheck\" &&
              pg_amcheck -h 127.0.0.1 -U paperless --heapallindexed paperless'",
        )?;
        Ok(())
    }

    /// All notes, after their database's own check of its file. Works whether the service runs or not.
    pub fn notes(&self) -> Result<String> {
        self.home.check(
            "sqlite3 -readonly /var/lib/private/notes/notes.db 'pragma integrity_check; select id, text from notes order by id'",
        )
    }
}

impl Drop for Homeserver {
    #[expect(clippy::panic, reason = "nothing else can fail the test here")]
    fn drop(&mut self) {
        if self.watch.is_over() {
            return;
        }
        let leaks = match self.leaks() {
            Ok(leaks) if leaks.is_empty() => return,
            Ok(leaks) => format!("secrets were where they must not be: {leaks:#?}"),
            Err(error) => format!("nobody knows where secrets are: {error:#}"),
        };
        if thread::panicking() {
            say(&leaks);
        } else {
            panic!("{leaks}");
        }
    }
}
