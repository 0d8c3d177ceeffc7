//! Units without a file in the fake manager. One that is oneshot is there while it runs, whoever waits for it.

use std::time::Duration;

use super::{FakeSystemd, FakeUnit, Inner, SystemdFault};
use crate::names::UnitName;
use crate::systemd::{ActiveState, JobVerb, SystemdError, TransientUnit, Value};

impl FakeSystemd {
    /// Makes a unit, starts it, and waits for its start, which of a oneshot unit is its end.
    pub(super) async fn pass(&self, unit: &TransientUnit, deadline: Duration) -> Result<(), SystemdError> {
        let name = &unit.name;
        let fault = self.lock().script.next(&(JobVerb::Start, name.clone()));
        if let Some(SystemdFault::Error(error)) = fault {
            return Err(error);
        }
        self.lock().make(unit)?;
        let (takes, result) = match fault {
            Some(SystemdFault::Slow(takes)) => (takes.min(deadline), None),
            Some(SystemdFault::Hang) => (deadline, None),
            Some(SystemdFault::Late(result)) => (limit(unit).unwrap_or(deadline), Some(result)),
            Some(SystemdFault::Job(result)) => (Duration::ZERO, Some(result)),
            Some(SystemdFault::Error(_)) | None => (Duration::ZERO, None),
        };
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        self.lock().come_up(name, result)
    }
}

impl Inner {
    fn make(&mut self, unit: &TransientUnit) -> Result<(), SystemdError> {
        let name = &unit.name;
        if self.stopping {
            return Err(SystemdError::ShuttingDown { unit: name.to_string() });
        }
        if self.find(name).is_some_and(FakeUnit::is_up) {
            let reason = format!("Unit {name} was already loaded or has a fragment file.");
            return Err(SystemdError::Refused { action: format!("start `{name}`"), reason });
        }
        let is_oneshot = unit.properties.contains(&("Type", Value::Text("oneshot".to_owned())));
        let made = if is_oneshot { FakeUnit::passing(name) } else { FakeUnit::blank(name) };
        self.units.insert(name.clone(), made.in_state(ActiveState::Activating));
        Ok(())
    }

    /// Its start has ended: in this way, or well; or it was stopped meanwhile.
    fn come_up(&mut self, name: &UnitName, result: Option<&'static str>) -> Result<(), SystemdError> {
        let result = if self.units.contains_key(name) { result } else { Some("canceled") };
        if let Some(result) = result {
            self.units.shift_remove(name);
            let (verb, unit) = (JobVerb::Start.to_string(), name.to_string());
            return Err(SystemdError::JobEnded { verb, unit, result: result.to_owned() });
        }
        if self.find(name).is_some_and(FakeUnit::passes) {
            self.units.shift_remove(name);
        } else if let Some(unit) = self.find_mut(name) {
            unit.run();
        }
        Ok(())
    }
}

/// How long a unit may take to start.
fn limit(unit: &TransientUnit) -> Option<Duration> {
    unit.properties.iter().find_map(|(name, value)| match value {
        Value::Number(micros) if *name == "TimeoutStartUSec" => Some(Duration::from_micros(*micros)),
        _ => None,
    })
}
