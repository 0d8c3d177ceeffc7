use proptest::prelude::*;

use super::*;

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_171_544_000 + millis).unwrap()
}

fn lanes(count: usize, live: bool, now: Instant) -> Merge<(usize, i64)> {
    let mut merge = Merge::default();
    (0..count).for_each(|lane| merge.open(lane, live, now));
    merge
}

fn all(merge: &mut Merge<(usize, i64)>, now: Instant) -> Vec<(usize, i64)> {
    std::iter::from_fn(|| match merge.pop(now) {
        Next::Item(item) => Some(item),
        _ => None,
    })
    .collect()
}

#[test]
fn the_past_waits_for_every_source_however_long_it_takes() {
    let now = Instant::now();
    let mut merge = lanes(2, false, now);
    merge.push(0, moment(5), Duration::MAX, (0, 5), now);
    let later = now + Duration::from_hours(1);
    assert_eq!(merge.pop(later), Next::Nothing);
    merge.push(1, moment(3), Duration::MAX, (1, 3), later);
    assert_eq!(merge.pop(later), Next::Item((1, 3)));
    assert_eq!(merge.pop(later), Next::Nothing);
    merge.end(1);
    assert_eq!(merge.pop(later), Next::Item((0, 5)));
    assert!(merge.is_behind());
    merge.live(0, later);
    assert!(!merge.is_behind());
}

#[test]
fn a_live_line_waits_for_silent_sources_a_moment_and_no_longer() {
    let now = Instant::now();
    let mut merge = lanes(2, true, now);
    merge.push(0, moment(0), Duration::ZERO, (0, 0), now);
    assert_eq!(merge.pop(now), Next::At(now + DELAY));
    merge.push(1, moment(-20), Duration::from_millis(120), (1, -20), now + SETTLE);
    assert_eq!(merge.pop(now + SETTLE), Next::Item((1, -20)));
    assert_eq!(merge.pop(now + DELAY), Next::Item((0, 0)));
}

#[test]
fn an_only_source_waits_for_nobody() {
    let now = Instant::now();
    let mut merge = lanes(1, true, now);
    merge.push(0, moment(0), Duration::ZERO, (0, 0), now);
    assert_eq!(merge.pop(now), Next::Item((0, 0)));
}

#[test]
fn a_clock_that_jumps_holds_nothing_up() {
    let now = Instant::now();
    let mut merge = lanes(2, true, now);
    // From the future, as a clock set back makes it seem: its age is nothing, and so it is due like any other.
    merge.push(0, moment(3_600_000), Duration::ZERO, (0, 1), now);
    merge.push(0, moment(0), Duration::ZERO, (0, 2), now);
    assert_eq!(all(&mut merge, now + DELAY), [(0, 1), (0, 2)]);
}

proptest! {
    /// Whatever the times and the order of arrival: everything comes out once, and each source in its own order.
    #[test]
    fn nothing_is_lost_and_each_source_keeps_its_order(
        lines in prop::collection::vec((0_usize..4, -500_i64..500, 0_u64..400), 0..60),
        pops in prop::collection::vec(any::<bool>(), 60),
    ) {
        let start = Instant::now();
        let (mut merge, mut now) = (lanes(4, true, start), start);
        let (mut found, mut wanted) = (Vec::new(), vec![Vec::new(); 4]);
        for (number, ((lane, at, pause), pop)) in (0_i64..).zip(lines.into_iter().zip(pops)) {
            now += Duration::from_millis(pause);
            merge.push(lane, moment(at), Duration::ZERO, (lane, number), now);
            wanted[lane].push(number);
            if pop {
                found.extend(all(&mut merge, now));
            }
        }
        (0..4).for_each(|lane| merge.end(lane));
        found.extend(all(&mut merge, now));
        prop_assert!(merge.lanes.is_empty());
        for (lane, wanted) in wanted.into_iter().enumerate() {
            let own: Vec<i64> = found.iter().filter(|(of, _)| *of == lane).map(|(_, n)| *n).collect();
            prop_assert_eq!(own, wanted);
        }
    }

    /// Lines that come no later than the delay come out in the order of their times, as soon as they may.
    #[test]
    fn what_is_not_too_late_comes_in_order(
        lines in prop::collection::vec((0_usize..3, 0_i64..3000, 0_i64..400), 0..80),
    ) {
        let start = Instant::now();
        let mut merge = lanes(3, true, start);
        // A source's own lines arrive in order: each at the latest arrival so far.
        let mut written: Vec<(i64, usize, i64)> = lines.iter().map(|(l, at, late)| (*at, *l, *late)).collect();
        written.sort_unstable();
        let mut latest = [0; 3];
        let mut arrivals: Vec<(i64, usize, i64)> = written.into_iter().map(|(at, lane, late)| {
            latest[lane] = latest[lane].max(at + late);
            (latest[lane], lane, at)
        }).collect();
        arrivals.sort_by_key(|(arrival, ..)| *arrival);
        let mut found = Vec::new();
        let mut arrivals = arrivals.into_iter().peekable();
        for millis in 0..4000_i64 {
            let now = start + Duration::from_millis(millis.unsigned_abs());
            while let Some((_, lane, at)) = arrivals.next_if(|(arrival, ..)| *arrival <= millis) {
                let age = Duration::from_millis((millis - at).unsigned_abs());
                merge.push(lane, moment(at), age, (lane, at), now);
            }
            found.extend(all(&mut merge, now).into_iter().map(|(_, at)| at));
        }
        prop_assert_eq!(found.len(), lines.len());
        prop_assert!(found.is_sorted(), "{:?}", found);
    }
}
