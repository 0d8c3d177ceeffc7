//! Backups that something happens to at a place, and that come to their end all the same: they are asked for it, once or
//! twice, as Ctrl-C, a logout or a shutdown does.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::judge::Findings;
use super::{Campaign, END, LIMIT, Verb, events, log, unit};
use crate::homeserver::Still;
use crate::{Homeserver, wait};

/// What a run's log has once it has taken up the first signal.
const ASKED: &str = "\"cancelRequested\"";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    /// A person, with Ctrl-C: INT.
    Interrupt,
    /// systemd, or `kill`: TERM.
    Terminate,
}

/// A run that was asked to end, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// The number of the place at which it was asked.
    pub place: usize,
    /// The step that it stood still in.
    pub step: String,
    /// Whether it had nothing more to do there.
    pub is_last: bool,
    /// Who asked.
    pub ask: Ask,
    /// Whether it was asked a second time, as soon as it had taken up the first.
    pub twice: bool,
    /// What the run's log says that it ended with.
    pub code: u64,
    /// What is not as it must be; none: all is well.
    pub violations: Vec<String>,
}

impl Ask {
    const fn signal(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Terminate => "TERM",
        }
    }

    /// The exit code that it leads to.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl Campaign {
    /// Asks a backup to end at all places of these steps; with no steps, of all. Before a step's side effect it is asked once by
    /// the one signal, and twice by the other; after it, by turns. The next backup has to succeed then.
    pub fn cancel_within(&mut self, steps: &[&str]) -> Result<Vec<Cancelled>> {
        let run = self.rehearsed(Verb::Backup, Still::Stop)?;
        let (numbers, last) = (run.numbers(steps), run.places.len());
        self.kills += 1;
        self.server.home.check(&format!("touch {}", self.marks()))?;
        let mut all = Vec::new();
        for (index, places) in numbers.iter().enumerate() {
            let (one, other) = match index % 2 {
                0 => (Ask::Interrupt, Ask::Terminate),
                _ => (Ask::Terminate, Ask::Interrupt),
            };
            let after = places.iter().skip(1).map(|place| (*place, one, index % 2 == 0));
            let before =
                places.first().into_iter().flat_map(|first| [(*first, one, false), (*first, other, true)]);
            for (place, ask, twice) in before.chain(after) {
                all.push(self.cancel_at(place, ask, twice, place == last)?);
            }
        }
        let mut found = Findings::default();
        self.judge_next(&mut found)?;
        if let Some(last) = all.last_mut() {
            last.violations.extend(found.0);
        }
        Ok(all)
    }

    fn cancel_at(&self, place: usize, ask: Ask, twice: bool, is_last: bool) -> Result<Cancelled> {
        let run = self.begin_run(Verb::Backup, Some(place))?;
        ensure!(self.stands_still(&run)?, "a backup does not come to place {place}");
        let step = events::place(&self.events(&run)?).context("it stands still between two steps")?.step;
        self.send(&run, ask.signal())?;
        self.send(&run, "CONT")?;
        if twice && self.takes_it_up(&run)? {
            self.send(&run, ask.signal())?;
        }
        let code = self.let_go(&run)?;
        let mut found = Findings::default();
        self.judge_cancelled(&mut found, &run)?;
        let violations = found.0;
        Ok(Cancelled { place, step, is_last, ask, twice, code, violations })
    }

    /// Does something while a backup stands still right after this step, and says what it ends with.
    pub fn meanwhile(&mut self, step: &str, act: impl FnOnce(&Homeserver) -> Result<()>) -> Result<u64> {
        let places = self.rehearsed(Verb::Backup, Still::Stop)?.numbers(&[step]).concat();
        let place = *places.last().with_context(|| format!("a backup has no step `{step}`"))?;
        let run = self.begin_run(Verb::Backup, Some(place))?;
        ensure!(self.stands_still(&run)?, "a backup does not come to place {place}");
        act(&self.server)?;
        self.let_go(&run)
    }

    /// Lets a run that stands still go on to its end, and says what it ended with.
    fn let_go(&self, run: &str) -> Result<u64> {
        // It stops itself at each place that it still passes.
        while self.stands_still(run)? {
            self.send(run, "CONT")?;
        }
        Ok(events::code(&self.ended(run)?))
    }

    /// Lets a run go on until it has heeded the first signal: two that it gets at once are one. `false`: it has ended.
    fn takes_it_up(&self, run: &str) -> Result<bool> {
        let path = log(run);
        let answer = wait::poll(LIMIT, || {
            let text = self.server.home.read(&path)?;
            if text.contains(ASKED) || text.contains(END) {
                return Ok(Some(!text.contains(END)));
            }
            if self.is_stopped(&text)? {
                self.send(run, "CONT")?;
            }
            Ok(None)
        })?;
        answer.with_context(|| format!("run {run} heeds no signal"))
    }

    fn send(&self, run: &str, signal: &str) -> Result<()> {
        // One that has just come to its end is not there any more.
        let line = format!("systemctl kill -s {signal} --kill-whom=main {} 2> /dev/null || true", unit(run));
        self.server.home.check(&line).map(drop)
    }

    /// What ran before runs, and nothing is left: no copy, no lock, no process.
    fn judge_cancelled(&self, found: &mut Findings, run: &str) -> Result<()> {
        let home = &self.server.home;
        let runs = self.runs()?;
        found.must(runs == self.running, || format!("I1, I2: what runs now is\n{runs}"));
        // restic is left to itself after a second signal, and ends with the unit at the latest.
        let show = format!("systemctl show -P ActiveState {}", unit(run));
        let is_gone = wait::until(LIMIT, || Ok(home.check(&show)? == "inactive\n"))?;
        found.must(is_gone, || "its unit does not end".to_owned());
        let locks = home.check("ls /mnt/backup/restic/locks; pgrep -x restic || true")?;
        found.must(locks.is_empty(), || format!("restic was not told: its lock or itself is left:\n{locks}"));
        self.judge_copies(found)
    }
}
