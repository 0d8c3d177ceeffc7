//! What `ListUnitsByNames` answers, brought back into the order of the question.

use std::collections::HashMap;

use zbus::OwnedObjectPath;

use super::{ActiveState, LoadState, Unit};
use crate::names::UnitName;

/// One unit as the manager lists it: name, description, load, active and sub state, the unit it follows, its object,
/// and its job's number, type and object.
pub(super) type Row =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// Whether the manager can be asked for it. One template among the names makes it refuse the whole question.
pub(super) fn is_listable(name: &UnitName) -> bool {
    name.as_str().split_once('@').is_none_or(|(_, rest)| !rest.starts_with('.'))
}

/// The units of `names`, in that order, from the rows for `asked`.
pub(super) fn arrange(names: &[UnitName], asked: &[&UnitName], rows: Vec<Row>) -> Vec<Unit> {
    // A row per name in the same order, so the position tells which name an alias was asked by.
    let in_step = rows.len() == asked.len();
    let mut found: HashMap<String, Unit> = HashMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        let key = if in_step { asked.get(at).map(ToString::to_string) } else { None };
        let key = key.unwrap_or_else(|| row.0.clone());
        if let Some(unit) = unit(row) {
            found.insert(key, unit);
        }
    }
    names.iter().map(|name| found.get(name.as_str()).cloned().unwrap_or_else(|| not_found(name))).collect()
}

pub(super) fn unit(row: Row) -> Option<Unit> {
    let (name, description, load, active, sub, _, path, ..) = row;
    Some(Unit {
        name: name.parse().ok()?,
        description,
        load: load_state(&load),
        active: active_state(&active),
        sub,
        object_path: path.to_string(),
    })
}

/// A unit that the manager has no word about.
fn not_found(name: &UnitName) -> Unit {
    Unit {
        name: name.clone(),
        description: name.to_string(),
        load: LoadState::NotFound,
        active: ActiveState::Inactive,
        sub: "dead".to_owned(),
        object_path: String::new(),
    }
}

fn load_state(word: &str) -> LoadState {
    match word {
        "loaded" | "merged" => LoadState::Loaded,
        "not-found" => LoadState::NotFound,
        "masked" => LoadState::Masked,
        _ => LoadState::Broken,
    }
}

/// The state behind systemd's word.
pub(super) fn active_state(word: &str) -> ActiveState {
    match word {
        "active" => ActiveState::Active,
        // Up, and busy with its configuration; `refreshing` since systemd 257.
        "reloading" | "refreshing" => ActiveState::Reloading,
        "inactive" => ActiveState::Inactive,
        "failed" => ActiveState::Failed,
        // `maintenance`: down, with a clean-up of its directories under way.
        "deactivating" | "maintenance" => ActiveState::Deactivating,
        // Also what newer versions may add: on its way, neither up nor off for sure.
        _ => ActiveState::Activating,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::unit_name;

    fn row(name: &str, load: &str, active: &str) -> Row {
        let path = |text: &str| OwnedObjectPath::try_from(text.to_owned()).unwrap();
        let words = |text: &str| text.to_owned();
        let (unit, none) = (path("/unit"), path("/"));
        (
            words(name),
            words("what"),
            words(load),
            words(active),
            words("sub"),
            words(""),
            unit,
            0,
            words(""),
            none,
        )
    }

    #[test]
    fn units_come_in_the_order_asked_with_aliases_and_repetitions() {
        let names = ["b.service", "alias.service", "b.service"].map(unit_name);
        let asked = [&names[0], &names[1]];
        let rows = vec![row("b.service", "loaded", "active"), row("real.service", "loaded", "failed")];
        let units = arrange(&names, &asked, rows);
        let got: Vec<_> = units.iter().map(|unit| (unit.name.as_str(), unit.active)).collect();
        let b = ("b.service", ActiveState::Active);
        assert_eq!(got, [b, ("real.service", ActiveState::Failed), b]);
    }

    #[test]
    fn a_name_the_manager_left_out_is_not_found_and_shifts_no_other() {
        let names = ["a.service", "b.service"].map(unit_name);
        let units = arrange(&names, &[&names[0], &names[1]], vec![row("b.service", "masked", "inactive")]);
        let got: Vec<_> = units.iter().map(|unit| (unit.name.as_str(), unit.load)).collect();
        assert_eq!(got, [("a.service", LoadState::NotFound), ("b.service", LoadState::Masked)]);
    }

    #[test]
    fn a_template_is_not_asked_for() {
        assert!(!is_listable(&unit_name("a@.service")));
        assert!(is_listable(&unit_name("a@b.service")));
        assert!(is_listable(&unit_name("a.b.service")));
    }

    #[test]
    fn unknown_words_are_neither_up_nor_off() {
        assert_eq!(active_state("refreshing"), ActiveState::Reloading);
        assert_eq!(active_state("hovering"), ActiveState::Activating);
        assert_eq!(load_state("bad-setting"), LoadState::Broken);
    }
}
