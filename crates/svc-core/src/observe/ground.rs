//! On what file systems the sources of a backup lie, and whether svc could go on beside frozen ones.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::sources::{ANSWER, ObservedSource, Source, real};
use crate::answer::within;
use crate::config::{Freeze, Quiesce, Repository, Service};
use crate::freeze::{Ground, Part};
use crate::names::RepositoryName;
use crate::outside::Outside;
use crate::restic::directory;
use crate::scope::Scope;

/// What svc or restic writes to in a run.
pub(super) struct Written {
    /// For people.
    shown: String,
    /// Where it really is; nothing: nobody knows, for its file system does not answer.
    real: Option<PathBuf>,
}

/// Where a run with these repositories writes. No other repository is looked at: its disk may be gone.
pub(super) async fn written<'a>(
    scope: &Scope,
    repositories: impl Iterator<Item = (&'a RepositoryName, &'a Repository)>,
) -> Vec<Written> {
    let own = |path: &Path| {
        let (shown, path) = (path.display().to_string(), path.to_path_buf());
        resolved(shown, move || Some(path))
    };
    let repositories = repositories.map(|(name, repository)| {
        let repository = repository.clone();
        resolved(name.to_string(), move || place(&repository))
    });
    let looks = (own(&scope.state_dir), own(&scope.cache_dir), join_all(repositories));
    let (state, cache, repositories) = tokio::join!(looks.0, looks.1, looks.2);
    [state, cache].into_iter().chain(repositories).flatten().collect()
}

async fn resolved(name: String, place: impl FnOnce() -> Option<PathBuf> + Send + 'static) -> Option<Written> {
    match within(ANSWER, move || place().map(|path| (real(&path), path))).await {
        Some(Some((real, path))) => Some(Written { shown: path.display().to_string(), real: Some(real) }),
        Some(None) => None,
        None => Some(Written { shown: name, real: None }),
    }
}

/// A repository on a disk of this machine; of one whose place cannot be read, the disk.
fn place(repository: &Repository) -> Option<PathBuf> {
    directory(repository).or_else(|| repository.mount_point.clone())
}

/// Looks at the sources, if the service's backup could use copies of them.
pub(super) async fn observe(
    scope: &Scope,
    outside: &Outside,
    service: &Service,
    sources: &[ObservedSource],
    written: &[Written],
) -> Vec<Part> {
    let is_wanted = match service.backup.freeze {
        Freeze::Never => false,
        Freeze::Auto => service.backup.quiesce != Quiesce::None,
        Freeze::Require => true,
    };
    let mut parts: Vec<Part> = Vec::new();
    for source in sources.iter().filter(|_| is_wanted) {
        let Ok(path) = source.path.clone() else { continue };
        let is_volume = matches!(source.source, Source::Volume(_));
        parts.extend(look(scope, outside, path, is_volume, written).await);
    }
    parts.sort_by(|one, other| one.path.cmp(&other.path));
    parts.dedup_by(|one, other| one.path == other.path);
    parts
}

async fn look(
    scope: &Scope,
    outside: &Outside,
    path: PathBuf,
    is_volume: bool,
    written: &[Written],
) -> Vec<Part> {
    let declared = path.clone();
    let Some(path) = within(ANSWER, move || real(&declared)).await else {
        return vec![Part { path, means: Err("its file system does not answer".to_owned()), size: None }];
    };
    let ground = Ground { path: path.clone(), is_volume, own: scope.frozen_dir() };
    let mut parts = outside.freezer.look(&ground).await;
    if let Some(reason) = written.iter().find_map(|written| written.refuses(&path))
        && let Some(first) = parts.first_mut()
    {
        first.means = Err(reason);
    }
    parts
}

impl Written {
    /// Why a source cannot be frozen: a copy that covers what is written to can only be read.
    fn refuses(&self, source: &Path) -> Option<String> {
        match &self.real {
            Some(real) if real.starts_with(source) => {
                Some(format!("svc itself writes to `{}` below it", self.shown))
            }
            Some(_) => None,
            // It may well lie there.
            None => Some(format!("svc itself writes to `{}`, which does not answer", self.shown)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_svc_writes_to_keeps_a_source_from_being_frozen_below_it_or_where_nobody_knows() {
        let at = |real: Option<&str>| Written { shown: "nas".to_owned(), real: real.map(PathBuf::from) };
        let refuses = |real, source: &str| at(real).refuses(Path::new(source)).is_some();
        assert!(refuses(Some("/srv/data/restic"), "/srv/data"));
        assert!(!refuses(Some("/srv/database"), "/srv/data"));
        assert!(refuses(None, "/srv/data"));
    }
}
