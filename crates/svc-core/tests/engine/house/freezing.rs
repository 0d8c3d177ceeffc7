//! What keeps a stop short in the house, and what that may leave.

use std::path::PathBuf;

use super::{House, noon, service};

impl House {
    /// Makes everything that paperless and notes consist of something that can be frozen.
    pub(crate) fn can_freeze(&self) {
        self.freezer.btrfs(&self.path("docker/volumes"), &self.path("docker"));
        self.freezer.reflink(&self.path("srv"), &self.path("srv"), 3);
        self.freezer.reflink(&self.path("lib"), &self.path("state/frozen"), 3);
    }

    /// Lets the last backups of these have taken so long, as their records say.
    pub(crate) fn took(&self, names: &[&str], took_ms: u64) {
        for name in names {
            let mut record = self.record(name);
            for backups in record.backups.values_mut() {
                backups.last_attempt.as_mut().unwrap().took_ms = took_ms;
            }
            record.save(&self.scope.records_dir(), &service(name), noon()).unwrap();
        }
    }

    /// The frozen copies that lie about, and the hot snapshots.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let all = walkdir::WalkDir::new(self.dir.path()).into_iter().map(|e| e.unwrap().into_path());
        let is_copy = |path: &PathBuf| path.to_string_lossy().contains("svc-frozen-");
        let copies = all.filter(is_copy).map(|path| path.display().to_string());
        let snapshots = ["local", "remote"].into_iter().flat_map(|name| self.saved(name));
        let hot = snapshots.filter(|snapshot| snapshot.tags.iter().any(|tag| tag.starts_with("svc-hot")));
        copies.chain(hot.map(|snapshot| snapshot.id.to_string())).collect()
    }
}
