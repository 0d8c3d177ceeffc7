//! What has to be so after each kill: the invariants of the design that can be seen from outside.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Campaign, Kill, Verb, events};
use crate::homeserver::Way;

/// Two of its trees, on two file systems: a new file in each, which no snapshot has, tells old data from restored.
const TREES: [&str; 2] = ["/var/lib/docker/volumes/paperless_media/_data", "/data/paperless/consume"];

/// The repository by the real restic, past whatever stands in front of it for svc.
const RESTIC: &str =
    "/usr/bin/restic -q -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password";

/// After the first kill the repository is checked, and again after so many.
const CHECK_EVERY: usize = 10;

/// What lies where copies are made; a snapshot of btrfs is a directory like any other.
const COPIES: &str =
    "find / /data /mnt/backup /var/lib/docker /var/lib/svc -xdev -maxdepth 2 -name '.svc-frozen-*'";

/// What was found wrong.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<String>);

impl Findings {
    pub(super) fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

impl Campaign {
    /// A new file in each tree.
    pub(super) fn marks(&self) -> String {
        TREES.map(|tree| format!("{tree}/unsaved-{}", self.kills)).join(" ")
    }

    /// I9, while a run stands still: nobody else changes the service, and everybody may look.
    pub(super) fn judge_standing(&self) -> Result<Vec<String>> {
        let mut found = Findings::default();
        let second = self.server.svc("restart paperless")?;
        found.must(second.code == 7, || format!("I9: a second run is not refused:\n{second}"));
        let look = self.server.svc("status paperless --json")?;
        found.must(serde_json::from_str::<Value>(&look.stdout).is_ok(), || {
            format!("I9: nobody may look:\n{look}")
        });
        Ok(found.0)
    }

    /// Everything else, once the recovery has ended.
    pub(super) fn judge(&self, kill: Kill, events: &[Value]) -> Result<Vec<String>> {
        let mut found = Findings::default();
        self.judge_data(&mut found, kill, events)?;
        let status = self.server.svc("status paperless --json")?;
        found.must(status.code != 5, || format!("status says 5:\n{}", status.stdout));
        self.judge_next(&mut found)?;
        let runs = self.runs()?;
        found.must(runs == self.running, || format!("I1, I2: after the next backup there runs\n{runs}"));
        self.judge_copies(&mut found)?;
        let is_due = self.kills % CHECK_EVERY == 1;
        if is_due || kill.verb == Verb::Restore {
            self.judge_stages(&mut found)?;
        }
        if is_due {
            let checked = self.server.home.run(&format!("{RESTIC} check"))?;
            found.must(checked.code == 0, || format!("the repository is damaged:\n{checked}"));
        }
        Ok(found.0)
    }

    /// I3 and I4: the data is old or new as the run says, and the database is sound.
    fn judge_data(&self, found: &mut Findings, kill: Kill, events: &[Value]) -> Result<()> {
        let code = events::code(events);
        found.must(matches!(code, 0 | 4), || format!("the run ended with {code}"));
        let marks = self.server.home.run(&format!("ls {} 2>/dev/null", self.marks()))?.stdout.lines().count();
        let is_new = marks == 0;
        found
            .must(is_new || marks == TREES.len(), || format!("I4: {marks} of {} trees are old", TREES.len()));
        if kill.verb == Verb::Restore {
            found.must(is_new == (code == 0), || format!("I3: code {code}, restored: {is_new}"));
        } else {
            found.must(!is_new, || "the data is another".to_owned());
            let expected = if events::had_ended(events) { 0 } else { 4 };
            found.must(code == expected, || format!("I3: code {code} of a run that died, not {expected}"));
        }
        let checked = self.server.check_documents();
        found.must(checked.is_ok(), || format!("the database is not sound: {checked:?}"));
        Ok(())
    }

    /// The next backup succeeds, and its snapshot holds what is there: I3.
    pub(super) fn judge_next(&self, found: &mut Findings) -> Result<()> {
        let next = self.server.svc("backup local paperless --json")?;
        found.must(next.code == 0, || format!("the next backup fails:\n{next}"));
        let last: Value = serde_json::from_str(next.stdout.lines().last().unwrap_or("null"))?;
        let Some(id) = last["report"]["services"][0]["snapshots"][0]["id"].as_str() else {
            found.must(false, || "I3: the next backup names no snapshot".to_owned());
            return Ok(());
        };
        let include = TREES.map(|tree| format!("--include {tree}")).join(" ");
        let compare = TREES.map(|tree| format!("diff -r {tree} /root/copy{tree}")).join(" && ");
        let same = self.server.home.run(&format!(
            "rm -rf /root/copy; {RESTIC} --no-lock restore {id} --target /root/copy {include} && {compare}"
        ))?;
        found.must(same.code == 0, || format!("I3: the snapshot is not what was saved:\n{same}"));
        Ok(())
    }

    /// Of what only shortened the stop nothing stays.
    pub(super) fn judge_copies(&self, found: &mut Findings) -> Result<()> {
        let home = &self.server.home;
        let copies = home.check(COPIES)?;
        found.must(copies.is_empty(), || format!("frozen copies are left:\n{copies}"));
        if self.way == Way::TwoPasses {
            let tags =
                home.check(&format!("{RESTIC} --no-lock snapshots --json | jq -r '.[].tags[]?' | sort -u"))?;
            found.must(!tags.contains("svc-hot:"), || format!("hot snapshots are left:\n{tags}"));
        }
        Ok(())
    }

    /// Stages stay only where they hold what a restore has replaced.
    fn judge_stages(&self, found: &mut Findings) -> Result<()> {
        let doctor = self.server.svc("doctor --json")?;
        let doctor: Value = serde_json::from_str(&doctor.stdout)?;
        let findings = doctor["findings"].as_array().context("no findings")?;
        let is_left = |finding: &&Value| finding["check"] == "leftovers" && finding["grade"] != "good";
        let left: Vec<&Value> = findings.iter().filter(is_left).collect();
        found.must(left.is_empty(), || format!("left over: {left:?}"));
        Ok(())
    }
}
