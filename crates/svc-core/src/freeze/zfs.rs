//! ZFS snapshots, through its program. A snapshot is seen in `.zfs/snapshot` of its dataset, also where that is hidden.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::FreezeError;
use super::tool::Tool;

/// The dataset that a path is on, and where that is mounted.
pub(super) async fn dataset(zfs: &Tool, path: &Path) -> Result<(String, PathBuf), FreezeError> {
    let arguments = ["list", "-H", "-o", "name,mountpoint", "--"].map(OsStr::new);
    let list = zfs.run(&[arguments.as_slice(), &[path.as_os_str()]].concat()).await?;
    let odd = || FreezeError::Program { program: zfs.program, said: format!("an odd list: {}", list.trim()) };
    let (name, point) = list.lines().next().and_then(|line| line.split_once('\t')).ok_or_else(odd)?;
    Ok((name.to_owned(), PathBuf::from(point)))
}

pub(super) async fn snapshot(zfs: &Tool, dataset: &str, to: &Path) -> Result<(), FreezeError> {
    zfs.run(&["snapshot", "--", &full(dataset, to)].map(OsStr::new)).await?;
    // Looking into it mounts it.
    std::fs::read_dir(to).map(drop).map_err(|source| FreezeError::File {
        path: to.to_path_buf(),
        doing: "looked into",
        source,
    })
}

/// Removes a snapshot; one that is not there is fine.
pub(super) async fn remove(zfs: &Tool, dataset: &str, snapshot: &Path) -> Result<(), FreezeError> {
    let full = full(dataset, snapshot);
    match zfs.run(&["destroy", "--", &full].map(OsStr::new)).await {
        Err(FreezeError::Program { said, .. }) if said.contains("could not find any snapshots") => Ok(()),
        removed => removed.map(drop),
    }
}

fn full(dataset: &str, snapshot: &Path) -> String {
    format!("{dataset}@{}", snapshot.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::freeze::ground::Looker;
    use crate::freeze::{Ground, How, Means};
    use crate::mounts::Mount;

    /// What svc asks of `zfs`, answered in the words of `OpenZFS` 2.3: no kernel that tests run on can have the real one.
    const ZFS: &str = r#"#!/bin/sh
name=${3#*@}
copy="$TANK/.zfs/snapshot/$name"
case "$1 $2" in
"list -H") printf 'tank/data\t%s\n' "$TANK" ;;
"snapshot --")
    if [ -e "$copy" ]; then
        echo "cannot create snapshot '$3': dataset already exists" >&2; exit 1
    fi
    mkdir -p "$copy" && cp -a "$TANK/app" "$copy/" ;;
"destroy --")
    if [ ! -e "$copy" ]; then
        echo "could not find any snapshots to destroy; check snapshot names." >&2; exit 1
    fi
    rm -r "$copy" ;;
*) echo "unrecognized command '$1 $2'" >&2; exit 2 ;;
esac
"#;

    /// A dataset with a file in it, and a `zfs` for it.
    fn tank() -> (TempDir, Tool) {
        let directory = tempfile::tempdir().unwrap();
        let (tank, bin) = (directory.path().join("tank"), directory.path().join("bin"));
        fs::create_dir_all(tank.join("app")).unwrap();
        fs::create_dir(&bin).unwrap();
        fs::write(tank.join("app/file"), "before").unwrap();
        fs::write(bin.join("zfs"), ZFS.replace("$TANK", &tank.to_string_lossy())).unwrap();
        fs::set_permissions(bin.join("zfs"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut path = OsString::from(bin);
        path.push(":/usr/bin:/bin");
        (directory, Tool { program: "zfs", path })
    }

    #[tokio::test]
    async fn a_dataset_is_found_by_a_path_below_it_and_its_snapshot_holds_still() {
        let (directory, tool) = tank();
        let tank = directory.path().join("tank");
        let mount = Mount {
            device: "0:77".to_owned(),
            root: "/".into(),
            point: tank.clone(),
            kind: "zfs".to_owned(),
        };
        let looker = Looker { btrfs: &tool, zfs: &tool, table: vec![mount] };
        let ground = Ground { path: tank.join("app"), is_volume: false, own: "/nowhere".into() };
        let means = looker.parts(&ground).await.remove(0).means;
        let how = How::Zfs("tank/data".to_owned());
        assert_eq!(means, Ok(Means { how, from: tank.clone(), place: tank.clone() }));
        let to = tank.join(".zfs/snapshot/svc-frozen-app-1");
        snapshot(&tool, "tank/data", &to).await.unwrap();
        fs::write(tank.join("app/file"), "later").unwrap();
        assert_eq!(fs::read_to_string(to.join("app/file")).unwrap(), "before");
        assert!(snapshot(&tool, "tank/data", &to).await.is_err(), "it is there already");
        for _ in 0..2 {
            remove(&tool, "tank/data", &to).await.unwrap();
            assert!(!to.exists());
        }
    }

    #[tokio::test]
    async fn zfs_that_fails_is_told_with_its_own_words() {
        let (_directory, tool) = tank();
        let error = tool.run(&["hold".as_ref(), "--".as_ref()]).await.unwrap_err().to_string();
        assert_eq!(error, "`zfs` failed: unrecognized command 'hold --'");
    }
}
