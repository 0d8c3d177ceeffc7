//! The boxes themselves: what all end-to-end tests stand on.

use std::{path::Path, time::Duration};

use anyhow::Result;
use svc_tests::{
    Homeserver, Machine,
    homeserver::{CANARIES, SEED, music},
    lease::{Slot, test_can_go_on},
    leftovers::Traces,
    link,
};

#[test]
fn a_box_boots_to_running() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("plain")?;
    machine.up()?;
    assert_eq!(machine.check("systemctl is-system-running")?, "running\n");
    assert_eq!(machine.failed_units()?, Vec::<String>::new());
    assert_eq!(machine.check("hostname")?, "plain\n");
    Ok(())
}

#[test]
fn docker_answers_and_stores_on_a_real_file_system() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("plain")?;
    machine.up()?;
    assert_eq!(machine.check("docker info --format '{{.Driver}}'")?, "overlay2\n");
    assert!(machine.docker_socket()?.exists());
    Ok(())
}

#[test]
fn a_command_brings_back_its_output_its_code_and_the_signal_that_ended_it() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("plain")?;
    machine.up()?;
    let output = machine.command("read line; echo \"$line\"; printf '%s\\n' \"$ODD\" >&2; exit 7")?;
    let output = output.stdin("in\n")?.env("ODD", "a 'b'\n\\c").run()?;
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (7, "in\n", "a 'b'\n\\c\n"));

    let running =
        machine.spawn("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.01; done")?;
    running.wait_for_stdout("ready", Duration::from_secs(10))?;
    running.signal_group(rustix::process::Signal::INT)?;
    let output = running.wait_within(Duration::from_secs(10))?;
    assert_eq!((output.code, output.stdout.as_str()), (5, "ready\ninterrupted\n"));

    machine.write("/root/a/b c", "written\n")?;
    assert_eq!(machine.read("/root/a/b c")?, "written\n");
    Ok(())
}

#[test]
fn a_power_cut_keeps_the_disk_and_ends_all_that_ran() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("plain")?;
    machine.up()?;
    let running = machine.spawn("echo before > /root/mark; echo ready; exec sleep infinity")?;
    running.wait_for_stdout("ready", Duration::from_secs(10))?;
    let boot = machine.read("/proc/sys/kernel/random/boot_id")? + &machine.check("stat -c %Y /proc/1")?;
    machine.power_cut()?;
    assert!(!machine.is_up());
    assert_eq!(running.wait_within(Duration::from_secs(10))?.code, 137);

    machine.up()?;
    assert_eq!(machine.read("/root/mark")?, "before\n");
    assert_eq!(machine.check("systemctl is-system-running")?, "running\n");
    assert_ne!(
        machine.read("/proc/sys/kernel/random/boot_id")? + &machine.check("stat -c %Y /proc/1")?,
        boot
    );
    Ok(())
}

#[test]
fn a_link_can_be_cut_and_put_back_and_outlives_a_power_cut() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let (mut one, mut two) = (slot.pristine("one")?, slot.pristine("two")?);
    one.up()?;
    two.up()?;
    link::link(&one, &two)?;
    let reaches = |from: &Machine, to: &Machine| -> Result<bool> {
        Ok(from.run(&format!("busybox ping -c 1 -W 1 {}", to.hostname()))?.code == 0)
    };
    assert!(reaches(&one, &two)? && reaches(&two, &one)?);
    link::cut(one.name(), two.name())?;
    assert!(!reaches(&one, &two)? && !reaches(&two, &one)?);
    link::restore(one.name(), two.name())?;
    assert!(reaches(&one, &two)? && reaches(&two, &one)?);

    two.power_cut()?;
    assert!(!reaches(&one, &two)?);
    two.up()?;
    assert!(reaches(&one, &two)? && reaches(&two, &one)?);
    Ok(())
}

#[test]
fn down_leaves_nothing_behind() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let before = Traces::now()?;
    let slot = Slot::take()?;
    let (mut one, mut two) = (slot.pristine("one")?, slot.pristine("two")?);
    let names = [one.name().to_owned(), two.name().to_owned()];
    let names = names.each_ref().map(String::as_str);
    for machine in [&mut one, &mut two] {
        machine.up()?;
        // Things that a test could leave in a box: a loop device on its disk, a subvolume, a mount, a container network.
        machine.check(
            "truncate -s 64M /root/disk && mkfs.ext4 -q /root/disk && losetup -f /root/disk &&
             btrfs -q subvolume create /root/sub && btrfs -q subvolume snapshot -r /root/sub /root/snap &&
             mkdir /root/mount && mount -o loop /root/disk /root/mount && docker network create net",
        )?;
    }
    link::link(&one, &two)?;
    let during = Traces::now()?;
    assert!(during.of(&names).count() > 20, "there has to be something that can go away: {during:#?}");

    one.down()?;
    two.power_cut()?;
    let left = Traces::wait_until_gone(&before, &during, &names, Duration::from_secs(10))?;
    assert!(left.is_empty(), "left behind: {left:#?}");

    one.up()?;
    let during = Traces::now()?;
    drop((one, two, slot));
    let left = Traces::wait_until_gone(&before, &during, &names, Duration::from_secs(10))?;
    assert!(left.is_empty(), "left behind: {left:#?}");
    Ok(())
}

#[test]
fn the_homeserver_is_healthy_and_has_the_data_of_its_seed() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    assert_eq!(server.home.check("systemctl is-system-running")?, "running\n");
    assert_eq!(server.vault.check("systemctl is-system-running")?, "running\n");
    let difference = music::expected(SEED).difference(&server.music()?);
    assert!(difference.is_empty(), "{}", difference.join("\n"));

    let documents = server.documents()?;
    assert_eq!(documents.lines().count(), 301);
    assert_eq!(documents.lines().last(), Some("300"));
    server.check_documents()?;
    assert!(server.notes()?.starts_with("ok\n1|note 1: milk, 'eggs' & 🥖\n"));
    assert_eq!(server.home.check("curl -fsS http://127.0.0.1:8080/")?, "<h1>At home</h1>\n");
    assert_eq!(server.home.check("docker ps -a -q --filter label=com.docker.compose.project=archive")?, "");
    assert_eq!(
        server.home.check("findmnt -n -o FSTYPE /data; findmnt -n -o FSTYPE /mnt/backup")?,
        "xfs\next4\n"
    );
    server.home.check("test -x /usr/local/bin/svc")?;
    let secrets = server.home.check("cat /var/lib/secrets/restic/*")?;
    assert!(CANARIES.iter().all(|canary| secrets.contains(canary)));
    Ok(())
}

#[test]
fn both_repositories_of_the_homeserver_take_a_backup() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    for name in ["local", "remote"] {
        let restic = format!("set -ea; . /var/lib/secrets/restic/{name}.env; restic --quiet");
        server.home.check(&format!("{restic} backup /data/paperless/consume"))?;
        let listed = server.home.check(&format!("{restic} ls latest"))?;
        assert!(listed.contains("/data/paperless/consume/not yet read.txt"), "{listed}");
    }
    server.cut_link()?;
    let reached = server.home.run("curl -sS -m 2 http://vault:8000/")?;
    assert_ne!(reached.code, 0, "{reached}");
    server.restore_link()?;
    let reached = server.home.run("curl -sS -m 2 http://vault:8000/")?;
    assert_eq!(reached.code, 0, "{reached}");
    Ok(())
}

#[test]
fn the_homeserver_comes_back_healthy_after_a_power_cut() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    let (documents, notes) = (server.documents()?, server.notes()?);
    server.home.power_cut()?;
    server.home.up()?;
    assert_eq!(server.home.failed_units()?, Vec::<String>::new());
    assert_eq!((server.documents()?, server.notes()?), (documents, notes));
    server.check_documents()?;
    assert_eq!(server.home.run("curl -sS -m 5 -o /dev/null http://vault:8000/")?.code, 0);
    Ok(())
}

#[test]
fn a_power_cut_with_loss_keeps_only_what_was_synced_on_the_data_disk() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let slot = Slot::take()?;
    let mut machine = slot.pristine("plain")?;
    machine.up()?;
    let device = machine.add_disk("extra", 1 << 30)?;
    machine.check(&format!("mkfs.xfs -q {device} && mkdir /extra && mount {device} /extra"))?;
    machine.check("echo synced > /extra/synced && sync -f /extra && echo lost > /extra/not-synced")?;
    machine.power_cut_with_loss()?;
    machine.up()?;
    machine.check(&format!("mount {device} /extra"))?;
    assert_eq!(machine.check("ls /extra; cat /extra/synced")?, "synced\nsynced\n");
    Ok(())
}

#[test]
fn what_a_dead_process_left_is_cleared_away() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let first = Slot::take()?;
    let mut machine = first.pristine("dead")?;
    machine.up()?;
    let (name, leader) = (machine.name().to_owned(), machine.leader()?);
    // As after SIGKILL: nothing is dropped but the lock, which the kernel drops.
    machine.abandon();
    assert!(Path::new(&format!("/proc/{leader}/root")).exists());
    drop(first);
    let second = Slot::take()?;
    assert!(Machine::open(second.store(), &name)?.is_none());
    assert!(!Path::new(&format!("/proc/{leader}/root")).exists());
    Ok(())
}

#[test]
fn two_leases_at_once_do_not_share_a_box() -> Result<()> {
    if !test_can_go_on()? {
        return Ok(());
    }
    let (first, second) = (Slot::take()?, Slot::take()?);
    let (mut one, mut two) = (first.pristine("same")?, second.pristine("same")?);
    assert_ne!(one.name(), two.name());
    one.up()?;
    two.up()?;
    assert_ne!(one.leader()?, two.leader()?);
    one.write("/root/mark", "one")?;
    assert_ne!(two.run("cat /root/mark")?.code, 0);
    drop(one);
    assert_eq!(two.check("systemctl is-system-running")?, "running\n");
    Ok(())
}
