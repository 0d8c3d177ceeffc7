//! The kill campaign: a run dies at a chosen place or moment, and what is so afterwards is judged. It is killed over
//! `paperless`: a stack with a database, volumes, and a bind mount on another file system, saved in any of the ways.

mod cancels;
mod events;
mod judge;
mod random;
mod rehearsal;
mod summary;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::homeserver::{Still, Way};
use crate::{Homeserver, wait};

use rehearsal::Rehearsal;

pub use cancels::{Ask, Cancelled};
pub use events::{epoch_millis, start_ms};
pub use random::Dice;
pub use summary::Summary;

/// How long a run may take to come to its place, or to its end.
const LIMIT: Duration = Duration::from_mins(2);
/// What the last event of a log has.
const END: &str = "\"runFinished\"";
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

/// When it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// At the place of this number: right before or right after one of its side effects, from 1.
    Place(usize),
    /// As soon as its log is seen to have so many events, wherever it has come to by then.
    Event(usize),
}

/// A run, and when and how it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kill {
    /// What it does.
    pub verb: Verb,
    /// How a backup makes the service hold still.
    pub still: Still,
    /// When it dies.
    #[serde(flatten)]
    pub moment: Moment,
    /// How.
    pub death: Death,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The run, when and how it died.
    #[serde(flatten)]
    pub kill: Kill,
    /// How a backup makes the data hold still.
    pub way: Way,
    /// Its id.
    pub run: String,
    /// The step that it was killed in; nothing: between two.
    pub step: Option<String>,
    /// From the kill to the first order to start something of what the run had stopped, in milliseconds; nothing: it had
    /// stopped nothing.
    pub start_ms: Option<u64>,
    /// From the kill until all that ran before ran again, in milliseconds.
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
    way: Way,
    still: Still,
    /// What runs as long as nobody is killed.
    running: String,
    kills: usize,
    rehearsed: Vec<Rehearsal>,
}

impl Campaign {
    /// Begins: from now on the service is saved in this way.
    pub fn begin(server: Homeserver, way: Way) -> Result<Self> {
        let still = Still::Stop;
        server.save_by(still, way)?;
        let mut campaign =
            Self { server, way, still, running: String::new(), kills: 0, rehearsed: Vec::new() };
        campaign.save()?;
        let plan = campaign.server.svc("backup local paperless --dry-run")?.stdout;
        ensure!(plan.contains(way.mark()), "it is saved in another way:\n{plan}");
        campaign.running = campaign.runs()?;
        Ok(campaign)
    }

    /// From now on each backup has an older one to forget.
    pub fn forget_old_ones(self) -> Result<Self> {
        self.server.configure(".services.paperless.backup.policy = {last: 2}")?;
        self.save()?;
        Ok(self)
    }

    fn save(&self) -> Result<()> {
        let saved = self.server.svc(Verb::Backup.words())?;
        ensure!(saved.code == 0, "a backup fails although nobody kills it:\n{saved}");
        Ok(())
    }

    /// The homeserver, to look into.
    #[must_use]
    pub const fn server(&self) -> &Homeserver {
        &self.server
    }

    /// Kills a run; nothing: it came to its end before.
    pub fn kill(&mut self, kill: Kill) -> Result<Option<Outcome>> {
        self.kills += 1;
        self.hold_still_by(kill.still)?;
        self.server.home.check(&format!("touch {}", self.marks()))?;
        let mut violations = Vec::new();
        let run = match kill.moment {
            Moment::Place(place) => {
                let run = self.begin_run(kill.verb, Some(place))?;
                if !self.stands_still(&run)? {
                    return Ok(None);
                }
                violations.extend(self.judge_standing()?);
                run
            }
            Moment::Event(number) => {
                let run = self.begin_run(kill.verb, None)?;
                self.wait_for_event(&run, number)?;
                run
            }
        };
        let (at, struck) = (self.strike(kill.death, &run)?, Instant::now());
        let is_back = wait::until(BACK, || Ok(self.runs().is_ok_and(|now| now == self.running)))?;
        let back_ms = u64::try_from(struck.elapsed().as_millis()).unwrap_or(u64::MAX);
        let events = self.ended(&run)?;
        if !events::has_crashed(&events) {
            return Ok(None);
        }
        if !is_back {
            violations.push(format!("I1: what runs now is\n{}", self.runs()?));
        }
        violations.extend(self.judge(kill, &events)?);
        let (way, code) = (self.way, events::code(&events));
        let (step, start_ms) = (events::killed_in(&events), events::start_ms(&events, at));
        Ok(Some(Outcome { kill, way, run, step, start_ms, back_ms, code, violations }))
    }

    /// Brings everything up again after a kill that left something down, so that it is not held against the next one.
    fn mend(&self) -> Result<()> {
        let home = &self.server.home;
        home.check(
            "systemctl restart docker.service
             (svc recover; svc start paperless caddy watchtower notes) > /run/mended 2>&1 || true",
        )?;
        ensure!(wait::until(BACK, || Ok(self.runs()? == self.running))?, "{}", home.read("/run/mended")?);
        Ok(())
    }

    fn hold_still_by(&mut self, still: Still) -> Result<()> {
        if self.still != still {
            self.server.hold_still_by(still)?;
            self.still = still;
        }
        Ok(())
    }

    /// Begins a run, which stops itself at this place and at each that comes after it.
    fn begin_run(&self, verb: Verb, place: Option<usize>) -> Result<String> {
        let fault = place.map_or_else(String::new, |place| format!("SVC_FAULT={place} "));
        let begun = self.server.home.check(&format!("{fault}svc {} --detach", verb.words()))?;
        Ok(begun.trim().to_owned())
    }

    /// Waits until the run has stopped itself at a place; `false`: it came to its end. Nothing in the box is asked.
    fn stands_still(&self, run: &str) -> Result<bool> {
        let answer = wait::poll(LIMIT, || {
            let text = fs::read_to_string(self.seen(&log(run))?).unwrap_or_default();
            let stands = self.is_stopped(&text)?;
            Ok((stands || text.contains(END)).then_some(stands))
        })?;
        answer.with_context(|| format!("run {run} neither stands still nor ends"))
    }

    /// Whether the process that wrote a log has stopped itself.
    fn is_stopped(&self, log: &str) -> Result<bool> {
        let Some(pid) = events::process(log) else { return Ok(false) };
        let status = fs::read_to_string(self.seen(&format!("/proc/{pid}/status"))?);
        Ok(status.is_ok_and(|status| status.contains("\nState:\tT")))
    }

    /// Waits until the run's log has so many events, or an end.
    fn wait_for_event(&self, run: &str, number: usize) -> Result<()> {
        let path = self.seen(&log(run))?;
        let has_come = || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            Ok(text.lines().count() >= number || text.contains(END))
        };
        ensure!(wait::until(LIMIT, has_come)?, "run {run} does not end");
        Ok(())
    }

    /// Where the host sees a path of the box.
    fn seen(&self, path: &str) -> Result<PathBuf> {
        Ok(format!("/proc/{}/root{path}", self.server.home.leader()?).into())
    }

    /// Kills, and says when: milliseconds since 1970, as the box counts them.
    fn strike(&mut self, death: Death, run: &str) -> Result<u64> {
        let home = &mut self.server.home;
        let whom = match death {
            Death::Process => "--kill-whom=main",
            Death::Group => "--kill-whom=all",
            Death::Power => {
                let at = home.check("date +%s%3N")?;
                home.power_cut()?;
                home.start()?;
                home.wait_until_ready()?;
                return Ok(at.trim().parse()?);
            }
        };
        // One that has just come to its end is not there any more.
        let line = format!("date +%s%3N; systemctl kill -s KILL {whom} {} || true", unit(run));
        Ok(home.check(&line)?.trim().parse()?)
    }

    /// The run's events, once its log has an end.
    fn ended(&self, run: &str) -> Result<Vec<Value>> {
        let events = wait::poll(BACK, || {
            let events = self.events(run)?;
            Ok(events.last().is_some_and(|last| last["event"] == "runFinished").then_some(events))
        })?;
        events.with_context(|| format!("nobody ends run {run}"))
    }

    fn events(&self, run: &str) -> Result<Vec<Value>> {
        let text = self.server.home.read(&log(run))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// What runs now, and what of it is held.
    fn runs(&self) -> Result<String> {
        let held = "docker ps --filter status=paused --format '{{.Names}} is paused'";
        Ok(self.server.runs()? + &self.server.home.check(held)?)
    }
}

fn unit(run: &str) -> String {
    format!("svc-run-{run}.service")
}

fn log(run: &str) -> String {
    format!("/var/lib/svc/runs/{run}/log.jsonl")
}
