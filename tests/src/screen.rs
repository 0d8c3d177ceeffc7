//! A terminal in a box, for what takes the whole screen.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{Machine, wait};

const TMUX: &str = "tmux -u -L screen";
/// A look at everything is over by then.
const DEADLINE: Duration = Duration::from_secs(30);

/// A program on a terminal of its own, one in each box.
#[derive(Debug)]
pub struct Screen<'a> {
    machine: &'a Machine,
}

impl<'a> Screen<'a> {
    /// Runs a line on a terminal of 120 columns and 40 lines; when it has ended, `exit` and its code stand there.
    pub fn run(machine: &'a Machine, line: &str) -> Result<Self> {
        let command = format!("{line}; echo \"exit $?\"; exec sleep infinity");
        machine.check(&format!("{TMUX} new-session -d -x 120 -y 40 '{command}'"))?;
        Ok(Self { machine })
    }

    /// What it shows, as soon as it is this.
    pub fn once(&self, is_shown: impl Fn(&str) -> bool) -> Result<String> {
        let look = || {
            let screen = self.machine.check(&format!("{TMUX} capture-pane -p"))?;
            Ok(Some(screen).filter(|screen| is_shown(screen)))
        };
        wait::poll(DEADLINE, look)?.context("the screen does not show what it should")
    }

    /// Presses a key.
    pub fn press(&self, key: &str) -> Result<()> {
        self.machine.check(&format!("{TMUX} send-keys {key}")).map(drop)
    }
}
