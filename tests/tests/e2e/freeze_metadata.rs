//! Frozen copies on real file systems hold all that belongs to a tree, and never silently less: neither what lies behind
//! links, nor subvolumes, nor changes that a file's times do not show.

use anyhow::{Result, ensure};
use svc_tests::Homeserver;
use svc_tests::metadata::Tree;

/// Two services that run all the time: `x` on XFS, a tree and a file; `b` on btrfs, a tree with subvolumes in
/// subvolumes, one mounted by its name, and a bind mount of a directory with a subvolume in it.
const SCENE: &str = r#"set -e
for disk in btrfs xfs out; do
    truncate -s 1G /root/$disk.img
    mkdir -p /srv/$disk
done
mkfs.btrfs -q /root/btrfs.img; mkfs.xfs -q -m reflink=1 /root/xfs.img; mkfs.ext4 -q -F /root/out.img
for disk in btrfs xfs out; do mount -o loop /root/$disk.img /srv/$disk; done
rich() {
    mkdir -p "$1/lists/below" "$1/closed" "$1/names/$(printf '\377\376')"
    for file in lists/plain lists/below/plain closed/own; do echo "$file" > "$1/$file"; done
    for name in "$(printf 'two\nlines')" 'with  blanks' "$(printf '\301')" '-rf' '*'; do
        echo "$name" > "$1/names/$name"
    done
    ln "$1/closed/own" "$1/names/also"
    ln -s ../nowhere "$1/names/link"
    truncate -s 50M "$1/sparse"; echo end >> "$1/sparse"
    mkfifo -m 0640 "$1/fifo"
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1] + "/socket")' "$1"
    mknod -m 0604 "$1/character" c 1 3; mknod "$1/block" b 7 250
    chown 1000:1001 "$1/lists/plain" "$1/names"; chmod 4711 "$1/lists/plain"; chmod 3775 "$1/names"
    chown -h 1002:1002 "$1/names/link"
    setfattr -n user.note -v kept "$1/closed"; setfattr -n trusted.note -v kept "$1/closed/own"
    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 "$1/lists/below/plain"
    setfacl -m u:1003:r "$1/closed/own"
    setfacl -m u:1000:rwx,d:u:1001:r-x "$1/lists"
    chmod 0500 "$1/closed"
    touch -d '2001-02-03 04:05:06.123456789' "$1/lists" "$1/closed" "$1/closed/own" "$1/names" "$1/fifo"
    touch -h -d '2002-02-03 04:05:06.5' "$1/names/link"
    touch -d '2003-02-03' "$1"
}
mkdir /srv/btrfs/app /srv/xfs/app
btrfs -q subvolume create /srv/btrfs/app/nested
btrfs -q subvolume create /srv/btrfs/app/nested/deeper
btrfs -q subvolume create "/srv/btrfs/app/$(printf 'odd\n name')"
btrfs -q subvolume create /srv/btrfs/@data
for app in /srv/btrfs/app/nested/deeper "/srv/btrfs/app/$(printf 'odd\n name')" /srv/btrfs/app/nested /srv/btrfs/app; do
    rich "$app"
done
rich /srv/xfs/app
echo single > /srv/xfs/single; setfacl -m u:1003:r /srv/xfs/single
mkdir -p /srv/sub /srv/bound /srv/btrfs/whole
mount -o loop,subvol=@data /root/btrfs.img /srv/sub; mkdir /srv/sub/app; rich /srv/sub/app
btrfs -q subvolume create /srv/btrfs/whole/nested; rich /srv/btrfs/whole/nested; rich /srv/btrfs/whole
mount --bind /srv/btrfs/whole /srv/bound
# What lies beside the data hands access lists down to all that is new.
setfacl -m d:u:1004:rwx /srv/xfs /srv/btrfs
for app in b x; do
    printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/app-$app.service
done
systemctl daemon-reload
systemctl start app-b app-x
cat > /etc/svc/services.json <<'JSON'
{"services": {
    "b": {"name": "b", "units": ["app-b.service"],
          "backup": {"enable": true, "quiesce": "stop", "freeze": "require", "paths": ["/srv/btrfs/app", "/srv/sub/app", "/srv/bound"]}},
    "x": {"name": "x", "units": ["app-x.service"],
          "backup": {"enable": true, "quiesce": "stop", "freeze": "require", "paths": ["/srv/xfs/app", "/srv/xfs/single"]}}}}
JSON
"#;

const RESTIC: &str = "restic -q -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password";

fn back_up(server: &Homeserver, services: &str) -> Result<()> {
    server.back_up(services)?;
    nothing_is_left(server)
}

fn nothing_is_left(server: &Homeserver) -> Result<()> {
    let left = server.home.check("find /srv /var/lib/svc -name '*svc-frozen*'")?;
    ensure!(left.trim().is_empty(), "left over: {left}");
    let up = server.home.check("systemctl is-active app-b app-x")?;
    ensure!(up == "active\nactive\n", "{up}");
    Ok(())
}

/// Restores the last snapshot of a service elsewhere.
fn restore(server: &Homeserver, service: &str) -> Result<()> {
    server.home.check(&format!(
        "rm -rf /srv/out/restored
         {RESTIC} --no-lock restore latest --tag svc:{service} --sparse --target /srv/out/restored >&2"
    ))?;
    Ok(())
}

/// A tree without its sockets, which restic passes over: the copy must not fail over them.
fn tree(server: &Homeserver, path: &str) -> Result<Tree> {
    let mut tree = Tree::read(&server.home.host_path(path)?)?;
    tree.entries.retain(|name, _| !name.ends_with(b"socket"));
    Ok(tree)
}

/// Restores the last snapshot of a service elsewhere, and compares all that a file system keeps.
fn is_restored(server: &Homeserver, service: &str, paths: &[&str]) -> Result<()> {
    restore(server, service)?;
    for path in paths {
        let difference = tree(server, path)?.difference(&tree(server, &format!("/srv/out/restored{path}"))?);
        ensure!(difference.is_empty(), "{path}:\n{}", difference.join("\n"));
    }
    Ok(())
}

/// What content the last snapshot of a service added.
fn blobs_added(server: &Homeserver, service: &str) -> Result<String> {
    let added = format!("jq -r '[.[] | select(.tags[] == \"svc:{service}\")] | last | .summary.data_blobs'");
    Ok(server.home.check(&format!("{RESTIC} --no-lock snapshots --json | {added}"))?.trim().to_owned())
}

#[test]
fn all_that_a_tree_has_is_in_the_copy_and_comes_back_and_is_not_stored_again() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    let plan = server.svc("-n backup local b x")?;
    ensure!(
        plan.stdout.contains("btrfs snapshot") && plan.stdout.contains("reflink copy"),
        "{}",
        plan.stdout
    );
    // restic writes holes only when it restores; in the copy they have to be, or a full disk is near.
    server
        .make_backups_fail("[ -e /srv/xfs/app/sparse ] && stat -c %b /srv/xfs/app/sparse >> /run/blocks")?;
    for round in 0..2 {
        back_up(&server, "b x")?;
        is_restored(&server, "b", &["/srv/btrfs/app", "/srv/sub/app", "/srv/bound"])?;
        is_restored(&server, "x", &["/srv/xfs/app", "/srv/xfs/single"])?;
        if round > 0 {
            assert_eq!((blobs_added(&server, "b")?, blobs_added(&server, "x")?), ("0".into(), "0".into()));
        }
    }
    let blocks = server.home.check("sort -n /run/blocks | tail -1")?;
    assert!(blocks.trim().parse::<u64>()? < 1000, "{blocks}");
    Ok(())
}

#[test]
fn a_change_that_keeps_size_and_times_is_in_the_next_snapshot() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    for (service, app) in [("b", "/srv/bound"), ("x", "/srv/xfs/app")] {
        server.home.check(&format!("echo before > {app}/stealthy; touch -d 2020-01-01 {app}/stealthy"))?;
        back_up(&server, service)?;
        server.home.check(&format!(
            "touch -r {app}/stealthy /run/times
             printf 'after!\\n' > {app}/stealthy
             touch -r /run/times {app}/stealthy"
        ))?;
        back_up(&server, service)?;
        let saved = format!("{RESTIC} --no-lock dump latest --tag svc:{service} {app}/stealthy");
        assert_eq!(server.home.check(&saved)?, "after!\n", "{service}");
    }
    Ok(())
}

#[test]
fn a_source_behind_a_link_is_saved_as_it_was_and_with_what_is_mounted_there() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.home.check(
        "ln -s /srv/btrfs /srv/link
         sed -i 's#\"/srv/btrfs/app\"#\"/srv/link/app\"#; s#\"require\"#\"auto\"#' /etc/svc/services.json
         echo early > /srv/btrfs/app/file",
    )?;
    server.make_backups_fail("nsenter --target 1 --mount sh -c 'echo late > /srv/btrfs/app/file'")?;
    let plan = server.svc("-n backup local b")?.stdout;
    assert!(plan.contains("btrfs snapshot"), "{plan}");
    back_up(&server, "b")?;
    let saved = format!("{RESTIC} --no-lock dump latest --tag svc:b /srv/link/app/file");
    assert_eq!(server.home.check(&saved)?, "early\n");
    assert_eq!(server.home.read("/srv/btrfs/app/file")?, "late\n");
    // A mount below the real directory is seen through the link.
    server.home.check("mkdir /srv/btrfs/app/memory; mount -t tmpfs none /srv/btrfs/app/memory")?;
    let plan = server.svc("-n backup local b")?.stdout;
    assert!(plan.contains("tmpfs") && !plan.contains("snapshot in"), "{plan}");
    Ok(())
}

#[test]
fn a_subvolume_that_the_plan_does_not_know_is_an_error_and_no_empty_directory() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    for place in ["/srv/btrfs/app/late", "/srv/bound/late"] {
        let hook =
            format!("\"hooks\": {{\"pre\": [{{\"script\": \"btrfs -q subvolume create {place}\"}}]}}, ");
        server.home.check(&format!(
            "cp /etc/svc/services.json /run/kept
             sed -i '/\"b\": /,/\"x\": /s#\"enable\"#{hook}\"enable\"#' /etc/svc/services.json"
        ))?;
        let backup = server.svc("backup local b")?;
        assert_eq!(backup.code, 20, "{}{}", backup.stdout, backup.stderr);
        let said = format!("{}{}", backup.stdout, backup.stderr);
        assert!(said.contains(&format!("`{place}` lies on a file system or subvolume of its own")), "{said}");
        nothing_is_left(&server)?;
        // Known from the first, it is saved like all others.
        server.home.check(&format!("cp /run/kept /etc/svc/services.json; echo new > {place}/file"))?;
        back_up(&server, "b")?;
        let saved = format!("{RESTIC} --no-lock dump latest --tag svc:b {place}/file");
        assert_eq!(server.home.check(&saved)?, "new\n");
    }
    // What a plan cannot name is read where it is.
    server.home.check(
        "sed -i 's#\"require\"#\"auto\"#' /etc/svc/services.json
         odd=\"/srv/btrfs/app/$(printf '\\377')\"; btrfs -q subvolume create \"$odd\"; echo odd > \"$odd/file\"",
    )?;
    back_up(&server, "b")?;
    is_restored(&server, "b", &["/srv/btrfs/app"])
}
