//! The services whose downtime is measured: a disk for each file system, and a container for each service.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use super::stopwatch::PROGRAM;
use crate::{Machine, crowd};

/// The repositories: one that svc saves to, one for the bare tools, and one behind a slow line that both share.
pub(super) const SVC: &str = "/srv/repository-svc";
pub(super) const BARE: &str = "/srv/repository-bare";
pub(super) const SLOW: &str = "/srv/repository-slow";

/// What is saved over the slow line, and how fast that is: half a minute.
pub(super) const SLOW_DATA: &str = "/srv/slow";
const SLOW_MEGABYTES: usize = 64;
pub(super) const SLOW_KILOBYTES_A_SECOND: usize = 2048;

/// How much of it is much.
const LARGE_MEGABYTES: usize = 2048;
/// How much of that another night has changed.
pub(super) const CHANGED_MEGABYTES: usize = 64;
/// Within what svc copies by reflinks.
pub(super) const FILES: u32 = 5_000;

/// Sizes of the disks: what is large, and what restic or a snapshot needs beside it.
const DISKS: [(&str, u64, &str); 3] =
    [("btrfs", 8 << 30, "-q"), ("xfs", 1 << 30, "-q -m reflink=1"), ("ext4", 4 << 30, "-q -F")];

/// One service: a container of its own that serves its data.
pub(super) struct Service {
    /// That of the container, too.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    port: u16,
    quiesce: &'static str,
    /// What a plan of svc says of the way it takes.
    way: &'static str,
}

impl Service {
    /// Where it answers.
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Little of it, on btrfs.
pub(super) const SMALL: Service =
    Service { name: "small", path: "/srv/btrfs/small", port: 8001, quiesce: "stop", way: "btrfs snapshot" };
/// The same, held and not stopped.
pub(super) const HELD: Service =
    Service { name: "held", path: "/srv/btrfs/held", port: 8002, quiesce: "pause", way: "btrfs snapshot" };
/// Much of it, on btrfs.
pub(super) const LARGE: Service =
    Service { name: "large", path: "/srv/btrfs/large", port: 8003, quiesce: "stop", way: "btrfs snapshot" };
/// Thousands of files, on XFS.
pub(super) const MANY: Service =
    Service { name: "many", path: "/srv/xfs/many", port: 8004, quiesce: "stop", way: "reflink copy" };
/// Much of it, on ext4.
pub(super) const PLAIN: Service =
    Service { name: "plain", path: "/srv/ext4/plain", port: 8005, quiesce: "stop", way: "svc-hot" };

const SERVICES: [&Service; 5] = [&SMALL, &HELD, &LARGE, &MANY, &PLAIN];

/// Makes all of it.
pub(super) fn build(machine: &mut Machine) -> Result<()> {
    for (name, size, options) in DISKS {
        let device = machine.add_disk(name, size)?;
        machine.check(&format!(
            "mkfs.{name} {options} {device} && mkdir -p /srv/{name} && mount {device} /srv/{name}"
        ))?;
    }
    crowd::make_password(machine)?;
    machine.write("/etc/svc/services.json", services().to_string())?;
    machine.check(&format!("set -e\n{}", fill()))?;
    crowd::make_image(machine)?;
    for service in SERVICES {
        start(machine, service)?;
    }
    machine.check("sync")?;
    Ok(())
}

/// Each service in a subvolume of its own, as whoever snapshots has it.
fn fill() -> String {
    let mut script = String::new();
    for service in SERVICES {
        let make = if service.path.starts_with("/srv/btrfs") { "btrfs -q subvolume create" } else { "mkdir" };
        let _ = writeln!(script, "{make} {0} && echo here > {0}/index.html", service.path);
    }
    for service in [&SMALL, &HELD] {
        let _ =
            writeln!(script, "for n in $(seq 64); do head -c 100k /dev/urandom > {}/$n; done", service.path);
    }
    // Files of a size that people have: a photo, a song, a film.
    for service in [&LARGE, &PLAIN] {
        let files = LARGE_MEGABYTES / 64;
        let _ = writeln!(
            script,
            "for n in $(seq {files}); do head -c 64M /dev/urandom > {}/$n; done",
            service.path
        );
    }
    let (many, last) = (MANY.path, FILES - 1);
    let _ = writeln!(script, "for n in $(seq {last}); do echo file $n > {many}/$n; done");
    let _ =
        writeln!(script, "mkdir {SLOW_DATA} && head -c {SLOW_MEGABYTES}M /dev/urandom > {SLOW_DATA}/data");
    script
}

/// A container that dies at once when it is told to. Its libraries are the box's, as its program is.
fn start(machine: &Machine, service: &Service) -> Result<()> {
    let Service { name, path, .. } = service;
    machine.check(&format!(
        "docker run --detach --init --network host --name {name} --volume {path}:/data \
             --volume /usr/lib:/lib:ro --volume /usr/lib64:/lib64:ro --volume {PROGRAM}:{PROGRAM}:ro \
             {} {PROGRAM} serve {} /data/index.html",
        crowd::IMAGE,
        service.address(),
    ))?;
    Ok(())
}

fn services() -> Value {
    let mut services = Map::new();
    for Service { name, path, quiesce, .. } in SERVICES {
        let backup = json!({"enable": true, "quiesce": quiesce, "paths": [path], "repositories": ["local"]});
        services.insert((*name).to_owned(), json!({"name": name, "backup": backup}));
    }
    let slow = json!({"enable": true, "paths": [SLOW_DATA], "repositories": ["slow"]});
    services.insert("slow".to_owned(), json!({"name": "slow", "backup": slow}));
    let at = |place| json!({"repository": place, "passwordFile": crowd::PASSWORD_FILE});
    let mut slow = at(SLOW);
    slow["limitUpload"] = SLOW_KILOBYTES_A_SECOND.into();
    json!({"repositories": {"local": at(SVC), "slow": slow}, "services": services})
}

/// Measuring another way than the one that is named would be worse than none.
pub(super) fn goes_its_way(machine: &Machine, service: &Service) -> Result<()> {
    let plan = machine.check(&format!("svc --json --dry-run backup local {}", service.name))?;
    ensure!(plan.contains(service.way), "no `{}` in the plan of `{}`:\n{plan}", service.way, service.name);
    Ok(())
}
