//! What a backup reads: declared paths and volumes, resolved to real paths or refused.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::answered;
use crate::code::Code;
use crate::config::Service;
use crate::docker::Volume;
use crate::failure::Failure;
use crate::mounts;
use crate::names::VolumeName;

/// A file system that sleeps wakes in this time.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// A source as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A path.
    Path(PathBuf),
    /// A Docker volume.
    Volume(VolumeName),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path `{}`", path.display()),
            Self::Volume(name) => write!(f, "volume `{name}`"),
        }
    }
}

/// A declared source and where it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSource {
    /// As declared.
    pub source: Source,
    /// The path to read, or why it cannot be.
    pub path: Result<PathBuf, Failure>,
}

/// Resolves everything that a service's backup declares.
pub(crate) async fn observe(
    service: &Service,
    volumes: &Result<Vec<Volume>, Failure>,
) -> Vec<ObservedSource> {
    let backup = &service.backup;
    let of_volume = |name: &VolumeName| (Source::Volume(name.clone()), volume(name, volumes));
    let of_path = |path: &PathBuf| (Source::Path(path.clone()), Ok(path.clone()));
    let declared = backup.volumes.iter().map(of_volume).chain(backup.paths.iter().map(of_path));
    let observed = declared.map(async |(source, path)| {
        let path = match path {
            Ok(path) => readable(&path, &backup.exclude).await,
            Err(failure) => Err(failure),
        };
        ObservedSource { source, path }
    });
    join_all(observed).await
}

/// Where a path leads, if all file systems there answer: restic would wait for one that does not, with the service down.
async fn readable(path: &Path, exclude: &[String]) -> Result<PathBuf, Failure> {
    let message = format!("`{}` cannot be backed up", path.display());
    let declared = path.to_path_buf();
    let look = move || existing(&declared).map(|path| (file_systems(&path), path));
    let (points, path) = answered(ANSWER, path, message.clone(), look).await?;
    let answers = points.into_iter().filter(|point| !is_excluded(point, exclude)).map(|point| {
        let at = point.clone();
        // It may know the top of a mount by heart, but not how much room there is. An error is an answer.
        let look = move || {
            let _ = rustix::fs::statvfs(&at);
            Ok(())
        };
        let message = message.clone();
        async move { answered(ANSWER, &point, message, look).await }
    });
    join_all(answers).await.into_iter().collect::<Result<(), Failure>>()?;
    Ok(path)
}

/// A path, and what is mounted below it, as somebody sees it who comes through the path.
fn file_systems(path: &Path) -> Vec<PathBuf> {
    let real = real(path);
    let below = mounts::below(&real);
    let seen = below.iter().filter_map(|point| point.strip_prefix(&real).ok()).map(|below| path.join(below));
    std::iter::once(path.to_path_buf()).chain(seen).collect()
}

/// Whether restic leaves it out before it looks at it. Of patterns only those without wildcards are understood.
fn is_excluded(path: &Path, exclude: &[String]) -> bool {
    let named = exclude.iter().filter(|pattern| !pattern.is_empty());
    named.into_iter().any(|pattern| path.ancestors().any(|above| above.ends_with(pattern)))
}

/// Where a volume's data is: its device for a bind, its mountpoint otherwise; never guessed.
pub(super) fn volume(name: &VolumeName, volumes: &Result<Vec<Volume>, Failure>) -> Result<PathBuf, Failure> {
    let volumes = volumes.as_ref().map_err(Clone::clone)?;
    let Some(volume) = volumes.iter().find(|volume| volume.name == *name) else {
        let message = format!("Docker has no volume `{name}`");
        // Compose puts the project before the name that its file has.
        let suffix = format!("_{name}");
        let meant = volumes.iter().find(|volume| volume.name.as_str().ends_with(&suffix));
        let hint = meant.map(|meant| format!("did you mean `{}`?", meant.name));
        return Err(Failure::new(Code::Failed, message).hint(hint.unwrap_or("docker volume ls".to_owned())));
    };
    let Some(device) = volume.options.get("device").filter(|device| !device.is_empty()) else {
        return Ok(volume.mountpoint.clone());
    };
    let options = volume.options.get("o").map(String::as_str).unwrap_or_default();
    if options.split(',').any(|option| matches!(option, "bind" | "rbind")) {
        return Ok(PathBuf::from(device));
    }
    if mounts::is_mount_point(&volume.mountpoint) {
        return Ok(volume.mountpoint.clone());
    }
    let message = format!("volume `{name}` mounts `{device}` and is not mounted now");
    Err(Failure::new(Code::Refused, message).hint("start a container that uses it, or declare its path"))
}

/// The path itself, if it is there and restic would read what it stands for.
fn existing(path: &Path) -> Result<PathBuf, Failure> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| {
        Failure::new(Code::Failed, format!("`{}` cannot be backed up", path.display()))
            .because(error.to_string())
    })?;
    if !metadata.is_symlink() {
        return Ok(path.to_path_buf());
    }
    if let Some(private) = private_directory(path) {
        return Ok(private);
    }
    let message = format!("`{}` is a symbolic link, so its data would not be in the backup", path.display());
    let failure = Failure::new(Code::Refused, message);
    Err(match std::fs::canonicalize(path) {
        Ok(real) => failure.hint(format!("declare `{}` instead", real.display())),
        Err(error) => failure.because(error.to_string()),
    })
}

/// The same path with no symbolic link above its last component: where mounts and file systems see it. restic is told the
/// declared one and comes there through the links.
pub(super) fn real(path: &Path) -> PathBuf {
    let resolved = |above: &Path| {
        let below = path.strip_prefix(above).ok()?;
        std::fs::canonicalize(above).ok().map(|above| above.join(below))
    };
    // What is not there yet lies below something that is.
    path.ancestors().skip(1).find_map(resolved).unwrap_or_else(|| path.to_path_buf())
}

/// What systemd's `DynamicUser=` makes of `/var/lib/x`: a link to `private/x`.
pub(super) fn private_directory(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let link = std::fs::read_link(path).ok()?;
    let parent = path.parent()?;
    let private = parent.join("private").join(name);
    (parent.join(link) == private).then_some(private)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;

    fn local(name: &str, options: &[(&str, &str)]) -> Volume {
        Volume {
            name: name.parse().unwrap(),
            driver: "local".to_owned(),
            options: options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            labels: BTreeMap::new(),
            mountpoint: PathBuf::from("/volumes").join(name).join("_data"),
        }
    }

    fn resolve(volume_list: Vec<Volume>, name: &str) -> Result<PathBuf, Failure> {
        volume(&name.parse().unwrap(), &Ok(volume_list))
    }

    #[test]
    fn a_plain_volume_is_where_docker_says() {
        assert_eq!(resolve(vec![local("a", &[])], "a"), Ok("/volumes/a/_data".into()));
    }

    #[test]
    fn a_bind_volume_is_its_device_and_never_the_empty_data_directory() {
        let volume = local("a", &[("type", "none"), ("device", "/srv/a"), ("o", "rw,bind")]);
        assert_eq!(resolve(vec![volume], "a"), Ok("/srv/a".into()));
    }

    #[test]
    fn a_network_volume_that_is_not_mounted_is_refused() {
        let volume = local("a", &[("type", "nfs"), ("device", ":/export"), ("o", "addr=127.0.0.1")]);
        assert_eq!(resolve(vec![volume], "a").unwrap_err().code, Code::Refused);
    }

    #[test]
    fn an_unknown_volume_is_an_error_and_no_guess() {
        assert_eq!(resolve(vec![local("a", &[])], "b").unwrap_err().code, Code::Failed);
    }

    #[test]
    fn a_name_from_a_compose_file_is_answered_with_that_of_docker() {
        let hint = |name| resolve(vec![local("blog_pages", &[])], name).unwrap_err().hint.unwrap();
        assert_eq!(hint("pages"), "did you mean `blog_pages`?");
        assert_eq!(hint("ages"), "docker volume ls");
    }

    #[test]
    fn a_link_to_private_is_followed_and_any_other_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("private/notes")).unwrap();
        std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
        symlink("private/notes", dir.path().join("notes")).unwrap();
        symlink("elsewhere", dir.path().join("other")).unwrap();
        assert_eq!(existing(&dir.path().join("notes")), Ok(dir.path().join("private/notes")));
        assert_eq!(existing(&dir.path().join("other")).unwrap_err().code, Code::Refused);
        assert_eq!(existing(&dir.path().join("gone")).unwrap_err().code, Code::Failed);
    }

    #[test]
    fn mounts_below_a_path_are_looked_at_where_the_path_shows_them() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/", dir.path().join("root")).unwrap();
        assert_eq!(file_systems(dir.path()), [dir.path()]);
        assert!(file_systems(Path::new("/")).contains(&PathBuf::from("/proc")));
        let through = dir.path().join("root/dev");
        let seen = file_systems(&through);
        assert!(seen.len() > 1 && seen.iter().all(|point| point.starts_with(&through)), "{seen:?}");
    }

    #[test]
    fn a_mount_that_a_pattern_names_is_excluded_with_all_below_it() {
        let is = |pattern: &str| is_excluded(Path::new("/srv/data/media"), &[pattern.to_owned()]);
        for pattern in ["/srv/data/media", "/srv/data/media/", "/srv/data", "media", "data/media", "data"] {
            assert!(is(pattern), "{pattern}");
        }
        for pattern in ["/data/media", "dia", "/srv/data/media/*", "/srv/data/med", "", "!media"] {
            assert!(!is(pattern), "{pattern}");
        }
    }

    #[test]
    fn links_above_a_path_are_resolved_and_the_path_itself_is_not() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        std::fs::create_dir_all(dir.path().join("disk/music")).unwrap();
        symlink(dir.path().join("disk"), dir.path().join("srv")).unwrap();
        symlink("music", dir.path().join("disk/also")).unwrap();
        for (seen, is) in [
            ("srv/music", "disk/music"),
            ("srv/also", "disk/also"),
            ("srv/gone/x", "disk/gone/x"),
            ("srv", "srv"),
        ] {
            assert_eq!(real(&dir.path().join(seen)), dir.path().join(is));
        }
        assert_eq!(real(Path::new("/")), Path::new("/"));
    }
}
