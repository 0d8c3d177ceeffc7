//! A directory with a repository, sources and a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use svc_core::config::{Limits, Location, Period, Repository};
use svc_core::names::{RepositoryName, SnapshotId};
use svc_core::restic::{
    BackupRequest, BackupSummary, Progress, RepositoryAccess, Restic, ResticError, ResticFailure,
    ResticProgram, ResticSettings, RestoreRequest, Secret,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) fn programs() -> Vec<PathBuf> {
    let named = std::env::var_os("SVC_TEST_RESTIC");
    let on_path =
        || std::env::split_paths(&std::env::var_os("PATH")?).map(|d| d.join("restic")).find(|p| p.exists());
    let found: Vec<_> = match &named {
        Some(list) => std::env::split_paths(list).collect(),
        None => on_path().into_iter().collect(),
    };
    if found.is_empty() {
        eprintln!("SKIPPED: there is no restic on PATH and SVC_TEST_RESTIC is not set");
    }
    found
}

pub(crate) struct Bench {
    dir: tempfile::TempDir,
    program: PathBuf,
    pub(crate) name: RepositoryName,
}

impl Bench {
    pub(crate) fn new(program: &Path) -> Self {
        eprintln!("with {}", program.display());
        let dir = tempfile::tempdir().unwrap();
        Self { dir, program: program.to_owned(), name: "local".parse().unwrap() }
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(Path::new(name.as_ref()))
    }

    pub(crate) fn restic(&self) -> ResticProgram {
        self.restic_with(&self.path("repo").display().to_string(), "right", |_| {})
    }

    pub(crate) fn restic_with(
        &self,
        place: &str,
        password: &str,
        change: impl FnOnce(&mut Repository),
    ) -> ResticProgram {
        let mut repository = Repository {
            location: Some(Location::Repository(place.to_owned())),
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
        // Small packs: on a local repository a limited upload of one is finished before restic ends.
        let variables = [("RESTIC_PASSWORD", password), ("RESTIC_PACK_SIZE", "4")];
        let variables = variables.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())));
        let access = RepositoryAccess::new(&self.name, &repository, variables.to_vec());
        let settings = ResticSettings {
            program: self.program.clone(),
            path: "/usr/bin:/bin".into(),
            home: self.path("home"),
            cache_dir: self.path("cache"),
            temp_dir: Some(self.dir.path().to_owned()),
            helper: None,
            priority: Limits::default(),
        };
        ResticProgram::new(settings, BTreeMap::from([(self.name.clone(), access)]))
    }

    /// A directory of this name with a file of 10 and one of 5 bytes, a link and an empty directory.
    pub(crate) fn source(&self, name: &[u8]) -> PathBuf {
        let source = self.path(OsStr::from_bytes(b"data")).join(OsStr::from_bytes(name));
        fs::create_dir_all(source.join("empty")).unwrap();
        fs::write(source.join("ten"), "0123456789").unwrap();
        fs::write(source.join(OsStr::from_bytes(name)), "12345").unwrap();
        std::os::unix::fs::symlink("ten", source.join("link")).unwrap();
        source
    }

    pub(crate) async fn backup(
        &self,
        restic: &ResticProgram,
        sources: &[PathBuf],
    ) -> Result<BackupSummary, ResticError> {
        let progress = watch::Sender::new(Progress::default());
        restic.backup(&self.name, &request(sources), &progress, &CancellationToken::new()).await
    }

    pub(crate) async fn restore(
        &self,
        restic: &ResticProgram,
        snapshot: &SnapshotId,
        include: &[PathBuf],
    ) -> PathBuf {
        let target = self.path("stage");
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target).unwrap();
        let request =
            RestoreRequest { snapshot: snapshot.clone(), include: include.to_vec(), target: target.clone() };
        let progress = watch::Sender::new(Progress::default());
        restic.restore(&self.name, &request, &progress, &CancellationToken::new()).await.unwrap();
        target
    }

    /// Runs restic itself on the repository, as some other tool would.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .envs([("RESTIC_PASSWORD", "right"), ("PATH", "/usr/bin:/bin"), ("TZ", "Europe/Berlin")])
            .env("RESTIC_REPOSITORY", self.path("repo"))
            .env("RESTIC_CACHE_DIR", self.path("cache"))
            .env("HOME", self.path("home"))
            .stdout(std::process::Stdio::null());
        command
    }

    /// Saves a source with these tags, as if at that time of the clock in Berlin.
    pub(crate) fn save_at(&self, time: &str, host: &str, tags: &[&str], sources: &[PathBuf]) {
        let tags = tags.iter().map(|tag| format!("--tag={tag}"));
        let mut arguments: Vec<String> =
            vec!["backup".into(), format!("--time={time}"), format!("--host={host}")];
        arguments.extend(tags.chain(sources.iter().map(|source| source.display().to_string())));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let saved = self.command(&arguments).output().unwrap();
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    }

    pub(crate) fn files_of_repository(&self, kind: &str) -> Vec<PathBuf> {
        fs::read_dir(self.path("repo").join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

pub(crate) fn request(sources: &[PathBuf]) -> BackupRequest {
    BackupRequest {
        sources: sources.to_vec(),
        tags: vec!["svc:a".to_owned(), "other".to_owned()],
        exclude: vec!["-never".to_owned(), "*.log".to_owned()],
        host: "home".to_owned(),
        ..BackupRequest::default()
    }
}

/// Every path below a directory with its content or its target.
pub(crate) fn tree(root: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    let content = |entry: walkdir::DirEntry| {
        let bytes = match entry.file_type() {
            kind if kind.is_file() => fs::read(entry.path()).unwrap(),
            kind if kind.is_symlink() => fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().to_vec(),
            _ => Vec::new(),
        };
        (entry.path().strip_prefix(root).unwrap().to_owned(), bytes)
    };
    entries.map(content).collect()
}

pub(crate) fn kind_of<T: std::fmt::Debug>(result: Result<T, ResticError>) -> ResticFailure {
    match result {
        Err(ResticError::Failed { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn below(target: &Path, path: &Path) -> PathBuf {
    target.join(path.strip_prefix("/").unwrap())
}

pub(crate) fn overwrite(file: &Path, bytes: &[u8]) {
    // restic makes its files read-only.
    let _ = fs::remove_file(file);
    fs::write(file, bytes).unwrap();
}
