//! A unit's properties as the bus gives them: any may be missing, of another type, or hold a word from the future.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use zbus::OwnedVariant;
use zbus::message::Message;

use super::listing::active_state;
use super::{ActiveState, UnitDetails};
use crate::names::UnitName;

/// The properties of one object on one or several interfaces.
#[derive(Default)]
pub(super) struct Properties {
    values: HashMap<String, OwnedVariant>,
}

impl Properties {
    /// Adds what a `GetAll` answered; an answer of another shape adds nothing.
    pub(super) fn add(&mut self, answer: &Message) {
        self.values.extend(answer.body().deserialize::<HashMap<String, OwnedVariant>>().unwrap_or_default());
    }

    /// What svc wants to know of the unit.
    pub(super) fn details(self, name: &UnitName) -> UnitDetails {
        let remains_after_exit = self.text("Type") == "oneshot" && self.flag("RemainAfterExit");
        // What it merely wants may be everybody's: `docker.service`.
        let leads = remains_after_exit || name.as_str().ends_with(".target");
        let freezer = self.text("FreezerState");
        UnitDetails {
            name: name.clone(),
            remains_after_exit,
            file_state: self.text("UnitFileState").to_owned(),
            timeout_start: self.span("TimeoutStartUSec"),
            timeout_stop: self.span("TimeoutStopUSec"),
            triggered_by: self.units("TriggeredBy"),
            result: self.text("Result").to_owned(),
            since: self.since(),
            restarts: self.number::<u32>("NRestarts").unwrap_or(0),
            members: if leads { self.units("ConsistsOf") } else { Vec::new() },
            // `freezing`, `frozen`, `frozen-by-parent`; while it thaws it runs again.
            frozen: freezer.starts_with("freez") || freezer.starts_with("frozen"),
        }
    }

    fn text(&self, property: &str) -> &str {
        self.values.get(property).and_then(|value| value.try_into().ok()).unwrap_or_default()
    }

    fn flag(&self, property: &str) -> bool {
        self.number::<bool>(property).unwrap_or(false)
    }

    fn number<'a, T: TryFrom<&'a OwnedVariant>>(&'a self, property: &str) -> Option<T> {
        T::try_from(self.values.get(property)?).ok()
    }

    /// Names svc has no use for (`.automount`, `.device`) are left out.
    fn units(&self, property: &str) -> Vec<UnitName> {
        let names = self.values.get(property).and_then(|value| value.try_clone().ok());
        let names: Vec<String> = names.and_then(|value| value.try_into().ok()).unwrap_or_default();
        names.into_iter().filter_map(|name| name.try_into().ok()).collect()
    }

    /// A length of time; `infinity`, which is the largest number, is none.
    fn span(&self, property: &str) -> Option<Duration> {
        self.number::<u64>(property).filter(|&micros| micros != u64::MAX).map(Duration::from_micros)
    }

    /// When the unit entered the state it is in. There is one clock per change; 0 means never.
    fn since(&self) -> Option<Timestamp> {
        let clock = match active_state(self.text("ActiveState")) {
            ActiveState::Active | ActiveState::Reloading => "ActiveEnterTimestamp",
            ActiveState::Inactive | ActiveState::Failed => "InactiveEnterTimestamp",
            ActiveState::Activating => "InactiveExitTimestamp",
            ActiveState::Deactivating => "ActiveExitTimestamp",
        };
        let micros = self.number::<u64>(clock).filter(|&micros| micros != 0)?;
        Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;
    use crate::testing::unit_name;

    fn properties<const N: usize>(values: [(&str, Variant<'static>); N]) -> Properties {
        let own = |(name, value): (&str, Variant<'static>)| (name.to_owned(), value.try_into().unwrap());
        Properties { values: values.into_iter().map(own).collect() }
    }

    #[test]
    fn a_compose_unit_is_told_from_a_lasting_one() {
        let compose = [("Type", "oneshot".into()), ("RemainAfterExit", true.into())];
        assert!(properties(compose).details(&unit_name("a.service")).remains_after_exit);
        let lasting = [("Type", "simple".into()), ("RemainAfterExit", true.into())];
        assert!(!properties(lasting).details(&unit_name("a.service")).remains_after_exit);
    }

    #[test]
    fn infinity_is_no_limit_and_zero_no_time() {
        let values = [
            ("TimeoutStartUSec", u64::MAX.into()),
            ("TimeoutStopUSec", 90_000_000_u64.into()),
            ("ActiveState", "active".into()),
            ("ActiveEnterTimestamp", 0_u64.into()),
        ];
        let details = properties(values).details(&unit_name("a.service"));
        assert_eq!(details.timeout_start, None);
        assert_eq!(details.timeout_stop, Some(Duration::from_secs(90)));
        assert_eq!(details.since, None);
    }

    #[test]
    fn since_reads_the_clock_of_the_state_it_is_in() {
        let values = [
            ("ActiveState", "failed".into()),
            ("ActiveEnterTimestamp", 1_000_000_u64.into()),
            ("InactiveEnterTimestamp", 2_000_000_u64.into()),
        ];
        let details = properties(values).details(&unit_name("a.service"));
        assert_eq!(details.since, Some(Timestamp::from_second(2).unwrap()));
    }

    #[test]
    fn missing_and_odd_properties_are_no_fault() {
        let values = [
            ("TriggeredBy", vec!["a.socket".to_owned(), "x.automount".to_owned(), "?".to_owned()].into()),
            ("NRestarts", "many".into()),
            ("UnitFileState", 7_u32.into()),
            ("Wants", vec!["b.service".to_owned()].into()),
        ];
        let details = properties(values).details(&unit_name("a.service"));
        assert_eq!(details.triggered_by, [unit_name("a.socket")]);
        assert_eq!((details.restarts, details.file_state.as_str()), (0, ""));
        assert_eq!(details.members, []);
    }

    #[test]
    fn what_is_part_of_a_target_or_of_a_remaining_unit_is_its_member_and_what_it_wants_is_not() {
        let details = |name: &str, kind: &'static str| {
            let values = [
                ("Type", kind.into()),
                ("RemainAfterExit", true.into()),
                ("Wants", vec!["b.service".to_owned()].into()),
                ("ConsistsOf", vec!["c.service".to_owned()].into()),
            ];
            properties(values).details(&unit_name(name)).members
        };
        assert_eq!(details("a.target", ""), [unit_name("c.service")]);
        assert_eq!(details("a.service", "oneshot"), [unit_name("c.service")]);
        assert_eq!(details("a.service", "simple"), []);
    }
}
