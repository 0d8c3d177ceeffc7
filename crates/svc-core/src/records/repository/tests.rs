use super::*;

fn check(second: i64, subset: Option<Subset>, code: Code) -> Checked {
    Checked { at: Timestamp::from_second(second).unwrap(), subset, code, took_ms: 1 }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const LATER: Timestamp = Timestamp::constant(1_000_000, 0);

const fn part(part: u32, of: u32) -> Subset {
    Subset { part, of }
}

#[test]
fn every_part_is_read_once_in_as_many_checks_as_there_are_parts() {
    let mut record = RepositoryRecord::default();
    let mut read = Vec::new();
    for run in 0..12 {
        assert_eq!(record.proven_until(LATER), None);
        let subset = record.next(12, LATER);
        read.push(subset.part);
        // One that did not get to it does not count.
        record.note(check(run, Some(subset), Code::Unreachable), "", 12);
        record.note(check(100 + run, Some(subset), Code::Ok), "", 12);
    }
    read.sort_unstable();
    assert_eq!(read, (1..=12).collect::<Vec<_>>());
    assert_eq!(record.proven_until(LATER), Some(second(100)));
    assert_eq!(record.next(12, LATER).part, 1);
}

#[test]
fn a_part_that_was_read_in_a_time_to_come_is_read_next_and_proves_nothing() {
    let mut record = RepositoryRecord::default();
    record.note(check(50, Some(part(1, 3)), Code::Ok), "", 3);
    record.note(check(90, Some(part(2, 3)), Code::Ok), "", 3);
    record.note(check(60, Some(part(3, 3)), Code::Ok), "", 3);
    assert_eq!((record.next(3, second(70)).part, record.proven_until(second(70))), (2, None));
    assert_eq!((record.next(3, second(90)).part, record.proven_until(second(90))), (1, Some(second(50))));
}

#[test]
fn a_damaged_part_is_not_forgotten_over_the_others_and_does_not_keep_them_waiting() {
    let mut record = RepositoryRecord::default();
    let bad = record.next(3, LATER);
    record.note(check(1, Some(bad), Code::Damaged), "pack gone", 3);
    let other = record.next(3, LATER);
    assert_ne!(other, bad);
    record.note(check(2, Some(other), Code::Ok), "", 3);
    record.note(check(3, None, Code::Ok), "", 3);
    assert_eq!(record.damaged.len(), 1);
    record.note(check(4, Some(bad), Code::Ok), "", 3);
    assert_eq!((record.damaged.len(), record.proven_until(LATER)), (0, None));
    record.note(check(5, Some(part(1, 1)), Code::Ok), "", 3);
    assert_eq!(record.proven_until(LATER), Some(second(5)));
}

#[test]
fn a_second_damage_does_not_take_the_place_of_the_first() {
    let (mut record, local) = (RepositoryRecord::default(), "local".parse().unwrap());
    record.note(check(1, Some(part(3, 12)), Code::Damaged), "three", 12);
    record.note(check(2, Some(part(7, 12)), Code::Damaged), "seven", 12);
    assert_eq!(record.hold(&local).unwrap().causes, ["three", "seven"]);
    record.note(check(3, Some(part(7, 12)), Code::Ok), "", 12);
    assert_eq!(record.hold(&local).unwrap().causes, ["three"]);
    record.note(check(4, Some(part(3, 12)), Code::Damaged), "three still", 12);
    assert_eq!(record.hold(&local).unwrap().causes, ["three still"]);
    record.note(check(5, Some(part(3, 12)), Code::Ok), "", 12);
    assert_eq!(record.hold(&local), None);
}

#[test]
fn a_good_check_lifts_only_what_it_has_seen_again() {
    let all = || [None, Some(part(1, 1)), Some(part(3, 12)), Some(part(7, 12))];
    for (read, left) in [
        (None, vec![Some(part(1, 1)), Some(part(3, 12)), Some(part(7, 12))]),
        (Some(part(1, 1)), vec![]),
        (Some(part(3, 12)), vec![Some(part(1, 1)), Some(part(7, 12))]),
        (Some(part(3, 4)), vec![Some(part(1, 1))]),
        (Some(part(1, 6)), vec![Some(part(1, 1)), Some(part(3, 12))]),
        (Some(part(3, 24)), vec![Some(part(1, 1)), Some(part(3, 12)), Some(part(7, 12))]),
    ] {
        let mut record = RepositoryRecord::default();
        for damage in all() {
            record.note(check(1, damage, Code::Damaged), "bad", 12);
        }
        record.note(check(2, read, Code::Ok), "", 12);
        let still: Vec<_> = record.damaged.iter().map(|damage| damage.subset).collect();
        assert_eq!(still, left, "{read:?}");
    }
}

#[test]
fn a_record_of_the_time_of_one_damage_is_read_all_the_same() {
    let read = |text: &str| serde_json::from_str::<RepositoryRecord>(text).unwrap().damaged;
    let one = r#"{"at": "1970-01-01T00:00:01Z", "subset": {"part": 3, "of": 12}, "said": "bad"}"#;
    let damage = Damage { at: second(1), subset: Some(part(3, 12)), said: "bad".to_owned() };
    assert_eq!(read(&format!(r#"{{"damaged": {one}}}"#)), std::slice::from_ref(&damage));
    assert_eq!(read(&format!(r#"{{"damaged": [{one}, {one}]}}"#)), [damage.clone(), damage]);
    assert_eq!((read(r#"{"damaged": null}"#), read("{}")), (vec![], vec![]));
}

#[test]
fn another_number_of_parts_begins_anew() {
    let mut record = RepositoryRecord::default();
    record.note(check(1, Some(part(1, 1)), Code::Ok), "", 2);
    assert!(record.proven_until(LATER).is_some());
    assert_eq!(record.next(5, LATER), Subset { part: 1, of: 5 });
    record.note(check(2, Some(part(1, 5)), Code::Ok), "", 5);
    assert_eq!((record.proven_until(LATER), record.next(5, LATER).part), (None, 2));
}

#[test]
fn a_record_comes_back_as_it_was_saved() {
    let directory = tempfile::tempdir().unwrap();
    let local = "local".parse().unwrap();
    let saved = RepositoryRecord::update(directory.path(), &local, LATER, |record| {
        record.note(check(1, None, Code::Damaged), "bad", 2);
        record.add_process(Process { pid: 7, born: Some(70), from: Timestamp::UNIX_EPOCH });
    });
    assert_eq!(RepositoryRecord::load(directory.path(), &local), saved.unwrap());
}

#[test]
fn a_change_is_not_lost_to_another_that_is_made_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let local: RepositoryName = "local".parse().unwrap();
    std::thread::scope(|scope| {
        for pid in 0..16 {
            let (directory, local) = (directory.path(), &local);
            scope.spawn(move || {
                let process = Process { pid, born: None, from: Timestamp::UNIX_EPOCH };
                RepositoryRecord::update(directory, local, LATER, |record| record.add_process(process))
            });
        }
    });
    let record = RepositoryRecord::load(directory.path(), &local);
    let mut pids: Vec<u32> = record.processes.iter().map(|process| process.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, (0..16).collect::<Vec<_>>());
}
