//! Runs two sides in turn and says how long each took. This part runs in the box.

use std::{
    io,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// One command: program and arguments.
pub(super) type Words = Vec<String>;

/// Two sides; each is commands, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Race {
    pub(super) pairs: usize,
    pub(super) svc: Vec<Words>,
    pub(super) bare: Vec<Words>,
}

/// How long both sides took, one right after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) svc: Duration,
    pub(super) bare: Duration,
}

/// Reads a race from stdin, runs it, and writes its pairs to stdout.
pub fn run() -> Result<()> {
    let race: Race = serde_json::from_reader(io::stdin().lock()).context("no race on stdin")?;
    // The first of each warms the caches.
    pair(&race, true)?;
    // Each side goes first as often as the other.
    let pairs: Vec<Pair> =
        (0..race.pairs).map(|number| pair(&race, number % 2 == 0)).collect::<Result<_>>()?;
    Ok(serde_json::to_writer(io::stdout().lock(), &pairs)?)
}

fn pair(race: &Race, svc_first: bool) -> Result<Pair> {
    if svc_first {
        let svc = time(&race.svc)?;
        Ok(Pair { svc, bare: time(&race.bare)? })
    } else {
        let bare = time(&race.bare)?;
        Ok(Pair { svc: time(&race.svc)?, bare })
    }
}

fn time(commands: &[Words]) -> Result<Duration> {
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
