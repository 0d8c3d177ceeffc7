use super::*;

fn at(day: i64) -> Timestamp {
    "2026-11-01T02:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
}

fn owner() -> Owner {
    Owner {
        service: "notes".parse().unwrap(),
        host: "home".to_owned(),
        old_tag: Some("notes".to_owned()),
        tags: vec!["notes".to_owned(), "small".to_owned()],
        shared_with: None,
        foreign: vec!["music".to_owned()],
    }
}

fn snapshot(day: u8, tags: &[&str]) -> Snapshot {
    Snapshot {
        id: format!("{day:064x}").parse().unwrap(),
        time: at(day.into()),
        host: "home".to_owned(),
        tags: tags.iter().map(ToString::to_string).collect(),
        paths: vec!["/srv/notes".into()],
        counts: None,
        offset: Offset::UTC,
    }
}

fn nights(days: impl Iterator<Item = u8>) -> Vec<Snapshot> {
    days.map(|day| snapshot(day, &["svc:notes", "notes"])).collect()
}

fn last(count: u32) -> Policy {
    Policy { last: Some(count), ..Policy::default() }
}

fn days(judged: &[Judged]) -> Vec<i64> {
    let mut days: Vec<i64> =
        judged.iter().map(|one| one.time.duration_since(at(0)).as_hours() / 24).collect();
    days.sort_unstable();
    days
}

fn decided(own: &[Snapshot], policy: &Policy, protected: &Protected) -> Vec<i64> {
    let weighed = expect(own, policy, protected.next);
    days(&decide(&owner(), &weighed, policy, protected, at(60)).unwrap().forget)
}

#[test]
fn what_the_policy_does_not_keep_goes_and_the_snapshot_to_come_counts() {
    let own = nights(0..5);
    assert_eq!(decided(&own, &last(3), &Protected::default()), [0, 1]);
    let next = Protected { next: Some(at(60)), last_good: Some(own[4].id.clone()), ..Protected::default() };
    assert_eq!(decided(&own, &last(3), &next), [0, 1, 2]);
    assert_eq!(decided(&own, &last(1), &next), [0, 1, 2, 3, 4]);
}

#[test]
fn the_last_good_one_and_the_last_one_that_was_read_back_stay() {
    let own = nights(0..5);
    let protected = Protected { last_good: Some(own[0].id.clone()), ..Protected::default() };
    assert_eq!(decided(&own, &last(2), &protected), [1, 2]);
    let protected = Protected { proven_until: Some(at(1)), ..Protected::default() };
    assert_eq!(decided(&own, &last(2), &protected), [0, 2]);
}

#[test]
fn bad_nights_take_no_good_ones_place() {
    let own = nights(0..6);
    let not_good = own[3..5].iter().map(|bad| bad.id.clone()).collect();
    let doubts = Doubts { not_good, ..Doubts::default() };
    let protected = Protected { doubts, last_good: Some(own[5].id.clone()), ..Protected::default() };
    // Of the good ones 5, 2 and 1 are the last three; restic itself would keep 5, 4 and 3.
    assert_eq!(decided(&own, &last(3), &protected), [0]);
}

#[test]
fn a_snapshot_from_the_future_holds_everything() {
    let own = nights(0..5);
    let weighed = expect(&own, &last(1), None);
    let held = decide(&owner(), &weighed, &last(1), &Protected::default(), at(3));
    assert_eq!(held, Err(Hold::Future { id: own[4].id.clone(), time: own[4].time }));
}

#[test]
fn one_that_is_not_certainly_the_services_holds_everything() {
    for tags in [&["svc:music", "notes"][..], &["notes", "music"], &["notes", "strange"], &["music"]] {
        let mut own = nights(0..3);
        own.push(snapshot(9, tags));
        let weighed = expect(&own, &last(1), None);
        let held = decide(&owner(), &weighed, &last(1), &Protected::default(), at(60));
        assert_eq!(held, Err(Hold::Foreign(own[3].id.clone())), "{tags:?}");
    }
    let mut elsewhere = nights(0..3);
    elsewhere[1].host = "other".to_owned();
    let weighed = expect(&elsewhere, &last(1), None);
    assert!(decide(&owner(), &weighed, &last(1), &Protected::default(), at(60)).is_err());
}

#[test]
fn old_ones_count_with_the_new_ones_unless_their_tag_is_anothers_too() {
    let mut all = nights(5..7);
    all.extend([snapshot(0, &["notes"]), snapshot(1, &["small", "notes"])]);
    let listed = sort(&owner(), &all);
    assert_eq!((listed.own.len(), listed.left.len()), (4, 0));
    assert_eq!(listed.tags, ["svc:notes", "notes"]);
    assert_eq!(decided(&listed.own, &last(3), &Protected::default()), [0]);

    let shared = Owner { shared_with: Some("music".parse().unwrap()), ..owner() };
    let listed = sort(&shared, &all);
    assert_eq!((listed.own.len(), days(&listed.left)), (2, vec![0, 1]));
    assert_eq!(listed.tags, ["svc:notes"]);
}

#[test]
fn one_alien_with_the_old_tag_is_reason_enough_to_leave_all_old_ones() {
    let old = snapshot(0, &["notes"]);
    for alien in [snapshot(3, &["svc:music", "notes"]), snapshot(3, &["notes", "strange"])] {
        let listed = sort(&owner(), &[old.clone(), alien.clone(), snapshot(4, &["svc:notes"])]);
        assert_eq!((listed.own.len(), listed.tags.len()), (1, 1), "{alien:?}");
        assert!(listed.left.iter().any(|left| left.id == old.id), "{alien:?}");
    }
}
