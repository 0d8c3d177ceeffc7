//! Looks at the services of a run do not wait for each other: on one disk that does not answer, each takes its whole time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use svc_core::freeze::{Bind, FreezeError, Freezer, FrozenCopy, Ground, Part, Traces, Wanted};
use svc_core::names::ServiceName;
use svc_core::observe::{Probe, observe};
use svc_core::outside::Outside;
use svc_core::testing::FakeFreezer;
use tokio::sync::Barrier;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::house::{House, backup, noon};

/// File systems that answer when two are asked.
struct Pair {
    inner: Arc<FakeFreezer>,
    barrier: Barrier,
    met: AtomicUsize,
}

#[async_trait]
impl Freezer for Pair {
    async fn look(&self, ground: &Ground) -> Vec<Part> {
        if timeout(Duration::from_mins(1), self.barrier.wait()).await.is_ok() {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.look(ground).await
    }

    async fn sync(&self, paths: &[PathBuf]) -> Result<(), FreezeError> {
        self.inner.sync(paths).await
    }

    async fn freeze(&self, wanted: &Wanted<'_>, cancel: &CancellationToken) -> Result<Traces, FreezeError> {
        self.inner.freeze(wanted, cancel).await
    }

    async fn left_out(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, FreezeError> {
        self.inner.left_out(wanted).await
    }

    async fn traces(&self, binds: &[Bind], since: Option<Timestamp>, cancel: &CancellationToken) -> Traces {
        self.inner.traces(binds, since, cancel).await
    }

    async fn remove(&self, copy: &FrozenCopy) -> Result<(), FreezeError> {
        self.inner.remove(copy).await
    }

    async fn mounts_below(&self, path: &Path) -> Vec<PathBuf> {
        self.inner.mounts_below(path).await
    }
}

#[tokio::test(start_paused = true)]
async fn services_are_looked_at_side_by_side_and_stay_in_order() {
    let house = House::new();
    let (barrier, met) = (Barrier::new(2), AtomicUsize::new(0));
    let pair = Arc::new(Pair { inner: house.freezer.clone(), barrier, met });
    let outside = Outside { freezer: pair.clone(), ..house.outside() };
    let goal = backup(&["x", "notes"]);
    let seen = observe(&house.config, &house.scope, &outside, &goal, Probe::Look, noon()).await;
    assert_eq!(pair.met.load(Ordering::Relaxed), 2);
    let names: Vec<&str> = seen.services.keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["x", "notes"]);
    assert_eq!(seen.services[1].sources[0].path, Ok(house.path("lib/notes")));
}
