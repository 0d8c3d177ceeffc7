//! One line of the table: what was measured, and whether it is within its bound.

use std::time::Duration;

use super::stopwatch::Pair;

/// A measured thing.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) svc: String,
    /// What does the same without svc; empty: there is none.
    pub(super) bare: String,
    pub(super) ratio: String,
    pub(super) bound: String,
    pub(super) holds: bool,
}

/// The median of what each pair gives.
fn median(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> f64 {
    let values = sorted(pairs, value);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// What nineteen of twenty pairs do not exceed.
fn mostly(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> f64 {
    let values = sorted(pairs, value);
    values.get((values.len() * 19).div_ceil(20).saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn sorted(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = pairs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Milliseconds of svc's side.
fn svc(pair: &Pair) -> f64 {
    millis(&pair.svc)
}

/// Milliseconds of the other side.
fn bare(pair: &Pair) -> f64 {
    millis(&pair.bare)
}

/// Milliseconds that svc's side takes longer.
fn longer(pair: &Pair) -> f64 {
    svc(pair) - bare(pair)
}

fn millis(time: &Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A time in milliseconds, or what is long in seconds.
fn time(millis: f64) -> String {
    if millis < 10_000.0 { format!("{millis:.1} ms") } else { format!("{:.1} s", millis / 1000.0) }
}

impl Figure {
    /// Times, bounded by their ratio.
    pub(super) fn ratio(what: &str, pairs: &[Pair], bound: f64) -> Self {
        let ratio = median(pairs, |pair| svc(pair) / bare(pair));
        Self { bound: format!("≤ {bound:?}×"), holds: ratio <= bound, ..Self::times(what, pairs) }
    }

    /// Times, bounded by what svc takes longer.
    pub(super) fn longer(what: &str, pairs: &[Pair], most: f64) -> Self {
        let longer = median(pairs, longer);
        let figure = Self::times(what, pairs);
        let ratio = format!("{}, {longer:+.0} ms", figure.ratio);
        Self { ratio, bound: format!("≤ +{most:.0} ms"), holds: longer <= most, ..figure }
    }

    /// Times, bounded by what svc takes longer nearly always.
    pub(super) fn mostly_longer(what: &str, pairs: &[Pair], most: f64) -> Self {
        let longer = mostly(pairs, longer);
        Self {
            svc: time(mostly(pairs, svc)),
            bare: time(mostly(pairs, bare)),
            ratio: format!("{longer:+.0} ms"),
            bound: format!("≤ +{most:.0} ms"),
            holds: longer <= most,
            ..Self::empty(what)
        }
    }

    /// Times, bounded by what svc takes longer for each of so many things, in microseconds.
    pub(super) fn longer_each(what: &str, pairs: &[Pair], things: u32, most: f64) -> Self {
        let each = median(pairs, longer) * 1000.0 / f64::from(things);
        let ratio = format!("{each:+.0} µs each");
        Self { ratio, bound: format!("≤ +{most:.0} µs"), holds: each <= most, ..Self::times(what, pairs) }
    }

    /// Times, bounded by svc's part of the other's.
    pub(super) fn part(what: &str, pairs: &[Pair], bound: u32) -> Self {
        let part = median(pairs, |pair| svc(pair) / bare(pair));
        let ratio = format!("1/{:.0}", 1.0 / part);
        let ratio = if part > 0.0 { ratio } else { "0".to_owned() };
        let holds = part <= 1.0 / f64::from(bound);
        Self { ratio, bound: format!("≤ 1/{bound}"), holds, ..Self::times(what, pairs) }
    }

    /// Times, bounded by what svc takes.
    pub(super) fn within(what: &str, pairs: &[Pair], most: f64) -> Self {
        let figure = Self::times(what, pairs);
        Self { bound: format!("≤ {most:.0} ms"), holds: median(pairs, svc) <= most, ..figure }
    }

    /// Times that nothing is compared with, bounded by the longest of them.
    pub(super) fn longest(what: &str, times: &[Duration], most: f64) -> Self {
        let longest = times.iter().max().map_or(f64::NAN, millis);
        let bound = format!("≤ {most:.0} ms");
        let what = format!("{what}, the longest of {}", times.len());
        Self { svc: time(longest), bound, holds: longest <= most, ..Self::empty(&what) }
    }

    /// A count or an amount, bounded above.
    pub(super) fn amount(what: &str, svc: usize, most: usize, unit: &str) -> Self {
        let (shown, bound) = (format!("{svc}{unit}"), format!("≤ {most}{unit}"));
        Self { svc: shown, bound, holds: svc <= most, ..Self::empty(what) }
    }

    /// What was to be measured and could not be.
    pub(super) fn unmeasured(what: &str) -> Self {
        Self { svc: "not measured".to_owned(), ..Self::empty(what) }
    }

    fn times(what: &str, pairs: &[Pair]) -> Self {
        Self {
            svc: time(median(pairs, svc)),
            bare: time(median(pairs, bare)),
            ratio: format!("{:.2}×", median(pairs, |pair| svc(pair) / bare(pair))),
            ..Self::empty(what)
        }
    }

    fn empty(what: &str) -> Self {
        let none = String::new;
        Self { what: what.to_owned(), svc: none(), bare: none(), ratio: none(), bound: none(), holds: false }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pairs() -> Vec<Pair> {
        let pair = |svc, bare| Pair { svc: Duration::from_millis(svc), bare: Duration::from_millis(bare) };
        vec![pair(10, 20), pair(90, 30), pair(12, 20)]
    }

    #[test]
    fn the_median_forgives_one_bad_pair() {
        let figure = Figure::ratio("a", &pairs(), 0.6);
        assert_eq!(
            (figure.svc.as_str(), figure.bare.as_str(), figure.ratio.as_str()),
            ("12.0 ms", "20.0 ms", "0.60×")
        );
        assert!(figure.holds);
        assert!(!Figure::ratio("a", &pairs(), 0.5).holds);
    }

    #[test]
    fn a_bound_is_on_what_it_says() {
        assert!(Figure::longer("a", &pairs(), 0.0).holds);
        assert!(!Figure::longer("a", &pairs(), -9.0).holds);
        assert!(!Figure::within("a", &pairs(), 11.0).holds);
        assert!(Figure::amount("a", 15, 15, " MB").holds);
    }

    #[test]
    fn one_bad_pair_of_three_is_not_forgiven_where_nearly_all_must_hold() {
        let figure = Figure::mostly_longer("a", &pairs(), 60.0);
        assert_eq!((figure.ratio.as_str(), figure.holds), ("+60 ms", true));
        assert!(!Figure::mostly_longer("a", &pairs(), 59.0).holds);
        let twenty: Vec<Pair> = pairs()[1..2].iter().chain(vec![&pairs()[0]; 19]).copied().collect();
        assert!(Figure::mostly_longer("a", &twenty, 0.0).holds);
    }

    #[test]
    fn a_part_and_a_share_of_each_are_judged_by_what_they_show() {
        let pair = |svc, bare| Pair { svc: Duration::from_millis(svc), bare: Duration::from_millis(bare) };
        let part = Figure::part("a", &[pair(100, 11_000)], 50);
        assert_eq!((part.bare.as_str(), part.ratio.as_str(), part.holds), ("11.0 s", "1/110", true));
        assert!(!Figure::part("a", &[pair(100, 4_000)], 50).holds);
        assert_eq!(Figure::part("a", &[pair(0, 4_000)], 50).ratio, "0");
        let each = Figure::longer_each("a", &[pair(600, 100)], 5_000, 100.0);
        assert_eq!((each.ratio.as_str(), each.holds), ("+100 µs each", true));
        let longest = Figure::longest("a", &[Duration::from_millis(90), Duration::from_millis(110)], 100.0);
        assert_eq!((longest.svc.as_str(), longest.holds), ("110.0 ms", false));
    }
}
