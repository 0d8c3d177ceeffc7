//! Whether the repositories can be used, and what is in them: two restic processes each.

use indexmap::IndexMap;

use super::Probe;
use crate::code::Code;
use crate::config::Config;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::names::RepositoryName;
use crate::outside::Outside;
use crate::restic::{Purpose, ResticError, Snapshot};

type Repositories = IndexMap<RepositoryName, Result<Vec<Snapshot>, Failure>>;

/// Probes these repositories side by side.
pub(super) async fn observe(config: &Config, outside: &Outside, goal: &Goal, how: Probe) -> Repositories {
    let names = goal.repositories();
    if names.is_empty() {
        return IndexMap::new();
    }
    if let Err(error) = outside.restic.version().await {
        let failure = Failure::from(&error);
        return names.iter().map(|name| (name.clone(), Err(failure.clone()))).collect();
    }
    let purpose = purpose(goal).filter(|_| how == Probe::Knock);
    let probes = names.iter().map(|name| probe(config, outside, name, purpose));
    let results = futures_util::future::join_all(probes).await;
    names.iter().cloned().zip(results).collect()
}

/// What will be written there, if anything: then a lock that would stand in the way has to show before anything stops.
const fn purpose(goal: &Goal) -> Option<Purpose> {
    match goal {
        Goal::Backup { .. } => Some(Purpose::Save),
        Goal::Forget { .. } => Some(Purpose::Forget),
        Goal::Restore { .. } | Goal::Start { .. } | Goal::Stop { .. } | Goal::Restart { .. } => None,
    }
}

/// One `cat config`, then one `snapshots`: a wrong password is tried once only.
async fn probe(
    config: &Config,
    outside: &Outside,
    name: &RepositoryName,
    purpose: Option<Purpose>,
) -> Result<Vec<Snapshot>, Failure> {
    let restic = &outside.restic;
    let found = match purpose {
        Some(purpose) => restic.knock(name, purpose).await,
        None => restic.repository_id(name).await,
    };
    pinned(config, name, found)?;
    outside.restic.snapshots(name).await.map_err(|error: ResticError| Failure::from(&error))
}

/// Whether a repository is there, opens, and is the one that is meant; gives its id.
pub(crate) async fn reach(
    config: &Config,
    outside: &Outside,
    name: &RepositoryName,
) -> Result<String, Failure> {
    pinned(config, name, outside.restic.repository_id(name).await)
}

fn pinned(
    config: &Config,
    name: &RepositoryName,
    found: Result<String, ResticError>,
) -> Result<String, Failure> {
    let found = found.map_err(|error| Failure::from(&error))?;
    let pinned = config.repositories.get(name).and_then(|repository| repository.id.as_ref());
    if let Some(pinned) = pinned.filter(|pinned| **pinned != found) {
        let message = format!("another repository is at the place of `{name}`");
        let cause = format!("its id is {found}, services.json pins {pinned}");
        return Err(Failure::new(Code::Refused, message)
            .because(cause)
            .hint("mount the right disk, or change `id`"));
    }
    Ok(found)
}
