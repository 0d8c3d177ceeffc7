//! Builds the homeserver once: Debian, programs, images, databases, data, repositories. Tests get clones.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{SEED, music};
use crate::{
    Machine, link,
    place::short_hash,
    store::Store,
    template::{Description, Template},
    tool::{output, say},
    tree::{self, bootstrap, cached, copy_tree, fingerprint, fixtures},
};

/// The programs in the images: each image is this tree with another command.
const PROGRAMS: &[&str] = &[
    "caddy",
    "curl",
    "mariadb-client-core",
    "mariadb-server-core",
    "postgresql",
    "python3",
    "python3-psycopg2",
    "python3-pymysql",
    "python3-redis",
    "redis-server",
];

/// The database's compiler of queries is a third of the image, and small queries do not use it.
const UNWANTED: &[&str] = &["/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/bitcode/*"];

/// Otherwise the kernel of every clone goes on making the file system.
const EAGER: &str = "lazy_itable_init=0,lazy_journal_init=0";

/// Extra disks of `home`: size, and the command that makes the file system.
const DISKS: [(&str, u64, &[&str]); 2] = [
    ("data", 4 << 30, &["mkfs.xfs", "-q", "-m", "reflink=1", "-L", "data"]),
    (
        "backup",
        4 << 30,
        &["mkfs.ext4", "-q", "-F", "-L", "backup", "-N", "65536", "-J", "size=16", "-E", EAGER],
    ),
];

/// The code that makes what is not in the fixtures; a change of it makes another template.
const RECIPE: [&str; 3] =
    [include_str!("build.rs"), include_str!("music.rs"), include_str!("music_writer.rs")];

/// The two machines of a homeserver, switched off.
#[derive(Debug, Clone)]
pub struct Templates {
    /// The machine with the services.
    pub home: Template,
    /// The machine with the remote repository.
    pub vault: Template,
}

/// Returns the homeserver's machines, built now if they are not in the cache.
pub fn templates(store: &Arc<Store>) -> Result<Templates> {
    let image = thread::scope(|scope| {
        let image = scope.spawn(|| programs(store));
        tree::pristine(store)?;
        image.join().map_err(|_| anyhow!("the build of the images panicked"))?
    })?;
    let pristine = tree::pristine(store)?;
    let mut parts = RECIPE.map(str::to_owned).to_vec();
    parts.push(fingerprint(&fixtures("homeserver"))?);
    parts.extend([&image, pristine.directory()].map(|path| path.to_string_lossy().into_owned()));
    let hash = short_hash(parts);
    let directory = cached(store, &format!("homeservers/{hash}"), |directory| {
        Build { store, pristine: &pristine, image: &image, hash: &hash }.run(directory)
    })?;
    Ok(Templates { home: Template::at(directory.join("home")), vault: Template::at(directory.join("vault")) })
}

/// The tar file with all programs of the images.
fn programs(store: &Store) -> Result<std::path::PathBuf> {
    let hash = short_hash([PROGRAMS, UNWANTED].concat());
    let directory = cached(store, &format!("images/{hash}"), |directory| {
        say("building the containers' Debian tree (half a minute)");
        bootstrap(&directory.join("debian.tar"), PROGRAMS, UNWANTED)
    })?;
    Ok(directory.join("debian.tar"))
}

struct Build<'a> {
    store: &'a Arc<Store>,
    pristine: &'a Template,
    image: &'a Path,
    hash: &'a str,
}

impl Build<'_> {
    fn run(&self, directory: &Path) -> Result<()> {
        say("building the homeserver (half a minute)");
        let (mut home, mut vault) = (self.home()?, self.machine("vault", &[])?);
        home.up()?;
        vault.up()?;
        link::link(&home, &vault)?;
        serve_repositories(&vault)?;
        self.images(&home)?;
        data(&home)?;
        services(&home)?;
        repositories(&home)?;
        for (machine, name) in [(&mut home, "home"), (&mut vault, "vault")] {
            let failed = machine.failed_units()?;
            if !failed.is_empty() {
                bail!("units have failed on `{name}`: {}", failed.join(" "));
            }
            machine.down()?;
            let disks = machine.disks();
            disks.clone_to(self.store, &directory.join(name), &disks.describe()?)?;
        }
        Ok(())
    }

    /// A box of that host name with its fixtures on it, and with disks yet to be made.
    fn machine(&self, hostname: &str, disks: &[&str]) -> Result<Machine> {
        let description = Description {
            hostname: Some(hostname.to_owned()),
            disks: disks.iter().map(|disk| (*disk).to_owned()).collect(),
        };
        let name = format!("build-{}-{hostname}", self.hash);
        let machine = Machine::create_as(self.store, &name, self.pristine, &description)?.ephemeral();
        machine.rename()?;
        copy_tree(&fixtures("homeserver").join(hostname), &machine.disks().root())?;
        Ok(machine)
    }

    fn home(&self) -> Result<Machine> {
        let home = self.machine("home", &DISKS.map(|(name, ..)| name))?;
        for (name, size, make) in DISKS {
            let path = home.disks().disk(name);
            File::create(&path)?.set_len(size)?;
            output(Command::new(make[0]).args(&make[1..]).arg(&path))?;
        }
        let secrets = home.disks().root().join("var/lib/secrets/restic");
        for entry in fs::read_dir(&secrets)? {
            fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o600))?;
        }
        fs::set_permissions(secrets, fs::Permissions::from_mode(0o700))?;
        Ok(home)
    }

    /// Makes the images from the one tree, all in the box: there is no registry.
    fn images(&self, home: &Machine) -> Result<()> {
        say("homeserver: making the container images");
        let tar = File::open(self.image)?;
        home.program(["docker", "import", "-", "homeserver/debian:1"])?.stdin_from(tar).check()?;
        for entry in fs::read_dir(fixtures("homeserver/images"))? {
            let entry = entry?;
            let context = tempfile::NamedTempFile::new()?;
            output(
                Command::new("tar")
                    .arg("-C")
                    .arg(entry.path())
                    .args(["--owner=0", "--group=0", "-cf"])
                    .arg(context.path())
                    .arg("."),
            )?;
            let tag = format!("homeserver/{}:1", entry.file_name().to_string_lossy());
            let build = home.program(["docker", "build", "-q", "-t", &tag, "-"])?;
            build.stdin_from(context.reopen()?).check().with_context(|| format!("cannot build `{tag}`"))?;
        }
        Ok(())
    }
}

fn serve_repositories(vault: &Machine) -> Result<()> {
    vault.check(
        "install -d -o restic-rest-server -g restic-rest-server -m 0700 /srv/restic
         chown restic-rest-server /etc/restic-rest-server/users.htpasswd
         systemctl enable --now restic-rest-server
         systemctl disable --now docker.socket docker containerd",
    )?;
    Ok(())
}

fn data(home: &Machine) -> Result<()> {
    say("homeserver: writing the data");
    home.check("install -d -o 1000 -g 1000 /data/paperless /data/paperless/consume /data/media")?;
    home.write("/data/paperless/consume/not yet read.txt", "a letter\n")?;
    music::write(&home.host_path("/data")?.join("music"), &music::pieces(SEED))
}

fn services(home: &Machine) -> Result<()> {
    say("homeserver: starting the services");
    home.check(
        "set -e
         systemctl daemon-reload
         systemctl enable --quiet docker-compose-paperless docker-compose-caddy docker-compose-watchtower notes
         systemctl start docker-compose-paperless docker-compose-caddy docker-compose-watchtower notes
         docker exec paperless-web-1 python3 /app/paperless.py seed 300
         for number in $(seq 100); do
             curl -fsS -o /dev/null -d \"note $number: milk, 'eggs' & 🥖\" http://127.0.0.1:8070/notes
         done
         curl -fsS -o /dev/null http://127.0.0.1:8080/
         systemctl start docker-compose-archive
         docker exec archive-archive-1 sh -c 'seq 1000 > /files/numbers'
         systemctl stop docker-compose-archive",
    )?;
    asleep(home)
}

/// Services that are there and off: the tests that want one start it, all others boot and save the faster.
fn asleep(home: &Machine) -> Result<()> {
    home.check(
        "set -e
         systemctl enable --quiet docker-media-db docker-media-app docker-network-media_default \
             docker-volume-media_library
         systemctl start docker-compose-nextcloud docker-vaultwarden docker-compose-media-root.target
         docker exec nextcloud-app-1 python3 /app/nextcloud.py seed 200
         for container in vaultwarden:/data media-db:/db media-app:/library; do
             docker exec ${container%:*} sh -c \"seq 100 > ${container#*:}/numbers\"
         done
         systemctl stop docker-compose-nextcloud docker-vaultwarden docker-compose-media-root.target 'docker-*media*'
         install -d /var/lib/calendar /var/lib/feeds",
    )?;
    Ok(())
}

/// Has restic work only one moment in fifteen while it makes a repository.
///
/// It makes a password as hard to guess as it can within half a second, and on a machine that seems slow that is little:
/// else each restic of each test would pay for that half a second again.
const INIT: &str = "set -ea; . /var/lib/secrets/restic/$1.env
restic --quiet init & init=$!
while kill -STOP $init 2>/dev/null; do sleep 0.06; kill -CONT $init 2>/dev/null || true; sleep 0.004; done
wait $init
restic --quiet cat config > /dev/null";

fn repositories(home: &Machine) -> Result<()> {
    say("homeserver: making the repositories");
    for name in ["local", "remote"] {
        home.program(["bash", "-c", INIT, "init", name])?.check()?;
    }
    Ok(())
}
