//! What `ListUnitsByNames` answers, brought back into the order of the question.

use std::collections::HashMap;

use zbus::OwnedObjectPath;

use super::{ActiveState, LoadState, Unit};
use crate::names::UnitName;

/// Where the manager has the objects of its units.
const OBJECTS: &str = "/org/freedesktop/systemd1/unit/";

/// One unit as the manager lists it: name, description, load, active and sub state, the unit it follows, its object,
/// and its job's number, type and object.
pub(super) type Row =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// A unit's file as the manager lists it: its path, and whether it is enabled.
pub(super) type FileRow = (String, String);

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

/// The units of `names`, in that order, from those in the manager's memory and the files of all; and the places of
/// those that are another name of something, which is not known here.
pub(super) fn guess(names: &[UnitName], rows: Vec<Row>, files: &[FileRow]) -> (Vec<Unit>, Vec<usize>) {
    let found: HashMap<UnitName, Unit> =
        rows.into_iter().filter_map(unit).map(|unit| (unit.name.clone(), unit)).collect();
    let file_name = |(path, state): &FileRow| Some((path.rsplit('/').next()?.to_owned(), state.clone()));
    let files: HashMap<String, String> = files.iter().filter_map(file_name).collect();
    let (mut units, mut aliases) = (Vec::with_capacity(names.len()), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let state = files.get(name.as_str()).map(String::as_str);
        if state == Some("alias") && !found.contains_key(name) {
            aliases.push(at);
        }
        units.push(found.get(name).cloned().unwrap_or_else(|| at_rest(name, state)));
    }
    (units, aliases)
}

/// A unit that is not in the manager's memory: nothing of it runs, and nothing of it failed.
fn at_rest(name: &UnitName, file_state: Option<&str>) -> Unit {
    let (load, object_path) = match file_state {
        None => (LoadState::NotFound, String::new()),
        Some("masked" | "masked-runtime") => (LoadState::Masked, object_path(name)),
        Some(_) => (LoadState::Loaded, object_path(name)),
    };
    Unit { load, object_path, ..not_found(name) }
}

/// Where the manager has the object of a unit, also of one that it first has to read.
fn object_path(name: &UnitName) -> String {
    let escape = |(at, byte): (usize, u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        b'0'..=b'9' if at > 0 => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    format!("{OBJECTS}{}", name.as_str().bytes().enumerate().map(escape).collect::<String>())
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
    fn a_guess_is_in_memory_or_in_a_file_or_nowhere_and_an_alias_is_for_others_to_find() {
        let names =
            ["up.service", "off.service", "no.service", "also.service", "barred.service"].map(unit_name);
        let file = |name: &str, state: &str| (format!("/etc/systemd/system/{name}"), state.to_owned());
        let files = [
            file("off.service", "disabled"),
            file("up.service", "enabled"),
            file("also.service", "alias"),
            file("barred.service", "masked"),
            file("stranger.service", "enabled"),
        ];
        let rows = vec![row("up.service", "loaded", "active"), row("foreign.service", "loaded", "active")];
        let (units, aliases) = guess(&names, rows, &files);
        assert_eq!(aliases, [3]);
        let got: Vec<_> =
            units.iter().map(|unit| (unit.load, unit.active, unit.object_path.as_str())).collect();
        let path = |name: &str| format!("/org/freedesktop/systemd1/unit/{name}");
        let (off, also, barred) = (path("off_2eservice"), path("also_2eservice"), path("barred_2eservice"));
        let expected = [
            (LoadState::Loaded, ActiveState::Active, "/unit"),
            (LoadState::Loaded, ActiveState::Inactive, off.as_str()),
            (LoadState::NotFound, ActiveState::Inactive, ""),
            (LoadState::Loaded, ActiveState::Inactive, also.as_str()),
            (LoadState::Masked, ActiveState::Inactive, barred.as_str()),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn an_object_has_the_path_that_the_manager_gives_it() {
        let path = object_path(&unit_name("1-a_b@c\\x2d.service"));
        assert_eq!(path, "/org/freedesktop/systemd1/unit/_31_2da_5fb_40c_5cx2d_2eservice");
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
