//! Loading `services.json`: whole or not at all.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::decode::Decoder;
use super::position::Drafts;
use super::{Config, ConfigError, ConfigErrorKind, Problem, references, syntax};
use crate::scope::Scope;

/// A larger file is refused unread. The largest real one has some hundred kilobytes.
pub const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// What the file need not say, because the machine does.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// This machine's name.
    pub hostname: String,
    /// Where svc keeps its records unless the file says otherwise.
    pub state_dir: PathBuf,
    /// Where restic's cache is unless the file says otherwise.
    pub cache_dir: PathBuf,
}

impl Defaults {
    /// The defaults of a scope on the machine of this name.
    #[must_use]
    pub fn of(scope: &Scope, hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            state_dir: scope.state_dir.clone(),
            cache_dir: scope.cache_dir.clone(),
        }
    }
}

/// Reads a file and all that is wrong with it.
pub fn read(path: &Path, defaults: &Defaults) -> Result<Config, ConfigError> {
    let error = |kind| ConfigError { file: path.to_owned(), kind };
    let bytes = limited(path, MAX_SIZE).map_err(|fault| error(fault.into()))?;
    parse(&bytes, defaults).map_err(|problems| error(ConfigErrorKind::Problems(problems)))
}

/// Reads a file's content; all that is wrong with it otherwise, sorted by position.
pub fn parse(bytes: &[u8], defaults: &Defaults) -> Result<Config, Vec<Problem>> {
    let alone = |text, draft| {
        let mut problems = Drafts::default();
        problems.push(draft);
        problems.finish(text, None)
    };
    let text = syntax::text(bytes).map_err(|(text, draft)| alone(text, draft))?;
    let root = syntax::tree(text).map_err(|draft| alone(text, draft))?;
    let mut d = Decoder::new(defaults);
    syntax::note_repeated_keys(&root, &mut d.problems);
    let config = Config::decode(&root, &mut d);
    if let Some(config) = &config {
        references::check(config, &mut d);
    }
    match config {
        Some(config) if d.problems.len() == 0 => {
            Ok(Config { warnings: d.warnings.finish(text, Some(&root)), ..config })
        }
        _ => Err(d.problems.finish(text, Some(&root))),
    }
}

/// What a file says of svc's own places, as far as it is legible; no services. For what has to be done all the same when
/// the file is not good.
///
/// # Errors
/// When even these places are no good.
pub fn read_places(path: &Path, defaults: &Defaults) -> Result<Config, ConfigError> {
    let bytes = limited(path, MAX_SIZE).unwrap_or_default();
    let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let places = serde_json::json!({
        "paths": {"stateDir": said["paths"]["stateDir"], "cacheDir": said["paths"]["cacheDir"]},
        "docker": {"socket": said["docker"]["socket"]},
        "services": {},
    });
    let text = places.to_string();
    parse(text.as_bytes(), defaults)
        .map_err(|problems| ConfigError { file: path.to_owned(), kind: ConfigErrorKind::Problems(problems) })
}

/// Why a file's content is not to be had.
#[derive(Debug)]
pub(super) enum ReadFault {
    Missing,
    NotAFile,
    TooLarge,
    Unreadable(std::io::Error),
}

impl From<ReadFault> for ConfigErrorKind {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Missing => Self::Missing,
            ReadFault::NotAFile => Self::NotAFile,
            ReadFault::TooLarge => Self::TooLarge,
            ReadFault::Unreadable(error) => Self::Unreadable(error),
        }
    }
}

/// The content of a regular file of at most so many bytes; a larger one is not read.
pub(super) fn limited(path: &Path, most: u64) -> Result<Vec<u8>, ReadFault> {
    // Non-blocking, for opening a pipe would wait for a writer for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => ReadFault::Missing,
        // What opening a socket gives.
        Errno::NXIO => ReadFault::NotAFile,
        errno => ReadFault::Unreadable(errno.into()),
    })?);
    let metadata = file.metadata().map_err(ReadFault::Unreadable)?;
    if !metadata.is_file() {
        return Err(ReadFault::NotAFile);
    }
    if metadata.len() > most {
        return Err(ReadFault::TooLarge);
    }
    // The file may still grow, and some in /proc have no size at all.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.take(most + 1).read_to_end(&mut bytes).map_err(ReadFault::Unreadable)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|size| size <= most);
    if fits { Ok(bytes) } else { Err(ReadFault::TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_in_use_today_loads_without_a_word() {
        let example = include_bytes!("../../tests/data/services.example.json");
        let defaults = Defaults {
            hostname: "box".to_owned(),
            state_dir: "/var/lib/svc".into(),
            cache_dir: "/var/cache/svc".into(),
        };
        let config = parse(example, &defaults).unwrap();
        assert_eq!(config.services.len(), 3);
        assert_eq!(config.warnings, []);
    }

    #[test]
    fn the_places_of_a_file_with_other_faults_are_still_legible() {
        let defaults = Defaults { hostname: "box".into(), state_dir: "/a".into(), cache_dir: "/b".into() };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("services.json");
        for (text, state_dir) in [
            (r#"{"paths": {"stateDir": "/data/svc"}, "services": {"x": 1}}"#, Some("/data/svc")),
            (r#"{"services": {"x": 1}}"#, None),
            ("no JSON at all", None),
        ] {
            std::fs::write(&path, text).unwrap();
            let config = read_places(&path, &defaults).unwrap();
            assert_eq!(config.paths.state_dir.as_deref(), state_dir.map(Path::new), "{text}");
            assert!(config.services.is_empty());
        }
    }

    #[test]
    fn a_file_that_does_not_tell_its_size_is_refused_once_it_is_too_large() {
        let status = Path::new("/proc/self/status");
        assert_eq!(status.metadata().unwrap().len(), 0);
        assert!(matches!(limited(status, 10), Err(ReadFault::TooLarge)));
        assert!(limited(status, MAX_SIZE).is_ok());
    }
}
