//! Runs two sides in turn and says how long each took. This part runs in the box.

use std::{
    io,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::probe::Probe;
use crate::Machine;

/// Where this program is in the box, to measure there: entering a box takes longer than what is measured.
pub(super) const PROGRAM: &str = "/run/stopwatch";

/// One command: program and arguments.
pub(super) type Words = Vec<String>;

/// A line without any quotes as program and arguments.
pub(super) fn words(line: &str) -> Words {
    line.split(' ').map(str::to_owned).collect()
}

/// What is to be done in the box.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Errand {
    /// Answered with its pairs.
    Race(Race),
    /// Answered with [`super::probe::Answers`].
    Probe(Probe),
}

/// Two sides; each is commands, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Race {
    pub(super) pairs: usize,
    /// What is done before each side, and not measured.
    pub(super) before: Vec<Words>,
    pub(super) svc: Vec<Words>,
    pub(super) bare: Vec<Words>,
}

/// How long both sides took, one right after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) svc: Duration,
    pub(super) bare: Duration,
}

/// Has it done in a box.
pub(super) fn send<T: DeserializeOwned>(machine: &Machine, errand: &Errand) -> Result<T> {
    let stopwatch = machine.program([PROGRAM, "stopwatch"])?.stdin(serde_json::to_vec(errand)?)?;
    Ok(serde_json::from_str(&stopwatch.check()?)?)
}

/// Reads an errand from stdin, does it, and writes its answer to stdout.
pub fn run() -> Result<()> {
    let out = io::stdout().lock();
    match serde_json::from_reader(io::stdin().lock()).context("no errand on stdin")? {
        Errand::Race(race) => serde_json::to_writer(out, &race.run()?)?,
        Errand::Probe(probe) => serde_json::to_writer(out, &probe.run()?)?,
    }
    Ok(())
}

impl Race {
    fn run(&self) -> Result<Vec<Pair>> {
        // The first of each warms the caches. What is made anew each time has none.
        if self.before.is_empty() {
            self.pair(true)?;
        }
        // Each side goes first as often as the other.
        (0..self.pairs).map(|number| self.pair(number % 2 == 0)).collect()
    }

    fn pair(&self, svc_first: bool) -> Result<Pair> {
        let side = |commands| {
            time(&self.before)?;
            time(commands)
        };
        if svc_first {
            let svc = side(&self.svc)?;
            Ok(Pair { svc, bare: side(&self.bare)? })
        } else {
            let bare = side(&self.bare)?;
            Ok(Pair { svc: side(&self.svc)?, bare })
        }
    }
}

/// How long commands take, one after the other; all of them have to succeed.
pub(super) fn time(commands: &[Words]) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for words in commands {
        let (program, arguments) = words.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let status = command.status();
        total += began.elapsed();
        let status = status.with_context(|| format!("cannot run `{program}`"))?;
        if !status.success() {
            bail!("`{}` ended with {status}", words.join(" "));
        }
    }
    Ok(total)
}
