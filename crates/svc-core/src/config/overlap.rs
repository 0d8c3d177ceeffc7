//! Sources that lie in one another, or in svc's own way.

use std::path::{Path, PathBuf};

use super::decode::{Decoder, Spotted};

/// Warns of sources inside other sources of the same service and of svc's own directories inside a source.
pub(super) fn warn(paths: &[Spotted<PathBuf>], d: &mut Decoder<'_>) {
    // Paths sort by component, so a directory comes right before all that lies in it.
    let mut sorted: Vec<&Spotted<PathBuf>> = paths.iter().collect();
    sorted.sort_by(|a, b| a.value.cmp(&b.value));
    let mut outer: Option<&Path> = None;
    for path in sorted {
        if outer.is_some_and(|outer| path.value.starts_with(outer)) {
            d.warning(path.offset, "this path lies in another one of the same list", None);
        } else {
            outer = Some(&path.value);
        }
    }
    for path in paths {
        if d.own_dirs.iter().any(|own| own.starts_with(&path.value)) {
            let hint = "its run logs or cache would be backed up, and a restore of this path is refused";
            d.warning(path.offset, "svc's own state or cache lies in this path", Some(hint.to_owned()));
        }
    }
}
