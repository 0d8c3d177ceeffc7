//! Backups that keep the stop short, on real file systems: the copy is what was there, and nothing of it stays.

use std::time::Duration;

use anyhow::{Result, ensure};
use svc_tests::{Homeserver, wait};

/// Three services that write all the time, each on a disk of its own: `b` on btrfs, with a subvolume in its data, `x` on
/// XFS, `e` on ext4 with more than a short backup.
const SCENE: &str = r#"set -e
for disk in btrfs xfs ext4; do
    truncate -s 1G /root/$disk.img
    mkdir -p /srv/$disk
done
mkfs.btrfs -q /root/btrfs.img; mkfs.xfs -q -m reflink=1 /root/xfs.img; mkfs.ext4 -q -F /root/ext4.img
for disk in btrfs xfs ext4; do mount -o loop /root/$disk.img /srv/$disk; mkdir /srv/$disk/app; done
btrfs -q subvolume create /srv/btrfs/app/nested
for number in $(seq 300); do
    for directory in /srv/btrfs/app /srv/btrfs/app/nested /srv/xfs/app; do
        echo "$number in $directory" > $directory/file$number
    done
done
head -c 90M /dev/urandom > /srv/ext4/app/large
ln /srv/xfs/app/file1 /srv/xfs/app/also1
truncate -s 50M /srv/xfs/app/sparse
mkfifo -m 0640 /srv/xfs/app/fifo
ln -s nowhere /srv/xfs/app/link
chown 1000:1001 /srv/xfs/app/file2
setfattr -n user.note -v kept /srv/xfs/app/file3 || true
for disk in btrfs xfs ext4; do
    printf '[Service]\nExecStart=/bin/sh -c "while sleep 0.05; do date +%%%%N > /run/app-%s; done"\n' $disk \
        > /etc/systemd/system/app-$disk.service
done
systemctl daemon-reload
systemctl start app-btrfs app-xfs app-ext4
cat > /etc/svc/services.json <<'JSON'
{"services": {
    "b": {"name": "b", "units": ["app-btrfs.service"],
          "backup": {"enable": true, "quiesce": "stop", "paths": ["/srv/btrfs/app"]}},
    "x": {"name": "x", "units": ["app-xfs.service"],
          "backup": {"enable": true, "quiesce": "stop", "paths": ["/srv/xfs/app"]}},
    "e": {"name": "e", "units": ["app-ext4.service"],
          "backup": {"enable": true, "quiesce": "stop", "paths": ["/srv/ext4/app"]}}}}
JSON
"#;

/// Whatever svc left on the disks; frozen copies, and hot snapshots in the repository.
const LEFT: &str = "
find /srv /var/lib/svc -name '*svc-frozen*'
btrfs subvolume list /srv/btrfs | grep -v ' path app/nested$'
restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password --no-lock snapshots --json |
    jq -r '.[] | select(.tags[] | startswith(\"svc-hot\")) | .id'
true";

/// New and changed files of a service's last snapshot, and where its parent is among its snapshots.
const LAST: &str = "
restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password --no-lock snapshots --json |
    jq -c '[.[] | select(.tags[] == \"svc:SERVICE\")] | . as $all | last |
           [.summary.files_new, .summary.files_changed, (.parent as $p | $all | map(.id) | index($p))]'";

fn nothing_is_left(server: &Homeserver) -> Result<()> {
    let left = server.home.check(LEFT)?;
    ensure!(left.trim().is_empty(), "left over: {left}");
    let up = server.home.check("systemctl is-active app-btrfs app-xfs app-ext4")?;
    ensure!(up == "active\nactive\nactive\n", "{up}");
    Ok(())
}

fn last(server: &Homeserver, service: &str) -> Result<String> {
    Ok(server.home.check(&LAST.replace("SERVICE", service))?.trim().to_owned())
}

/// Restores the last snapshot of a service elsewhere, and compares.
fn is_restored(server: &Homeserver, service: &str, path: &str) -> Result<()> {
    server.home.check(&format!(
        "set -e
         rm -rf /root/restored
         restic -q -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password \
             restore latest --tag svc:{service} --target /root/restored >&2
         diff -r --no-dereference --exclude=fifo {path} /root/restored{path} >&2
         list() {{ (cd $1 && find . ! -type d -printf '%p %y %m %U %G %n %T@ %l\\n' | sort); }}
         list {path} > /root/want; list /root/restored{path} > /root/have; diff /root/want /root/have >&2"
    ))?;
    Ok(())
}

#[test]
fn a_second_frozen_backup_finds_its_parent_and_no_changed_file() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    for _ in 0..2 {
        server.back_up("b x")?;
        nothing_is_left(&server)?;
    }
    assert_eq!(last(&server, "b")?, "[0,0,0]");
    assert_eq!(last(&server, "x")?, "[0,0,0]");
    is_restored(&server, "b", "/srv/btrfs/app")?;
    is_restored(&server, "x", "/srv/xfs/app")
}

#[test]
fn a_frozen_service_is_up_while_its_data_of_before_is_uploaded() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.home.check("cp -a /srv /root/before")?;
    for (service, disk) in [("b", "btrfs"), ("x", "xfs")] {
        let app = format!("/srv/{disk}/app");
        // restic cannot write to what it reads; everybody else can.
        server.make_backups_fail(&format!(
            "systemctl is-active app-{disk} > /run/seen
             (echo late > {app}/file7) && echo written >> /run/seen
             nsenter --target 1 --mount sh -c 'echo late > {app}/file9; rm -f {app}/file8'"
        ))?;
        server.back_up(service)?;
        assert_eq!(server.home.read("/run/seen")?, "active\n", "{service}");
        nothing_is_left(&server)?;
        assert_eq!(server.home.read(&format!("{app}/file9"))?, "late\n");
        server.home.check(&format!("cp -a /root/before/{disk}/app/file[89] {app}/"))?;
        is_restored(&server, service, &app)?;
    }
    Ok(())
}

#[test]
fn two_passes_leave_one_good_snapshot_and_a_short_stop() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.make_backups_fail("systemctl is-active app-ext4 >> /run/seen; echo \"$*\" >> /run/arguments")?;
    server.back_up("e")?;
    assert_eq!(server.home.read("/run/seen")?, "active\ninactive\n");
    let arguments = server.home.read("/run/arguments")?;
    assert!(arguments.lines().nth(1).is_some_and(|line| line.contains("--no-scan")), "{arguments}");
    nothing_is_left(&server)?;
    assert_eq!(server.snapshots("local", "e")?, 1);
    is_restored(&server, "e", "/srv/ext4/app")
}

#[test]
fn what_a_killed_run_froze_or_saved_hot_is_gone_soon_after() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.make_backups_fail(": > /run/began-$$; sleep 600")?;
    let running = server.home.program(["svc", "backup", "local", "b", "x"])?.spawn()?;
    let both_began = || Ok(server.home.check("ls /run | grep -c ^began- || true")?.trim() == "2");
    assert!(wait::until(Duration::from_mins(1), both_began)?);
    assert_ne!(server.home.check(LEFT)?.trim(), "");
    server.home.check("systemctl kill --signal=KILL 'svc-run-*.service'")?;
    let is_clean = || Ok(nothing_is_left(&server).is_ok());
    assert!(wait::until(Duration::from_mins(1), is_clean)?, "{}", server.home.check(LEFT)?);
    assert_ne!(running.wait_within(Duration::from_mins(1))?.code, 0);
    Ok(())
}

#[test]
fn beside_a_reflink_copy_a_snapshots_files_are_read_again_only_and_always_when_they_changed() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.home.check("mkdir /srv/btrfs/app/disk; mount --bind /srv/xfs/app /srv/btrfs/app/disk")?;
    for _ in 0..2 {
        server.back_up("b")?;
    }
    assert_eq!(last(&server, "b")?, "[0,0,0]");
    // Its size and time stay the same from now on.
    let file = "/srv/btrfs/app/file7";
    for text in ["one", "two"] {
        server.home.check(&format!("echo {text} > {file}; touch -d 2001-01-01 {file}"))?;
        server.back_up("b")?;
        is_restored(&server, "b", "/srv/btrfs/app")?;
    }
    Ok(())
}

#[test]
fn fault_51_what_is_mounted_below_a_source_is_saved_by_its_own_means() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.home.check(
        "mkdir /srv/btrfs/app/disk /srv/btrfs/app/memory
         mount --bind /srv/xfs/app /srv/btrfs/app/disk",
    )?;
    let plan = server.svc("-n backup local b")?.stdout;
    assert!(plan.contains("btrfs snapshot") && plan.contains("reflink copy"), "{plan}");
    server.back_up("b")?;
    nothing_is_left(&server)?;
    is_restored(&server, "b", "/srv/btrfs/app")?;
    // Memory cannot be frozen: then nothing of the service is, and nothing of it is left out either.
    server
        .home
        .check("mount -t tmpfs none /srv/btrfs/app/memory; echo volatile > /srv/btrfs/app/memory/file")?;
    let plan = server.svc("-n backup local b")?.stdout;
    assert!(plan.contains("tmpfs") && !plan.contains("snapshot in"), "{plan}");
    server.back_up("b")?;
    is_restored(&server, "b", "/srv/btrfs/app")?;
    server
        .home
        .check("sed -i 's/\"quiesce\"/\"freeze\": \"require\", \"quiesce\"/' /etc/svc/services.json")?;
    let refused = server.svc("backup local b")?;
    assert_eq!(refused.code, 20, "{}{}", refused.stdout, refused.stderr);
    nothing_is_left(&server)
}
