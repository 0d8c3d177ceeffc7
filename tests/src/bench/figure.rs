//! One line of the table: what was measured, and whether it is within its bound.

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
pub(super) fn median(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> f64 {
    let mut values: Vec<f64> = pairs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Milliseconds of svc's side.
pub(super) fn svc(pair: &Pair) -> f64 {
    pair.svc.as_secs_f64() * 1000.0
}

/// Milliseconds of the other side.
pub(super) fn bare(pair: &Pair) -> f64 {
    pair.bare.as_secs_f64() * 1000.0
}

impl Figure {
    /// Times, bounded by their ratio.
    pub(super) fn ratio(what: &str, pairs: &[Pair], bound: f64) -> Self {
        let ratio = median(pairs, |pair| svc(pair) / bare(pair));
        Self { bound: format!("≤ {bound:.1}×"), holds: ratio <= bound, ..Self::times(what, pairs) }
    }

    /// Times, bounded by what svc takes longer.
    pub(super) fn longer(what: &str, pairs: &[Pair], most: f64) -> Self {
        let longer = median(pairs, |pair| svc(pair) - bare(pair));
        let figure = Self::times(what, pairs);
        let ratio = format!("{}, {longer:+.0} ms", figure.ratio);
        Self { ratio, bound: format!("≤ +{most:.0} ms"), holds: longer <= most, ..figure }
    }

    /// Times, bounded by what svc takes.
    pub(super) fn within(what: &str, pairs: &[Pair], most: f64) -> Self {
        let figure = Self::times(what, pairs);
        Self { bound: format!("≤ {most:.0} ms"), holds: median(pairs, svc) <= most, ..figure }
    }

    /// A count or an amount, bounded above.
    pub(super) fn amount(what: &str, svc: usize, most: usize, unit: &str) -> Self {
        let (shown, bound) = (format!("{svc}{unit}"), format!("≤ {most}{unit}"));
        Self { svc: shown, bound, holds: svc <= most, ..Self::empty(what) }
    }

    fn times(what: &str, pairs: &[Pair]) -> Self {
        Self {
            svc: format!("{:.1} ms", median(pairs, svc)),
            bare: format!("{:.1} ms", median(pairs, bare)),
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
}
