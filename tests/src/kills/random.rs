//! Kills at random: the same seed draws the same ones.

use anyhow::Result;

use super::{Campaign, Death, Kill, Moment, Outcome, Verb};
use crate::homeserver::Still;

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed rolls the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0, below this one.
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let below = u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from((mixed ^ (mixed >> 31)) % below).unwrap_or(0)
    }
}

impl Campaign {
    /// Draws a kill: of any death if none is wished, then three of four of a process and one of ten of the machine.
    pub fn draw(&mut self, dice: &mut Dice, death: Option<Death>) -> Result<Kill> {
        let verb = match dice.roll(6) {
            0..=2 => Verb::Backup,
            3 | 4 => Verb::Restore,
            _ => Verb::Restart,
        };
        let still = if dice.roll(2) == 0 { Still::Stop } else { Still::Pause };
        let drawn = match dice.roll(20) {
            0 | 1 => Death::Power,
            2..=5 => Death::Group,
            _ => Death::Process,
        };
        let (at_place, number) = (dice.roll(2) == 0, dice.roll(usize::MAX));
        let run = self.rehearsed(verb, still)?;
        let moment = if at_place {
            Moment::Place(number % run.places.len().max(1) + 1)
        } else {
            // The last one is its end.
            Moment::Event(number % run.events.saturating_sub(1).max(1) + 1)
        };
        Ok(Kill { verb, still, moment, death: death.unwrap_or(drawn) })
    }

    /// Kills at random until so many runs have died; those that came to their end first do not count.
    pub fn kill_some(
        &mut self,
        dice: &mut Dice,
        count: usize,
        death: Option<Death>,
        mut tell: impl FnMut(Outcome) -> Result<()>,
    ) -> Result<()> {
        let mut killed = 0;
        while killed < count {
            let kill = self.draw(dice, death)?;
            if let Some(outcome) = self.kill(kill)? {
                killed += 1;
                let is_bad = !outcome.violations.is_empty();
                tell(outcome)?;
                if is_bad {
                    self.mend()?;
                }
            }
        }
        Ok(())
    }
}
