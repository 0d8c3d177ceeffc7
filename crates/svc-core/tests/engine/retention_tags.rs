//! Which snapshots a policy counts, over generated repositories whose services share tags.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use svc_core::config::Policy;
use svc_core::restic::fake::FakeRepository;

use crate::house::{House, noon, repository};
use crate::retention::forget;

const TAGS: [&str; 6] = ["a", "b", "c", "docker", "db", "old"];

fn tag_set() -> impl Strategy<Value = BTreeSet<&'static str>> {
    proptest::collection::btree_set(proptest::sample::select(&TAGS[..]), 0..4)
}

/// One snapshot of a generated repository.
#[derive(Debug, Clone)]
struct Made {
    hours: i64,
    identity: Option<&'static str>,
    tags: BTreeSet<&'static str>,
    home: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let identity =
        proptest::sample::select(&[None, Some("music"), Some("music"), Some("x"), Some("gone")][..]);
    (1..2000_i64, identity, tag_set(), proptest::bool::weighted(0.9))
        .prop_map(|(hours, identity, tags, home)| Made { hours, identity, tags, home })
}

/// What may be looked for in a snapshot that is gone, worked out in another way than svc does.
fn was_ours(made: &Made, own: &BTreeSet<&str>, old: &str, neighbours: &[(BTreeSet<&str>, &str)]) -> bool {
    let shared = neighbours.iter().any(|(tags, restore)| *restore == old || tags.contains(old));
    let named_by_others: BTreeSet<&str> = neighbours.iter().map(|(_, restore)| *restore).collect();
    match made.identity {
        _ if !made.home => false,
        Some(identity) => identity == "music",
        None if shared || !made.tags.contains(old) => false,
        None => {
            made.tags.iter().all(|tag| *tag == old || (own.contains(tag) && !named_by_others.contains(tag)))
        }
    }
}

/// The newest of each of the last `daily` days, and while there are fewer days the oldest of all.
fn kept(hours_ago: &BTreeMap<i64, usize>, daily: usize) -> BTreeSet<usize> {
    let day =
        |hours: i64| (noon() - SignedDuration::from_hours(hours)).to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut newest: BTreeMap<_, usize> = BTreeMap::new();
    // From the oldest to the newest: the last one of a day wins.
    for (hours, index) in hours_ago.iter().rev() {
        newest.insert(day(*hours), *index);
    }
    let mut kept: BTreeSet<usize> = newest.values().rev().take(daily).copied().collect();
    if newest.len() < daily {
        kept.extend(hours_ago.last_key_value().map(|(_, index)| *index));
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mistake_11_a_neighbours_snapshot_never_goes_whatever_tags_are_shared(
        own in tag_set(),
        neighbour in tag_set(),
        restore in proptest::sample::select(&TAGS[..]),
        neighbour_restore in proptest::sample::select(&TAGS[..]),
        made in proptest::collection::vec(made(), 1..16),
        daily in 1..4_usize,
    ) {
        let mut made = made;
        made.sort_by_key(|made| made.hours);
        made.dedup_by_key(|made| made.hours);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (before, after) = runtime.block_on(async {
            let mut house = House::new();
            let words = |tags: &BTreeSet<&str>| tags.iter().map(ToString::to_string).collect::<Vec<_>>();
            house.service("music").backup.policy =
                Some(Policy { daily: Some(u32::try_from(daily).unwrap()), ..Policy::default() });
            house.service("music").backup.tags = words(&own);
            house.service("music").restore.tag = Some(restore.to_owned());
            house.service("x").backup.tags = words(&neighbour);
            house.service("x").restore.tag = Some(neighbour_restore.to_owned());
            house.restic.change(&repository("local"), |local| for made in &made {
                let tags: Vec<String> = made.identity.map(|name| format!("svc:{name}")).into_iter()
                    .chain(words(&made.tags)).collect();
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                let host = if made.home { "home" } else { "elsewhere" };
                let time = noon() - SignedDuration::from_hours(made.hours);
                let files = vec![("/d/f".into(), b"x".to_vec())];
                *local = std::mem::replace(local, FakeRepository::absent())
                    .snapshot(time, host, &tags, &["/d".into()], files);
            });
            let before = house.saved("local");
            house.run(&forget(&["music"])).await;
            (before, house.saved("local"))
        });
        let neighbours = [(neighbour.clone(), neighbour_restore), (BTreeSet::from(["paperless"]), "paperless")];
        let gone: BTreeSet<usize> = before.iter().rev().enumerate()
            .filter(|(_, snapshot)| !after.contains(snapshot)).map(|(index, _)| index).collect();
        for index in &gone {
            prop_assert!(was_ours(&made[*index], &own, restore, &neighbours), "{:?}", made[*index]);
        }
        // The old ones count if the old tag finds none but the service's.
        let ours = |made: &Made| was_ours(made, &own, restore, &neighbours);
        let pure = made.iter().filter(|made| made.home && made.tags.contains(restore)).all(ours);
        let counts = |made: &&(usize, &Made)| ours(made.1) && (pure || made.1.identity.is_some());
        let weighed: Vec<(usize, &Made)> = made.iter().enumerate().collect();
        let weighed: BTreeMap<i64, usize> =
            weighed.iter().filter(counts).map(|(index, made)| (made.hours, *index)).collect();
        let kept = kept(&weighed, daily);
        let expected: BTreeSet<usize> = weighed.values().copied().filter(|index| !kept.contains(index)).collect();
        prop_assert_eq!(gone, expected);
    }
}
