//! On the wire: a script in restic's place.

mod ends;
mod environment;
mod stops;

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::*;
use crate::config::{Period, Repository};
use crate::restic::Secret;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A home with a script, and the program that runs it.
struct Wire {
    home: tempfile::TempDir,
    restic: ResticProgram,
}

/// restic replaced by these lines of shell.
fn wire(script: &str) -> Wire {
    wire_with(script, |_| {}, &[])
}

fn wire_with(script: &str, change: impl FnOnce(&mut Repository), more: &[(&str, &str)]) -> Wire {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("restic.sh"), script).unwrap();
    std::fs::write(home.path().join("version"), "restic 0.18.0 compiled with go1.24.4 on linux/amd64\n")
        .unwrap();
    let settings = ResticSettings {
        program: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/restic"),
        path: "/usr/bin:/bin".into(),
        home: home.path().to_owned(),
        cache_dir: "/cache".into(),
        temp_dir: Some("/var/tmp".into()),
        helper: None,
        priority: config::Limits::default(),
    };
    let mut repository = Repository {
        location: None,
        password: None,
        environment_file: None,
        id: None,
        mount_point: None,
        options: IndexMap::new(),
        limit_upload: None,
        limit_download: None,
        check_subsets: 12,
        max_age: Period::seconds(3600),
    };
    change(&mut repository);
    let variables = [("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD", "canary-password")];
    let variables = variables.iter().chain(more);
    let variables = variables.map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
    let access = RepositoryAccess::new(&local(), &repository, variables.collect());
    let restic = ResticProgram::new(settings, BTreeMap::from([(local(), access)]));
    Wire { home, restic }
}

fn local() -> RepositoryName {
    "local".parse().unwrap()
}

fn request() -> BackupRequest {
    BackupRequest { sources: vec!["/data".into()], host: "home".into(), ..BackupRequest::default() }
}

impl Wire {
    fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.restic.limits);
        self
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    async fn backup(&self) -> Result<BackupSummary, ResticError> {
        let progress = watch::Sender::new(Progress::default());
        self.restic.backup(&local(), &request(), &progress, &CancellationToken::new()).await
    }

    /// A backup that is cancelled when it has told its first progress.
    async fn cancelled_backup(&self) -> Result<BackupSummary, ResticError> {
        let progress = watch::Sender::new(Progress::default());
        let mut told = progress.subscribe();
        let cancel = CancellationToken::new();
        let (request, local) = (request(), local());
        let work = self.restic.backup(&local, &request, &progress, &cancel);
        let canceller = async {
            told.changed().await.unwrap();
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = work => result,
            () = canceller => unreachable!("it never ends"),
        }
    }
}

fn kind_of<T: std::fmt::Debug>(result: Result<T, ResticError>) -> crate::restic::ResticFailure {
    match result {
        Err(ResticError::Failed { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}
