use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::freeze::ground::Looker;
use crate::freeze::{Ground, How, Means, Part};
use crate::mounts::Mount;

/// What svc asks of `zfs`, answered in the words of `OpenZFS` 2.3: no kernel that tests run on can have the real one. That
/// of zfs-fuse, which shows clones only and lets them go a moment late, is in the boxes.
const ZFS: &str = r#"#!/bin/sh
for last; do :; done
snapshots="$TANK/.zfs/snapshot"
[ -d "$snapshots" ] || snapshots="$TOP/snapshots"
clone="$TOP/clones/${last##*/}"
case "$1 $2" in
"list -H")
    if [ "$last" != tank/data ]; then
        echo "cannot open '$last': dataset does not exist" >&2; exit 1
    fi
    echo "$last" ;;
"snapshot --")
    copy="$snapshots/${last#*@}"
    if [ -e "$copy" ]; then
        echo "cannot create snapshot '$last': dataset already exists" >&2; exit 1
    fi
    mkdir -p "$copy" && cp -a "$TANK/app" "$copy/" ;;
"clone -o")
    for word; do case $word in mountpoint=*) point=${word#*=} ;; *@*) copy="$snapshots/${word#*@}" ;; esac; done
    mkdir -p "$clone" && ln -s "$point" "$clone/point" && ln -s "$copy" "$clone/copy" ;;
"mount --") cp -a "$clone/copy/." "$clone/point/" ;;
"destroy -r")
    if [ ! -e "$clone" ]; then
        echo "cannot open '$last': dataset does not exist" >&2; exit 1
    fi
    if [ -e "$clone/point/app" ]; then
        rm -r "$clone/point/app"; echo "cannot destroy '$last': dataset is busy" >&2; exit 1
    fi
    rm -r "$clone" ;;
"destroy --")
    copy="$snapshots/${last#*@}"
    if [ ! -e "$copy" ]; then
        echo "could not find any snapshots to destroy; check snapshot names." >&2; exit 1
    fi
    if [ -e "$TOP/clones/${last#*@}" ]; then
        echo "cannot destroy '$last': snapshot has dependent clones" >&2; exit 1
    fi
    rm -r "$copy" ;;
*) echo "unrecognized command '$1 $2'" >&2; exit 2 ;;
esac
"#;

/// A dataset with a file in it, and a `zfs` for it.
struct Tank {
    top: TempDir,
    tool: Tool,
}

impl Tank {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let bin = top.path().join("bin");
        fs::create_dir_all(top.path().join("tank/app")).unwrap();
        fs::create_dir(&bin).unwrap();
        fs::write(top.path().join("tank/app/file"), "before").unwrap();
        let script = ZFS.replace("$TANK", "$TOP/tank").replace("$TOP", &top.path().to_string_lossy());
        fs::write(bin.join("zfs"), script).unwrap();
        fs::set_permissions(bin.join("zfs"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut path = OsString::from(bin);
        path.push(":/usr/bin:/bin");
        Self { top, tool: Tool { program: "zfs", path } }
    }

    fn showing_snapshots() -> Self {
        let tank = Self::new();
        fs::create_dir_all(tank.path(".zfs/snapshot")).unwrap();
        tank
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join("tank").join(below)
    }

    /// Room for a clone, as it is made before.
    fn place(&self) -> PathBuf {
        let directory = self.top.path().join("own/.svc-frozen-app-1");
        fs::create_dir_all(&directory).unwrap();
        directory.join("0")
    }

    fn mount(&self, root: &str, point: &str) -> Mount {
        let [device, kind, source] = ["0:77", "zfs", "tank/data"].map(str::to_owned);
        Mount { device, root: root.into(), point: self.top.path().join(point), kind, source }
    }

    async fn parts(&self, source: &str, table: Vec<Mount>) -> Vec<Part> {
        let looker = Looker { btrfs: &self.tool, zfs: &self.tool, table };
        let ground = Ground { path: self.path(source), is_volume: false, own: "/own".into() };
        looker.parts(&ground).await
    }

    async fn means(&self, mount: Mount) -> Result<Means, String> {
        self.parts("app", vec![mount]).await.remove(0).means
    }

    fn later(&self) {
        fs::write(self.path("app/file"), "later").unwrap();
    }
}

#[tokio::test]
async fn a_dataset_is_found_by_what_is_mounted_and_its_snapshot_holds_still() {
    let tank = Tank::showing_snapshots();
    let means = tank.means(tank.mount("/", "tank")).await;
    let (from, how) = (tank.top.path().join("tank"), How::Zfs("tank/data".to_owned()));
    assert_eq!(means, Ok(Means { how, place: from.clone(), from }));
    let to = tank.path(".zfs/snapshot/svc-frozen-app-1");
    snapshot(&tank.tool, "tank/data", &to).await.unwrap();
    tank.later();
    assert_eq!(fs::read_to_string(to.join("app/file")).unwrap(), "before");
    assert!(snapshot(&tank.tool, "tank/data", &to).await.is_err(), "it is there already");
    for _ in 0..2 {
        remove(&tank.tool, "tank/data", &to).await.unwrap();
        assert!(!to.exists());
    }
}

#[tokio::test]
async fn a_dataset_that_shows_no_snapshots_is_cloned() {
    let tank = Tank::new();
    let means = tank.means(tank.mount("/", "tank")).await;
    let how = How::ZfsClone("tank/data".to_owned());
    assert_eq!(means, Ok(Means { how, place: "/own".into(), from: tank.top.path().join("tank") }));
    let to = tank.place();
    clone(&tank.tool, "tank/data", &to).await.unwrap();
    tank.later();
    assert_eq!(fs::read_to_string(to.join("app/file")).unwrap(), "before");
    assert!(tank.top.path().join("snapshots/svc-frozen-app-1").exists());
    assert!(clone(&tank.tool, "tank/data", &to).await.is_err(), "it is there already");
    for _ in 0..2 {
        remove_clone(&tank.tool, "tank/data", &to).await.unwrap();
        let left = walkdir::WalkDir::new(tank.top.path()).into_iter().flatten();
        let left: Vec<_> = left.filter(|entry| name(entry.path()).starts_with("svc-frozen")).collect();
        assert!(left.is_empty() && !to.exists(), "{left:?}");
    }
}

#[tokio::test]
async fn a_clone_that_was_begun_is_removed_whatever_there_is_of_it() {
    for dies in ["snapshot --", "clone -o", "mount --"] {
        let tank = Tank::new();
        let to = tank.place();
        let script = fs::read_to_string(tank.top.path().join("bin/zfs")).unwrap();
        let dying = script.replace(&format!("\"{dies}\")"), &format!("\"{dies}\") exit 9 ;; \"never\")"));
        fs::write(tank.top.path().join("bin/zfs"), &dying).unwrap();
        clone(&tank.tool, "tank/data", &to).await.unwrap_err();
        assert!(to.exists(), "what is left is known by it");
        fs::write(tank.top.path().join("bin/zfs"), &script).unwrap();
        remove_clone(&tank.tool, "tank/data", &to).await.unwrap();
        for left in ["snapshots/svc-frozen-app-1", "clones/svc-frozen-app-1", "own/.svc-frozen-app-1/0"] {
            assert!(!tank.top.path().join(left).exists(), "{left} after a death before `{dies}`");
        }
    }
}

#[tokio::test]
async fn a_directory_of_a_dataset_that_is_mounted_elsewhere_is_no_dataset() {
    let tank = Tank::showing_snapshots();
    let reason = tank.means(tank.mount("/data", "tank")).await.unwrap_err();
    assert_eq!(reason, "the top of its ZFS dataset is not mounted");
}

#[tokio::test]
async fn copies_that_are_mounted_below_a_source_are_no_parts_of_it() {
    let tank = Tank::showing_snapshots();
    let mounts = ["tank", "tank/.zfs/snapshot/daily", "tank/own/.svc-frozen-app-1/0", "tank/nested"];
    let table = mounts.iter().map(|point| tank.mount("/", point)).collect();
    let parts = tank.parts("", table).await;
    let paths: Vec<PathBuf> = parts.into_iter().map(|part| part.path).collect();
    assert_eq!(paths, [tank.path(""), tank.path("nested")]);
}

#[tokio::test]
async fn zfs_that_fails_is_told_with_its_own_words() {
    let tank = Tank::new();
    let error = tank.tool.run(&["hold".as_ref(), "--".as_ref()]).await.unwrap_err().to_string();
    assert_eq!(error, "`zfs` failed: unrecognized command 'hold --'");
}
