//! Backups of services on ZFS: Debian's zfs-fuse, which shows no `.zfs` directory, so that svc reads clones. The other way,
//! through that directory, is tested with a `zfs` that answers as `OpenZFS` does: its module is in no kernel here.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use svc_tests::{Homeserver, wait};

const LIMIT: Duration = Duration::from_mins(1);

/// A service that writes all the time to a dataset, to another one that is mounted in it, and to btrfs. What it leaves when
/// it is stopped is kept beside.
const SCENE: &str = r#"set -e
systemd-run --quiet --unit=pools zfs-fuse --no-daemon
timeout 60 sh -c 'until zpool list > /dev/null 2>&1; do sleep 0.05; done'
# A mount whose number is beyond 255 is one that zfs-fuse does not find by a path on it.
mkdir /run/many
for n in $(seq 256); do mkdir /run/many/$n; mount -t tmpfs -o size=4k none /run/many/$n; done
truncate -s 300M /root/tank.img; truncate -s 300M /root/btrfs.img
zpool create tank /root/tank.img
zfs create tank/data
mkdir -p /tank/data/app /srv/btrfs
zfs create -o mountpoint=/tank/data/app/nested tank/inner
umount /run/many/*
mkfs.btrfs -q /root/btrfs.img; mount -o loop /root/btrfs.img /srv/btrfs; mkdir /srv/btrfs/app
for number in $(seq 300); do
    for directory in /tank/data/app /tank/data/app/nested /srv/btrfs/app; do
        echo "$number in $directory" > $directory/file$number
    done
done
ln /tank/data/app/file1 /tank/data/app/also1
ln -s nowhere /tank/data/app/link
chown 1000:1001 /tank/data/app/file2
cat > /root/app.sh <<'SH'
n=0
while sleep 0.05; do
    n=$((n + 1))
    [ -e /run/quiet ] || for directory in /tank/data/app /tank/data/app/nested /srv/btrfs/app; do echo $n > $directory/count; done
done
SH
printf '[Service]\nExecStart=/bin/sh /root/app.sh\nExecStopPost=/bin/sh -c "echo stopped >> /run/stops; rm -rf /root/then; mkdir /root/then; cp -a --parents /tank/data/app /srv/btrfs/app /root/then"\n' \
    > /etc/systemd/system/app.service
systemctl daemon-reload
systemctl start app
cat > /etc/svc/services.json <<'JSON'
{"services": {"z": {"name": "z", "units": ["app.service"],
    "backup": {"enable": true, "quiesce": "stop", "freeze": "require", "paths": ["/tank/data/app", "/srv/btrfs/app"]}}}}
JSON
"#;

/// Whatever svc left: snapshots, clones, mounts and directories.
const LEFT: &str = "
zfs list -H -t all -o name | grep svc-frozen
grep svc-frozen /proc/self/mountinfo
find /var/lib/svc /srv/btrfs -name '*svc-frozen*'
true";

const RESTIC: &str = "restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password";

fn nothing_is_left(server: &Homeserver) -> Result<()> {
    let left = server.home.check(LEFT)?;
    ensure!(left.is_empty(), "left over: {left}");
    let up = server.home.check("systemctl is-active app")?;
    ensure!(up == "active\n", "{up}");
    Ok(())
}

fn back_up(server: &Homeserver) -> Result<()> {
    server.back_up("z")?;
    nothing_is_left(server)
}

/// Restores the last snapshot elsewhere, and compares it with what the service left when it was stopped for it.
fn is_as_it_was_then(server: &Homeserver) -> Result<()> {
    server.home.check(&format!(
        "rm -rf /root/restored
         {RESTIC} -q restore latest --tag svc:z --target /root/restored >&2
         list() {{ (cd $1 && find . ! -type d -printf '%p %y %m %U %G %n %T@ %l\\n' | sort); }}
         for path in /tank/data/app /srv/btrfs/app; do
             diff -r --no-dereference /root/then$path /root/restored$path >&2 || exit
             list /root/then$path > /root/want; list /root/restored$path > /root/have
             diff /root/want /root/have >&2 || exit
         done"
    ))?;
    Ok(())
}

#[test]
fn a_dataset_is_read_from_a_clone_of_the_moment_when_its_service_was_down() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    let plan = server.svc("-n backup local z")?.stdout;
    assert!(plan.contains("ZFS clone") && plan.contains("btrfs snapshot"), "{plan}");
    // restic cannot write to what it reads; everybody else can.
    server.make_backups_fail(
        "systemctl is-active app > /run/seen
         (echo late > /tank/data/app/file7) && echo written >> /run/seen
         (echo late > /tank/data/app/nested/file7) && echo written >> /run/seen
         stat -c %a /var/lib/svc/frozen/.svc-frozen-* >> /run/seen
         nsenter --target 1 --mount sh -c 'echo late > /tank/data/app/file9; rm /tank/data/app/nested/file8'",
    )?;
    back_up(&server)?;
    assert_eq!(server.home.read("/run/seen")?, "active\n700\n");
    assert_eq!(server.home.read("/run/stops")?, "stopped\n", "once for all file systems");
    is_as_it_was_then(&server)?;
    assert_eq!(server.home.read("/tank/data/app/file9")?, "late\n");
    // A clone has the inodes and times of what it is of: restic needs no option to know its files again.
    server.home.check("touch /run/quiet; systemctl restart app; rm /usr/local/bin/restic")?;
    for _ in 0..2 {
        back_up(&server)?;
    }
    let last = server.home.check(&format!(
        "{RESTIC} --no-lock snapshots --json | jq -c '. as $all | last |
         [.summary.files_new, .summary.files_changed, (.parent as $p | $all | map(.id) | index($p))]'"
    ))?;
    assert_eq!(last, "[0,0,1]\n");
    is_as_it_was_then(&server)
}

#[test]
fn clones_of_a_killed_run_are_gone_soon_after_and_one_that_is_in_use_is_told_of_until_it_is() -> Result<()> {
    let Some(server) = Homeserver::with_scene(SCENE)? else { return Ok(()) };
    server.home.check("mkfifo /run/gate")?;
    server.make_backups_fail("echo > /run/gate; sleep 600")?;
    let running = server.home.program(["svc", "backup", "local", "z"])?.spawn()?;
    server.home.check("timeout 60 cat /run/gate")?;
    let made = server.home.check(LEFT)?;
    assert!(made.contains("tank/data@svc-frozen-z-") && made.contains("tank/inner/svc-frozen-z-"), "{made}");
    let runs: Value = serde_json::from_str(&server.home.check("svc runs --json --limit 1")?)?;
    assert_eq!(runs[0]["frozen"].as_array().map(Vec::len), Some(3), "{runs}");
    server.home.check("systemctl kill --signal=KILL 'svc-run-*.service'")?;
    let is_clean = || Ok(nothing_is_left(&server).is_ok());
    assert!(wait::until(LIMIT, is_clean)?, "{}", server.home.check(LEFT)?);
    assert_ne!(running.wait_within(LIMIT)?.code, 0);
    // Somebody looks into it, and stays there.
    server.make_backups_fail(
        "nsenter --target 1 --mount --wdns=/ systemd-run --quiet --unit=looks --working-directory=$(echo /var/lib/svc/frozen/.svc-frozen-z-*/1) sleep 600",
    )?;
    let partial = server.svc("backup local z")?;
    assert_eq!(partial.code, 3, "{partial}");
    assert!(partial.stderr.contains("is left over"), "{partial}");
    let doctor = server.svc("doctor")?;
    assert!(
        doctor.stdout.contains("left the ZFS clone") && doctor.stdout.contains("svc recover"),
        "{doctor}"
    );
    server.home.check("systemctl stop looks")?;
    let recovered = server.svc("recover")?;
    assert_eq!(recovered.code, 0, "{recovered}");
    nothing_is_left(&server)?;
    assert!(!server.svc("doctor")?.stdout.contains("ZFS"));
    Ok(())
}
