//! A run that stops at every place and goes on: what its places are.

use anyhow::{Context as _, Result, ensure};

use super::{Campaign, Death, Kill, Moment, Outcome, Verb, events, unit};
use crate::homeserver::Still;

/// What a run passes.
#[derive(Debug, Clone)]
pub(super) struct Rehearsal {
    verb: Verb,
    still: Still,
    /// Its places, in order.
    pub(super) places: Vec<Place>,
    /// How many events its log has.
    pub(super) events: usize,
}

/// The step that a place belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What it does.
    pub(super) step: String,
    /// Which of the plan's steps it is.
    pub(super) index: u64,
}

impl Rehearsal {
    /// The numbers of the places of each of these steps; with no steps, of all.
    pub(super) fn numbers(&self, steps: &[&str]) -> Vec<Vec<usize>> {
        let numbered: Vec<(usize, &Place)> = (1..).zip(&self.places).collect();
        let is_wanted = |place: &Place| steps.is_empty() || steps.contains(&place.step.as_str());
        let one = |places: &[(usize, &Place)]| places.iter().map(|(number, _)| *number).collect();
        let runs = numbered.chunk_by(|(_, one), (_, next)| one.index == next.index);
        runs.filter(|places| places.first().is_some_and(|(_, place)| is_wanted(place))).map(one).collect()
    }
}

impl Campaign {
    /// Kills right before and right after each of these steps; with no steps, of all.
    pub fn kill_around(
        &mut self,
        verb: Verb,
        still: Still,
        death: Death,
        steps: &[&str],
    ) -> Result<Vec<Outcome>> {
        let numbers = self.rehearsed(verb, still)?.numbers(steps);
        let ends = numbers.iter().flat_map(|places| [places.first(), places.last()]);
        self.kill_at(verb, still, death, ends.flatten().copied().collect())
    }

    /// Kills at all places of a step.
    pub fn kill_within(
        &mut self,
        verb: Verb,
        still: Still,
        death: Death,
        step: &str,
    ) -> Result<Vec<Outcome>> {
        let numbers = self.rehearsed(verb, still)?.numbers(&[step]).concat();
        self.kill_at(verb, still, death, numbers)
    }

    /// Kills once after each of these steps, at the last of its places.
    pub fn kill_after(
        &mut self,
        verb: Verb,
        still: Still,
        death: Death,
        steps: &[&str],
    ) -> Result<Vec<Outcome>> {
        let run = self.rehearsed(verb, still)?;
        let last = |step: &&str| run.numbers(&[step]).concat().last().copied();
        let numbers: Vec<usize> = steps.iter().filter_map(last).collect();
        ensure!(numbers.len() == steps.len(), "{verb:?} has not all of {steps:?}: {:?}", run.places);
        self.kill_at(verb, still, death, numbers)
    }

    fn kill_at(
        &mut self,
        verb: Verb,
        still: Still,
        death: Death,
        mut places: Vec<usize>,
    ) -> Result<Vec<Outcome>> {
        places.dedup();
        let mut outcomes = Vec::new();
        for place in places {
            let outcome = self.kill(Kill { verb, still, moment: Moment::Place(place), death })?;
            outcomes.push(outcome.with_context(|| format!("{verb:?} does not come to place {place}"))?);
        }
        Ok(outcomes)
    }

    pub(super) fn rehearsed(&mut self, verb: Verb, still: Still) -> Result<&Rehearsal> {
        let is_it = |run: &Rehearsal| (run.verb, run.still) == (verb, still);
        if !self.rehearsed.iter().any(is_it) {
            let run = self.rehearse(verb, still)?;
            self.rehearsed.push(run);
        }
        self.rehearsed.iter().find(|run| is_it(run)).context("nothing was rehearsed")
    }

    fn rehearse(&mut self, verb: Verb, still: Still) -> Result<Rehearsal> {
        self.hold_still_by(still)?;
        let run = self.begin_run(verb, Some(1))?;
        let mut places = Vec::new();
        while self.stands_still(&run)? {
            let place = events::place(&self.events(&run)?);
            places.push(place.with_context(|| format!("run {run} stands still between two steps"))?);
            self.server.home.check(&format!("systemctl kill -s CONT --kill-whom=main {}", unit(&run)))?;
        }
        let events = self.ended(&run)?;
        ensure!(events::code(&events) == 0, "run {run} fails although nobody kills it: {:?}", events.last());
        Ok(Rehearsal { verb, still, places, events: events.len() })
    }
}
