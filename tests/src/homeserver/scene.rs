//! What end-to-end tests do to a homeserver and ask of it, again and again.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Homeserver;
use crate::enter::Output;
use crate::wait;

/// A shell line that waits until `/run/go` is there, for [`Homeserver::make_backups_fail`].
pub const WAIT: &str = "while [ ! -e /run/go ]; do sleep 0.05; done";

/// A `restic` in front of the real one: before a backup it runs the lines of `/run/fault`.
const FAULTY_RESTIC: &str = r#"#!/bin/sh
for word in "$@"; do
    if [ "$word" = backup ] && [ -e /run/fault ]; then . /run/fault; fi
done
exec /usr/bin/restic "$@"
"#;

/// A `restic` in front of the real one: before and after a backup it runs the lines of `/run/watch`, which know the
/// service by its tag in `$*`. What they print is something that should not be.
const WATCHED_RESTIC: &str = r#"#!/bin/sh
case " $* " in *" backup "*) ;; *) exec /usr/bin/restic "$@" ;; esac
. /run/watch >> /run/meanwhile
/usr/bin/restic "$@"
code=$?
. /run/watch >> /run/meanwhile
exit $code
"#;

/// Mounts a repository as a file system, and lets its program stand still: whoever looks there waits.
const DEAD_MOUNT: &str = "mkdir /mnt/dead
    restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password mount /mnt/dead > /dev/null 2>&1 &
    timeout 60 sh -c 'until mountpoint -q /mnt/dead; do sleep 0.05; done'
    kill -STOP $!; echo $! > /run/dead";

impl Homeserver {
    /// Runs `svc` with these words.
    pub fn svc(&self, words: &str) -> Result<Output> {
        self.home.run(&format!("svc {words}"))
    }

    /// What runs now: containers with the moment they started, and units with theirs. Equal means untouched.
    pub fn runs_since(&self) -> Result<String> {
        self.home.check(
            "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.StartedAt}}' | sort;
             systemctl show -p Id,ActiveState,ActiveEnterTimestampMonotonic notes.service 'docker-compose-*.service'",
        )
    }

    /// A homeserver of a test in which these lines of the shell have run.
    pub fn with_scene(lines: &str) -> Result<Option<Self>> {
        let Some(server) = Self::for_test()? else { return Ok(None) };
        server.home.check(lines)?;
        Ok(Some(server))
    }

    /// Saves these services to `local`, which has to be good.
    pub fn back_up(&self, services: &str) -> Result<()> {
        let backup = self.svc(&format!("backup local {services}"))?;
        ensure!(backup.code == 0, "{backup}");
        Ok(())
    }

    /// Waits until `paperless` is down, for a backup that waits.
    pub fn wait_until_down(&self) -> Result<()> {
        let is_down = || Ok(!self.runs()?.contains("paperless-db-1"));
        ensure!(wait::until(Duration::from_mins(1), is_down)?, "nothing was stopped");
        Ok(())
    }

    /// What runs now, by name only: the set that has to be the same before and after.
    pub fn runs(&self) -> Result<String> {
        self.home.check(
            "docker ps --format '{{.Names}}' | sort;
             systemctl list-units --plain --no-legend --state=active,activating notes.service 'docker-*.service' |
             cut -d' ' -f1 | sort",
        )
    }

    /// Each service's state word as `svc list --json` has it.
    pub fn state_of(&self, service: &str) -> Result<String> {
        let list: Value = serde_json::from_str(&self.home.check("svc list --json")?)?;
        let services = list["services"].as_array().context("`svc list --json` has no services")?;
        let found = services.iter().find(|entry| entry["name"] == service);
        let text = found.and_then(|entry| entry["state"]["text"].as_str());
        Ok(text.with_context(|| format!("`svc list` does not know `{service}`"))?.to_owned())
    }

    /// How many snapshots a service has in a repository, as svc itself lists them.
    pub fn snapshots(&self, repository: &str, service: &str) -> Result<usize> {
        let list = self.home.check(&format!("svc list-backups {repository} {service} --json"))?;
        Ok(serde_json::from_str::<Value>(&list)?.as_array().context("no list")?.len())
    }

    /// From now on no service is frozen: all are down for as long as restic reads.
    pub fn freeze_nothing(&self) -> Result<()> {
        self.configure(".services[].backup.freeze = \"never\"")
    }

    /// From now on each `restic backup` runs this shell line first, which may `exit`, `kill $$` or wait.
    pub fn make_backups_fail(&self, line: &str) -> Result<()> {
        self.home.write("/usr/local/bin/restic", FAULTY_RESTIC)?;
        self.home.write("/run/fault", line)?;
        self.home.check("chmod 755 /usr/local/bin/restic").map(drop)
    }

    /// From now on each `restic backup` runs this shell line before and after.
    pub fn watch_backups(&self, line: &str) -> Result<()> {
        self.home.write("/usr/local/bin/restic", WATCHED_RESTIC)?;
        self.home.write("/run/watch", line)?;
        self.home.check("chmod 755 /usr/local/bin/restic; : > /run/meanwhile").map(drop)
    }

    /// What the lines of [`Self::watch_backups`] have said until now.
    pub fn seen_meanwhile(&self) -> Result<String> {
        self.home.read("/run/meanwhile")
    }

    /// Mounts something at `/mnt/dead` that never answers, as a network mount whose server is gone.
    pub fn mount_dead(&self) -> Result<()> {
        self.home.check(DEAD_MOUNT).map(drop)
    }

    /// Ends what does not answer, so that whoever waits for it goes on.
    pub fn unmount_dead(&self) -> Result<()> {
        self.home.check("kill -KILL $(cat /run/dead)").map(drop)
    }
}
