//! Debian trees, built by `mmdebstrap` from the host's own mirror and kept until their recipe changes.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use walkdir::WalkDir;

use crate::{
    mirror,
    place::{self, short_hash},
    store::Store,
    template::{Description, Template},
    tool::{output, say},
};

/// The Debian release in the boxes, whatever the host's is.
const RELEASE: &str = "trixie";

/// Releases with another restic: one that is too old, and the newest there is. Each lies in [`other_restic`].
const OTHER_RESTICS: &[&str] = &["bookworm", "sid"];

/// What a homeserver has, and what the tests use to look into one.
const PACKAGES: &[&str] = &[
    "acl",
    "attr",
    "btrfs-progs",
    "busybox-static",
    "ca-certificates",
    "curl",
    "dbus",
    "docker-buildx",
    "docker-cli",
    "docker-compose",
    "docker.io",
    "e2fsprogs",
    "faketime",
    "fish",
    "fuse3",
    "git",
    "iproute2",
    "iptables",
    "jq",
    "kmod",
    "libpam-systemd",
    "nftables",
    "nix-bin",
    "openssh-client",
    "openssh-server",
    "polkitd",
    "postgresql",
    "procps",
    "python3",
    "rclone",
    "restic",
    "restic-rest-server",
    "sqlite3",
    "strace",
    "systemd",
    "systemd-sysv",
    "tmux",
    "xfsprogs",
    "zfs-fuse",
    "zsh",
];

/// Units that wait for hardware or the network, or work at hours of their own.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "xfs_scrub_all.timer",
];

/// Units that are for the boxes that want them.
const DISABLED: &[&str] = &[
    "multi-user.target.wants/postgresql.service",
    "multi-user.target.wants/ssh.service",
    "sysinit.target.wants/zfs-fuse.service",
];

/// Translations and manuals, which cost a third of the time.
const UNWANTED: &[&str] =
    &["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// How long an unused tree or template is kept when another one is built.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// The tree that all boxes descend from, built now if it is not in the cache.
pub fn pristine(store: &Store) -> Result<Template> {
    let fixtures = fixtures("box");
    let mut parts: Vec<Vec<u8>> = [PACKAGES, OTHER_RESTICS, MASKED, DISABLED, UNWANTED]
        .concat()
        .iter()
        .map(|part| (*part).into())
        .collect();
    parts.push(RELEASE.into());
    parts.push(include_bytes!("tree.rs").into());
    parts.push(fingerprint(&fixtures)?.into());
    let directory = cached(store, &format!("trees/{}", short_hash(parts)), |directory| {
        say("building the boxes' Debian tree (a minute)");
        let tree = Template::at(directory.into());
        store.create(&tree.root())?;
        bootstrap(&tree.root(), PACKAGES, &[])?;
        for release in OTHER_RESTICS {
            add_other_restic(&directory.join("other"), release, &tree.root())?;
        }
        copy_tree(&fixtures, &tree.root())?;
        configure(&tree.root())?;
        tree.finish(&Description { hostname: None, disks: Vec::new() })
    })?;
    Ok(Template::at(directory))
}

/// Returns a directory of the store, which `build` has to fill if it is not there; it appears whole or not at all.
///
/// Of several processes that want it one builds, and the others wait.
pub(crate) fn cached(store: &Store, below: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let directory = store.path(below);
    if !directory.exists() {
        let _building = build_lock(below)?;
        if !directory.exists() {
            prune(store)?;
            let started = Instant::now();
            let unready = directory.with_extension("unready");
            store.remove(&unready)?;
            fs::create_dir_all(&unready)?;
            build(&unready).with_context(|| format!("cannot build `{below}`"))?;
            fs::rename(&unready, &directory)?;
            say(&format!("`{below}` is in the cache now ({:.0} s)", started.elapsed().as_secs_f32()));
        }
    }
    // What is in use is not pruned.
    File::open(&directory)?.set_modified(SystemTime::now())?;
    Ok(directory)
}

/// Builds a Debian tree: into a directory, or as a tar file where the target's name ends so.
pub(crate) fn bootstrap(target: &Path, packages: &[&str], unwanted: &[&str]) -> Result<()> {
    let mirror = mirror::find()?;
    let excluded = UNWANTED.iter().chain(unwanted).map(|path| format!("--dpkgopt=path-exclude={path}"));
    output(
        mmdebstrap("minbase")?
            .arg("--dpkgopt=force-unsafe-io")
            .args(excluded)
            .arg(format!("--include={}", packages.join(",")))
            // Beside the target: `/tmp` may be too small.
            .env("TMPDIR", target.parent().unwrap_or(target))
            .arg(RELEASE)
            .arg(target)
            .arg(&mirror),
    )
    .with_context(|| format!("cannot build a Debian tree from `{mirror}`"))?;
    Ok(())
}

fn mmdebstrap(variant: &str) -> Result<Command> {
    let keyring = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
    if !keyring.exists() {
        bail!("Debian's keys are missing: install the package `debian-archive-keyring`");
    }
    let mut command = Command::new("mmdebstrap");
    command.arg("--quiet").arg(format!("--variant={variant}"));
    command.arg("--aptopt=APT::Install-Recommends \"false\"");
    command.arg(format!("--keyring={}", keyring.display()));
    Ok(command)
}

/// Where in a box the restic of another release lies, `bookworm` or `sid`.
#[must_use]
pub fn other_restic(release: &str) -> String {
    format!("/opt/restic/{release}")
}

/// Takes only the program: it needs nothing but the C library.
fn add_other_restic(unpacked: &Path, release: &str, root: &Path) -> Result<()> {
    let program = "/usr/bin/restic";
    output(
        mmdebstrap("extract")?
            .args(["--dpkgopt=path-exclude=*", &format!("--dpkgopt=path-include={program}")])
            // A mirror of long ago is as good: its packages are signed all the same.
            .args(["--aptopt=Acquire::Check-Valid-Until \"false\"", "--include=restic", release])
            .arg(unpacked)
            .arg(mirror::find()?),
    )
    .with_context(|| format!("cannot fetch the restic of {release}"))?;
    let target = root.join(other_restic(release).trim_start_matches('/'));
    fs::create_dir_all(target.parent().unwrap_or(root))?;
    fs::copy(unpacked.join(program.trim_start_matches('/')), target)?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

/// A directory below `tests/fixtures`.
pub(crate) fn fixtures(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(below)
}

/// A hash over names, kinds, execute bits and contents below a directory.
pub(crate) fn fingerprint(directory: &Path) -> Result<String> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for entry in WalkDir::new(directory).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        parts.push(path.strip_prefix(directory)?.as_os_str().as_encoded_bytes().into());
        let kind = entry.file_type();
        if kind.is_symlink() {
            parts.push(fs::read_link(path)?.as_os_str().as_encoded_bytes().into());
        } else if kind.is_file() {
            parts.push(vec![u8::from(entry.metadata()?.permissions().mode() & 0o100 != 0)]);
            parts.push(fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?);
        }
    }
    Ok(short_hash(parts))
}

/// Copies files and links over a tree; they belong to root there.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from).min_depth(1) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if entry.file_type().is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn configure(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    for unit in MASKED {
        symlink("/dev/null", units.join(unit))?;
    }
    for unit in DISABLED {
        fs::remove_file(units.join(unit))
            .with_context(|| format!("`{unit}` is not enabled by its package"))?;
    }
    fs::write(root.join("etc/resolv.conf"), "")?;
    Ok(())
}

/// The lock that is held while a directory of the store is being built.
pub(crate) fn lock_name(below: &str) -> String {
    format!("build-{}.lock", below.replace('/', "-"))
}

fn build_lock(below: &str) -> Result<File> {
    let lock = File::create(place::run().join(lock_name(below)))?;
    if lock.try_lock().is_err() {
        say(&format!("another process is building `{below}`; waiting for it"));
        lock.lock()?;
    }
    Ok(lock)
}

/// Removes what nobody has used for long, be it finished or not.
fn prune(store: &Store) -> Result<()> {
    for kind in ["trees", "images", "homeservers"] {
        let Ok(entries) = fs::read_dir(store.path(kind)) else { continue };
        for entry in entries {
            let entry = entry?;
            let used = entry.metadata()?.modified()?;
            if SystemTime::now().duration_since(used).is_ok_and(|age| age > KEPT) {
                store.remove(&entry.path())?;
            }
        }
    }
    Ok(())
}
