//! The kill campaign: a run is stopped at a chosen place, killed there, and what is so afterwards is judged. It is killed
//! over `paperless`: a stack with a database, volumes, and a bind mount on another file system.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::{Homeserver, wait};

/// Two of its trees, on two file systems: a new file in each, which no snapshot has, tells old data from restored.
const TREES: [&str; 2] = ["/var/lib/docker/volumes/paperless_media/_data", "/data/paperless/consume"];
/// How long a run may take to come to its place, or to its end.
const LIMIT: Duration = Duration::from_mins(2);
/// How long what ran before may take to run again.
const BACK: Duration = Duration::from_mins(1);

/// What the run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// `svc backup local`.
    Backup,
    /// `svc restore local`, with data that changed since.
    Restore,
    /// `svc restart`.
    Restart,
}

/// How it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Death {
    /// Its main process is killed.
    Process,
    /// Everything in its control group is.
    Group,
    /// The whole machine is.
    Power,
}

/// A run, and where and how it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kill {
    /// What it does.
    pub verb: Verb,
    /// The number of the place: right before or right after one of its side effects, from 1.
    pub place: usize,
    /// How it dies there.
    pub death: Death,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The run, where and how it died.
    #[serde(flatten)]
    pub kill: Kill,
    /// Its id.
    pub run: String,
    /// From the kill to the first step of the recovery, in milliseconds.
    pub recovery_ms: u64,
    /// From the kill until what ran before ran again, in milliseconds.
    pub back_ms: u64,
    /// What the run's log says that it ended with.
    pub code: u64,
    /// What is not as it must be; none: all is well.
    pub violations: Vec<String>,
}

impl Verb {
    const fn words(self) -> &'static str {
        match self {
            Self::Backup => "backup local paperless",
            Self::Restore => "restore local paperless --yes",
            Self::Restart => "restart paperless",
        }
    }
}

/// A homeserver that runs are killed on.
#[derive(Debug)]
pub struct Campaign {
    server: Homeserver,
    running: String,
    kills: usize,
}

impl Campaign {
    /// Begins: the service is saved once, for there to be something to restore.
    pub fn begin(server: Homeserver) -> Result<Self> {
        let saved = server.svc("backup local paperless")?;
        ensure!(saved.code == 0, "the first backup fails:\n{saved}");
        let running = server.runs()?;
        Ok(Self { server, running, kills: 0 })
    }

    /// The homeserver, to look into.
    #[must_use]
    pub const fn server(&self) -> &Homeserver {
        &self.server
    }

    /// Kills a run; nothing: it has no such place.
    pub fn kill(&mut self, kill: Kill) -> Result<Option<Outcome>> {
        self.kills += 1;
        let home = &self.server.home;
        home.check(&format!("touch {}", self.marks()))?;
        let begun = home.check(&format!("SVC_FAULT={} svc {} --detach", kill.place, kill.verb.words()))?;
        let run = begun.trim().to_owned();
        if !self.stands_still(&run)? {
            return Ok(None);
        }
        let at = self.now()?;
        let killed = Instant::now();
        self.strike(kill.death, &run)?;
        let mut violations = Vec::new();
        let is_back = wait::until(BACK, || Ok(self.server.runs().is_ok_and(|now| now == self.running)))?;
        let back_ms = millis(killed.elapsed());
        if !is_back {
            violations.push(format!("I1: what runs now is\n{}", self.server.runs()?));
        }
        let events = self.ended(&run)?;
        violations.extend(self.judge(kill, &events)?);
        let recovery_ms = began(&events).map_or(0, |moment| moment.saturating_sub(at));
        let code = code(&events);
        Ok(Some(Outcome { kill, run, recovery_ms, back_ms, code, violations }))
    }

    /// Waits until the run has stopped itself at its place; `false`: it came to its end.
    fn stands_still(&self, run: &str) -> Result<bool> {
        let question = format!(
            "log=/var/lib/svc/runs/{run}/log.jsonl
             pid=$(systemctl show -P MainPID svc-run-{run}.service)
             if [ \"$pid\" != 0 ] && grep -q '^State:.T' /proc/$pid/status; then echo stands
             elif grep -q '\"runFinished\"' $log; then echo ended; fi"
        );
        let answer = wait::poll(LIMIT, || {
            let said = self.server.home.run(&question)?.stdout;
            Ok(Some(said.trim().to_owned()).filter(|said| !said.is_empty()))
        })?;
        let answer = answer.with_context(|| format!("run {run} neither stands still nor ends"))?;
        Ok(answer == "stands")
    }

    fn strike(&mut self, death: Death, run: &str) -> Result<()> {
        let unit = format!("svc-run-{run}.service");
        match death {
            Death::Process => {
                self.server.home.check(&format!("systemctl kill -s KILL --kill-whom=main {unit}"))?;
            }
            Death::Group => {
                self.server.home.check(&format!("systemctl kill -s KILL {unit}"))?;
            }
            Death::Power => {
                self.server.home.power_cut()?;
                self.server.home.start()?;
                self.server.home.wait_until_ready()?;
            }
        }
        Ok(())
    }

    /// The run's events, once its log has an end.
    fn ended(&self, run: &str) -> Result<Vec<Value>> {
        let path = format!("/var/lib/svc/runs/{run}/log.jsonl");
        let events = wait::poll(BACK, || {
            let events: Vec<Value> = self
                .server
                .home
                .read(&path)?
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            Ok(events.last().is_some_and(|last| last["event"] == "runFinished").then_some(events))
        })?;
        events.with_context(|| format!("nobody ends run {run}"))
    }

    /// The invariants of the design that can be seen from outside.
    fn judge(&self, kill: Kill, events: &[Value]) -> Result<Vec<String>> {
        let mut violations = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                violations.push(what);
            }
        };
        let home = &self.server.home;
        let code = code(events);
        must(matches!(code, 0 | 4), format!("the run ended with {code}"));
        let marks = home.run(&format!("ls {} 2>/dev/null", self.marks()))?.stdout.lines().count();
        let is_new = marks == 0;
        must(is_new || marks == TREES.len(), format!("I4: {marks} of {} trees are old", TREES.len()));
        if kill.verb == Verb::Restore {
            must(is_new == (code == 0), format!("I3: code {code}, restored: {is_new}"));
        } else {
            must(!is_new, "the data is another".to_owned());
            must(code == 4, format!("I3: code {code} of a run that died"));
        }
        let checked = self.server.check_documents();
        must(checked.is_ok(), format!("the database is not sound: {checked:?}"));
        let status = self.server.svc("status paperless --json")?;
        must(status.code != 5, format!("status says 5:\n{}", status.stdout));
        let next = self.server.svc("backup local paperless")?;
        must(next.code == 0, format!("the next backup fails:\n{next}"));
        let runs = self.server.runs()?;
        must(runs == self.running, format!("after the next backup there runs\n{runs}"));
        let left = home.check("svc doctor --json || true")?;
        let found: Value = serde_json::from_str(&left)?;
        let leftovers: Vec<&Value> = found["findings"]
            .as_array()
            .context("no findings")?
            .iter()
            .filter(|finding| finding["check"] == "leftovers" && finding["grade"] != "good")
            .collect();
        must(leftovers.is_empty(), format!("left over: {leftovers:?}"));
        Ok(violations)
    }

    fn marks(&self) -> String {
        TREES.map(|tree| format!("{tree}/unsaved-{}", self.kills)).join(" ")
    }

    /// Milliseconds since 1970, as the box counts them.
    fn now(&self) -> Result<u64> {
        Ok(self.server.home.check("date +%s%3N")?.trim().parse()?)
    }
}

/// Kills without end, the same for the same seed: three of four of a process, one of ten of the machine.
pub fn random(seed: u64) -> impl Iterator<Item = Kill> {
    // SplitMix64.
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    };
    std::iter::repeat_with(move || {
        let (verb, places) = match next(5) {
            0 | 1 => (Verb::Backup, 12),
            2 | 3 => (Verb::Restore, 26),
            _ => (Verb::Restart, 8),
        };
        let death = match next(20) {
            0 | 1 => Death::Power,
            2..=5 => Death::Group,
            _ => Death::Process,
        };
        let place = usize::try_from(next(places)).unwrap_or(0) + 1;
        Kill { verb, place, death }
    })
}

fn code(events: &[Value]) -> u64 {
    let word = events.last().and_then(|last| last["report"]["code"].as_str()).unwrap_or_default();
    match word {
        "ok" => 0,
        "failed" => 4,
        "notResumed" => 5,
        _ => 1,
    }
}

/// When the recovery gave its first order, in milliseconds since 1970.
fn began(events: &[Value]) -> Option<u64> {
    let from = events.iter().rposition(|event| event["event"] == "recovering")?;
    let first = events.iter().skip(from).find(|event| event["event"] == "stepStarted")?;
    epoch_millis(first["at"].as_str()?)
}

/// Of an RFC 3339 time in UTC, with the help of `date`, for the tests have no library of dates.
fn epoch_millis(at: &str) -> Option<u64> {
    let output = std::process::Command::new("date").args(["-d", at, "+%s%3N"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
