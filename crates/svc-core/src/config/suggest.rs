//! "Did you mean": the known name nearest to a mistyped one.

/// Names longer than this are not looked at: nobody mistypes them, and the comparison takes length × length.
const LONGEST: usize = 64;

/// The candidate that `name` was probably meant to be, if any is near enough.
pub(super) fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let name = plain(name);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let longer = |candidate: &&&str| name.len() >= 4 && plain(candidate).starts_with(&name);
    nearest(&name, &candidates).or_else(|| candidates.iter().find(longer).copied())
}

fn nearest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let limit = (name.len() / 3).clamp(1, 3);
    candidates
        .iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit + 2)
        .map(|candidate| (strsim::damerau_levenshtein(name, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint that names the nearest candidate.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    closest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Without case, `_` and `-`: `max_age` and `MaxAge` are meant to be `maxAge`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["volumes", "paths", "maxAge", "repositories"];
        for (typed, meant) in [
            ("volums", "volumes"),
            ("vloumes", "volumes"),
            ("max_age", "maxAge"),
            ("MAXAGE", "maxAge"),
            ("repositorys", "repositories"),
            ("path", "paths"),
            ("repos", "repositories"),
        ] {
            assert_eq!(closest(typed, known), Some(meant), "{typed}");
        }
    }

    #[test]
    fn something_else_altogether_finds_nothing() {
        for typed in ["", "x", "colour", "ab", &"v".repeat(100_000)] {
            assert_eq!(closest(typed, ["volumes", "paths", "in"]), None);
        }
    }
}
