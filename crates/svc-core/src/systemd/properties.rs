//! A unit's properties as the bus gives them: any may be missing, of another type, or hold a word from the future.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use zbus::message::Message;
use zbus::{OwnedVariant, Variant};

use super::clock::Clocks;
use super::listing::active_state;
use super::{ActiveState, Client, TimerDetails, Unit, UnitDetails, glance};
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

    /// Adds what a `Get` answered.
    pub(super) fn add_one(&mut self, name: &'static str, answer: &Message) {
        if let Ok(value) = answer.body().deserialize::<OwnedVariant>() {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Takes a property that is true for a reason of its own.
    pub(super) fn add_flag(&mut self, name: &'static str) {
        if let Ok(value) = OwnedVariant::try_from(Variant::from(true)) {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// What svc wants to know of the unit.
    pub(super) fn details(self, unit: &Unit, clocks: Clocks) -> UnitDetails {
        let name = &unit.name;
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
            since: self.since(unit.active),
            restarts: self.number::<u32>("NRestarts").unwrap_or(0),
            members: if leads { self.units("ConsistsOf") } else { Vec::new() },
            // `freezing`, `frozen`, `frozen-by-parent`; while it thaws it runs again.
            frozen: freezer.starts_with("freez") || freezer.starts_with("frozen"),
            client: self.values.get("ExecStart").and_then(|command| Client::of(command)),
            timer: TimerDetails {
                next: self.next(clocks),
                last: self.moment("LastTriggerUSec"),
                unit: Some(self.text("Unit")).and_then(|name| name.parse().ok()),
            },
        }
    }

    /// When a timer is due: by the clock, by the time since boot, or by whichever of both comes first.
    fn next(&self, clocks: Clocks) -> Option<Timestamp> {
        let since_boot = self.span("NextElapseUSecMonotonic").filter(|span| !span.is_zero());
        let since_boot = since_boot.and_then(|span| clocks.at(span));
        self.moment("NextElapseUSecRealtime").into_iter().chain(since_boot).min()
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

    /// When the unit entered the state it is in.
    fn since(&self, listed: ActiveState) -> Option<Timestamp> {
        let active = match self.text("ActiveState") {
            "" => listed,
            word => active_state(word),
        };
        self.moment(glance::since(active))
    }

    /// A time of day; 0 and the largest number mean never.
    fn moment(&self, property: &str) -> Option<Timestamp> {
        let micros = self.number::<u64>(property).filter(|&micros| micros != 0 && micros != u64::MAX)?;
        Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;
    use crate::testing::{FakeUnit, unit_name};

    fn properties<const N: usize>(values: [(&str, Variant<'static>); N]) -> Properties {
        let own = |(name, value): (&str, Variant<'static>)| (name.to_owned(), value.try_into().unwrap());
        Properties { values: values.into_iter().map(own).collect() }
    }

    const CLOCKS: Clocks = Clocks { real: Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(100) };

    impl Properties {
        fn details_of(self, name: &str) -> UnitDetails {
            self.details(&FakeUnit::new(name).unit(), CLOCKS)
        }
    }

    #[test]
    fn a_timer_is_due_by_whichever_clock_comes_first() {
        let next = |real: u64, monotonic: u64| {
            let values = [
                ("NextElapseUSecRealtime", real.into()),
                ("NextElapseUSecMonotonic", monotonic.into()),
                ("LastTriggerUSec", 0_u64.into()),
                ("Unit", "a.service".into()),
            ];
            let timer = properties(values).details_of("a.timer").timer;
            assert_eq!((timer.last, timer.unit), (None, Some(unit_name("a.service"))));
            timer.next.map(Timestamp::as_second)
        };
        assert_eq!(next(60_000_000, 0), Some(60));
        assert_eq!(next(0, 130_000_000), Some(30));
        assert_eq!(next(60_000_000, 130_000_000), Some(30));
        assert_eq!(next(20_000_000, u64::MAX), Some(20));
        assert_eq!(next(u64::MAX, u64::MAX), None);
        // Overdue by the time since boot: it elapses as soon as the manager gets to it.
        assert_eq!(next(0, 90_000_000), Some(-10));
    }

    #[test]
    fn a_compose_unit_is_told_from_a_lasting_one() {
        let compose = [("Type", "oneshot".into()), ("RemainAfterExit", true.into())];
        assert!(properties(compose).details_of("a.service").remains_after_exit);
        let lasting = [("Type", "simple".into()), ("RemainAfterExit", true.into())];
        assert!(!properties(lasting).details_of("a.service").remains_after_exit);
    }

    #[test]
    fn infinity_is_no_limit_and_zero_no_time() {
        let values = [
            ("TimeoutStartUSec", u64::MAX.into()),
            ("TimeoutStopUSec", 90_000_000_u64.into()),
            ("ActiveState", "active".into()),
            ("ActiveEnterTimestamp", 0_u64.into()),
        ];
        let details = properties(values).details_of("a.service");
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
        let details = properties(values).details_of("a.service");
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
        let details = properties(values).details_of("a.service");
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
            properties(values).details_of(name).members
        };
        assert_eq!(details("a.target", ""), [unit_name("c.service")]);
        assert_eq!(details("a.service", "oneshot"), [unit_name("c.service")]);
        assert_eq!(details("a.service", "simple"), []);
    }
}
