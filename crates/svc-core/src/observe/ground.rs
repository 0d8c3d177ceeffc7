//! On what file systems the sources of a backup lie, and whether svc could go on beside frozen ones.

use std::path::{Path, PathBuf};

use super::sources::{ObservedSource, Source, real};
use crate::config::{Config, Freeze, Quiesce, Repository, Service};
use crate::freeze::{Ground, Part};
use crate::outside::Outside;
use crate::restic::directory;
use crate::scope::Scope;

/// Looks at the sources, if the service's backup could use copies of them.
pub(super) async fn observe(
    config: &Config,
    scope: &Scope,
    outside: &Outside,
    service: &Service,
    sources: &[ObservedSource],
) -> Vec<Part> {
    let is_wanted = match service.backup.freeze {
        Freeze::Never => false,
        Freeze::Auto => service.backup.quiesce != Quiesce::None,
        Freeze::Require => true,
    };
    let mut parts: Vec<Part> = Vec::new();
    for source in sources.iter().filter(|_| is_wanted) {
        let Ok(path) = source.path.as_deref().map(real) else { continue };
        let is_volume = matches!(source.source, Source::Volume(_));
        let ground = Ground { path: path.clone(), is_volume, own: scope.frozen_dir() };
        let mut own = outside.freezer.look(&ground).await;
        if let Some(busy) = busy(config, scope, &path)
            && let Some(first) = own.first_mut()
        {
            first.means = Err(format!("svc itself writes to `{}` below it", busy.display()));
        }
        parts.extend(own);
    }
    parts.sort_by(|one, other| one.path.cmp(&other.path));
    parts.dedup_by(|one, other| one.path == other.path);
    parts
}

/// What svc or restic writes to below a source: a copy that covers it can only be read.
fn busy(config: &Config, scope: &Scope, source: &Path) -> Option<PathBuf> {
    let repositories = config.repositories.values().filter_map(place);
    let own = [scope.state_dir.clone(), scope.cache_dir.clone()];
    own.into_iter().chain(repositories).find(|path| real(path).starts_with(source))
}

/// A repository on a disk of this machine; of one whose place cannot be read, the disk.
fn place(repository: &Repository) -> Option<PathBuf> {
    directory(repository).or_else(|| repository.mount_point.clone())
}
