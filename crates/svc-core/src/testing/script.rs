//! Faults on demand: which call of which thing goes wrong.

use std::collections::HashMap;
use std::hash::Hash;

/// Which calls a fault hits; calls are counted from 1 for each verb and thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Every one.
    Always,
    /// Only this one.
    Nth(u32),
    /// This many, from the first on.
    First(u32),
}

impl When {
    fn hits(self, call: u32) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(nth) => call == nth,
            Self::First(count) => call <= count,
        }
    }
}

/// The faults of one fake, by what they hit; the one written last wins.
#[derive(Debug)]
pub struct Script<K, F> {
    faults: Vec<(K, When, F)>,
    calls: HashMap<K, u32>,
}

impl<K, F> Default for Script<K, F> {
    fn default() -> Self {
        Self { faults: Vec::new(), calls: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, F: Clone> Script<K, F> {
    /// Adds a fault. Calls made before count too.
    pub fn add(&mut self, key: K, when: When, fault: F) {
        self.faults.push((key, when, fault));
    }

    /// Forgets all faults, but not how many calls there were.
    pub fn clear(&mut self) {
        self.faults.clear();
    }

    /// Counts a call and says which fault hits it.
    pub fn next(&mut self, key: &K) -> Option<F> {
        let call = self.calls.entry(key.clone()).or_default();
        *call += 1;
        let call = *call;
        let hit = |(k, when, _): &&(K, When, F)| k == key && when.hits(call);
        self.faults.iter().rev().find(hit).map(|(_, _, fault)| fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_only_the_calls_it_names() {
        let mut script = Script::default();
        script.add("a", When::Nth(2), "second");
        script.add("b", When::First(2), "early");
        script.add("c", When::Always, "ever");
        let hits = |script: &mut Script<_, _>, key| (0..3).map(|_| script.next(&key)).collect::<Vec<_>>();
        assert_eq!(hits(&mut script, "a"), [None, Some("second"), None]);
        assert_eq!(hits(&mut script, "b"), [Some("early"), Some("early"), None]);
        assert_eq!(hits(&mut script, "c"), [Some("ever"); 3]);
        assert_eq!(hits(&mut script, "d"), [None; 3]);
    }
}
