//! What the fake manager's jobs do to its units.

use super::{FakeUnit, Inner, JobKey};
use crate::names::UnitName;
use crate::systemd::{ActiveState, JobVerb, LoadState, SystemdError};

impl Inner {
    pub(super) fn find(&self, name: &UnitName) -> Option<&FakeUnit> {
        self.units.get(name).or_else(|| self.units.values().find(|unit| unit.aliases.contains(name)))
    }

    pub(super) fn find_mut(&mut self, name: &UnitName) -> Option<&mut FakeUnit> {
        let primary = self.find(name)?.name.clone();
        self.units.get_mut(&primary)
    }

    pub(super) fn on_the_way(&mut self, verb: JobVerb, name: &UnitName) {
        let Some(unit) = self.find_mut(name) else { return };
        match verb {
            JobVerb::Start if !unit.is_up() => unit.enter(ActiveState::Activating),
            JobVerb::Stop | JobVerb::Restart if unit.is_up() => unit.enter(ActiveState::Deactivating),
            _ => {}
        }
    }

    /// Changes the unit and those it pulls along; gives back what really changed, in order.
    pub(super) fn carry_out(&mut self, verb: JobVerb, name: &UnitName) -> Vec<JobKey> {
        let mut changed = Vec::new();
        if matches!(verb, JobVerb::Stop | JobVerb::Restart) {
            self.stop(name, &mut changed);
        }
        if matches!(verb, JobVerb::Start | JobVerb::Restart) {
            self.start(name, &mut changed);
        }
        changed
    }

    fn stop(&mut self, name: &UnitName, changed: &mut Vec<JobKey>) {
        let Some(unit) = self.find_mut(name) else { return };
        if !unit.is_up() && unit.active != ActiveState::Deactivating {
            return;
        }
        unit.enter(ActiveState::Inactive);
        let (primary, parts) = (unit.name.clone(), unit.consists_of.clone());
        if unit.passes() {
            self.units.shift_remove(&primary);
        }
        changed.push((JobVerb::Stop, primary));
        for part in &parts {
            self.stop(part, changed);
        }
    }

    fn start(&mut self, name: &UnitName, changed: &mut Vec<JobKey>) {
        let Some(unit) = self.find_mut(name) else { return };
        if unit.active == ActiveState::Active || unit.load != LoadState::Loaded {
            return;
        }
        unit.run();
        let (primary, wanted) = (unit.name.clone(), unit.wants.clone());
        changed.push((JobVerb::Start, primary));
        for wanted in &wanted {
            self.start(wanted, changed);
        }
    }

    pub(super) fn set_frozen(
        &mut self,
        action: &str,
        name: &UnitName,
        frozen: bool,
    ) -> Result<(), SystemdError> {
        let refused = |reason: &str| {
            let action = format!("{action} `{name}`");
            Err(SystemdError::Refused { action, reason: reason.to_owned() })
        };
        match self.find_mut(name) {
            None => {
                let reason = format!("Unit {name} not loaded.");
                Err(SystemdError::NoUnit { unit: name.to_string(), reason })
            }
            Some(unit) if !unit.is_up() => refused("Unit is not active."),
            Some(unit) if frozen && !unit.freezable => refused("Unit does not support freeze/thaw."),
            Some(unit) => {
                // A oneshot unit has no processes: the real call succeeds just the same.
                unit.frozen = frozen;
                Ok(())
            }
        }
    }

    pub(super) fn break_down(&mut self, verb: JobVerb, name: &UnitName, result: &str) {
        let Some(unit) = self.find_mut(name) else { return };
        match (result, verb) {
            ("failed", JobVerb::Start | JobVerb::Restart) => unit.fail("exit-code"),
            ("timeout", _) => unit.fail("timeout"),
            _ => {}
        }
    }
}
