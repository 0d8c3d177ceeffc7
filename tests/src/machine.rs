//! A box: cloned from a template, started, entered, stopped, cut off from power, deleted.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::PathBuf,
    process::Child,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    boot::{self, Boot, Plan},
    cgroup,
    enter::{Audit, Call, Output, Running},
    link, loops, place,
    state::{self, State},
    store::Store,
    template::{Description, Template},
    tool::say,
    wait,
};

/// Longest time for a clean power-off: systemd itself gives a unit 90 s.
const POWEROFF: Duration = Duration::from_mins(2);

/// A box, running or not.
#[derive(Debug)]
pub struct Machine {
    name: String,
    store: Arc<Store>,
    disks: Template,
    description: Description,
    leader: Option<u32>,
    boot: Option<Boot>,
    child: Option<Child>,
    ephemeral: bool,
    /// Let go when the box is gone.
    place: Option<Arc<File>>,
    audit: Option<Arc<dyn Audit>>,
}

impl Machine {
    /// Makes a box of that name from a template; one that is there already is deleted before.
    pub fn create(store: &Arc<Store>, name: &str, template: &Template) -> Result<Self> {
        let description = template.describe()?;
        let is_named = description.hostname.is_some();
        let machine = Self::create_as(store, name, template, &description)?;
        if !is_named {
            machine.rename()?;
        }
        Ok(machine)
    }

    /// Makes a box that differs from its template by host name and disks.
    pub(crate) fn create_as(
        store: &Arc<Store>,
        name: &str,
        template: &Template,
        description: &Description,
    ) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 40 || !name.bytes().all(is_plain) {
            bail!("`{name}` cannot be a box's name: up to 40 of a-z, 0-9 and `-`");
        }
        delete(store, name)?;
        let directory = directory(store, name);
        store.create(&directory)?;
        template
            .clone_to(store, &directory, description)
            .with_context(|| format!("cannot make the box `{name}`"))?;
        let machine = Self::open(store, name)?.with_context(|| format!("the box `{name}` is gone again"))?;
        Ok(machine)
    }

    /// Makes it another host than those with the same template: its name, and what systemd knows it by.
    pub(crate) fn rename(&self) -> Result<()> {
        let hostname = self.hostname();
        let etc = self.disks.root().join("etc");
        fs::write(etc.join("hostname"), format!("{hostname}\n"))?;
        fs::write(etc.join("hosts"), format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n"))?;
        let id = place::short_hash([hostname]).repeat(3);
        fs::write(etc.join("machine-id"), format!("{}\n", &id[..32]))?;
        Ok(())
    }

    /// Finds a box by its name, running or not.
    pub fn open(store: &Arc<Store>, name: &str) -> Result<Option<Self>> {
        let disks = Template::at(directory(store, name));
        if !disks.exists() {
            return Ok(None);
        }
        let description = disks.describe()?;
        let state = state::load(name)?.filter(|state| state.leader != 0 && cgroup::is_populated(name));
        let leader = state.map(|state| state.leader);
        let (name, store) = (name.to_owned(), Arc::clone(store));
        let (boot, child, audit, ephemeral, place) = (None, None, None, false, None);
        Ok(Some(Self { name, store, disks, description, leader, boot, child, ephemeral, place, audit }))
    }

    /// Deletes the box when this value is dropped, be it by a panic.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Keeps its place in the pool from others for as long as this value lives.
    pub(crate) fn holding(mut self, place: &Arc<File>) -> Self {
        self.place = Some(Arc::clone(place));
        self
    }

    /// Has somebody hear how every command in it ends.
    pub(crate) fn audit(&mut self, audit: Arc<dyn Audit>) {
        self.audit = Some(audit);
    }

    /// Leaves it to itself, as a process does that is killed.
    pub fn abandon(mut self) {
        self.ephemeral = false;
    }

    /// The name by which `cargo box` knows it; its host name may be another.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its host name.
    #[must_use]
    pub fn hostname(&self) -> &str {
        self.description.hostname.as_deref().unwrap_or(&self.name)
    }

    /// The host name that its template gave it; `None` for a box with nothing but Debian on it.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.description.hostname.as_deref()
    }

    /// Its disks; the root is safe to write to only while the box is down.
    #[must_use]
    pub fn disks(&self) -> &Template {
        &self.disks
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.leader.is_some() && cgroup::is_populated(&self.name)
    }

    /// Starts it, plugs its cables in again, and waits until all of its enabled services have started.
    pub fn up(&mut self) -> Result<()> {
        self.start()?;
        self.wait_until_ready()
    }

    /// Starts it and returns as soon as its PID 1 lives.
    pub fn start(&mut self) -> Result<()> {
        if self.is_up() {
            bail!("the box `{}` is up already", self.name);
        }
        let cables = state::load(&self.name)?.unwrap_or_default().cables;
        self.clean_up()?;
        let devices = self.attach_disks()?;
        let root = self.disks.root();
        let plan = Plan { name: &self.name, hostname: self.hostname(), root: &root, devices };
        // The state comes first: a box without one would not be found, were this process to die now.
        state::save(&self.name, &State { leader: 0, cables: cables.clone() })?;
        let boot = Boot::start(&plan).with_context(|| format!("cannot start the box `{}`", self.name))?;
        self.leader = Some(boot.leader);
        state::save(&self.name, &State { leader: boot.leader, cables })?;
        self.boot = Some(boot);
        link::replug(&self.name)
    }

    /// Waits until systemd has finished its boot. Units that failed are no error: ask [`Self::failed_units`].
    pub fn wait_until_ready(&mut self) -> Result<()> {
        if let Some(mut boot) = self.boot.take() {
            let ready =
                boot.wait_until_ready().with_context(|| format!("cannot start the box `{}`", self.name));
            self.child = Some(boot.child);
            ready?;
        }
        Ok(())
    }

    /// Names of the units that are in state `failed`.
    pub fn failed_units(&self) -> Result<Vec<String>> {
        let listed =
            self.program(["systemctl", "list-units", "--failed", "--plain", "--no-legend"])?.check()?;
        Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(Into::into).collect())
    }

    /// Shuts it down in good order and leaves nothing of it but its disks.
    pub fn down(&mut self) -> Result<()> {
        if self.is_up() {
            self.program(["systemctl", "poweroff"])?.check()?;
            if !cgroup::wait_until_empty(&self.name, POWEROFF)? {
                say(&format!(
                    "the box `{}` does not go down within {POWEROFF:?}; cutting its power",
                    self.name
                ));
            }
        }
        self.clean_up()
    }

    /// Kills it at once, as a power cut does. The disks stay as they are, and [`Self::up`] boots from them.
    pub fn power_cut(&mut self) -> Result<()> {
        if let Some(leader) = self.leader
            && cgroup::is_populated(&self.name)
            && let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw)
        {
            link::silence(&self.name)?;
            // The kernel kills all of a PID namespace with its first process; nspawn then ends by itself.
            kill_process(pid, Signal::KILL).context("cannot kill the box")?;
            let has_ended = cgroup::wait_until_empty(&self.name, Duration::from_secs(5))?;
            if !has_ended {
                say(&format!("the box `{}` dies slowly", self.name));
            }
        }
        self.clean_up()
    }

    /// Kills it as [`Self::power_cut`] does, and loses what was not synced on its extra disks.
    ///
    /// The root stays as the dead processes saw it: it is a part of the one image of all boxes.
    pub fn power_cut_with_loss(&mut self) -> Result<()> {
        let disks: Vec<PathBuf> = self.description.disks.iter().map(|name| self.disks.disk(name)).collect();
        // What the file systems have not written to their disks yet is not in these copies; the kill writes it.
        for disk in &disks {
            self.store.reflink(disk, &disk.with_extension("cut"))?;
        }
        self.power_cut()?;
        for disk in &disks {
            fs::rename(disk.with_extension("cut"), disk)?;
        }
        Ok(())
    }

    /// Gives it another disk of that many bytes, also while it runs, and returns its device in the box.
    pub fn add_disk(&mut self, name: &str, size: u64) -> Result<String> {
        let path = self.disks.disk(name);
        let device = format!("/dev/box-{name}");
        File::create_new(&path)
            .with_context(|| format!("cannot create `{}`", path.display()))?
            .set_len(size)?;
        self.description.disks.push(name.to_owned());
        self.disks.finish(&self.description)?;
        if self.is_up() {
            let (major, minor) = loops::numbers(&loops::attach(&path)?)?;
            self.program(["mknod", "-m", "600", &device, "b", &major.to_string(), &minor.to_string()])?
                .check()?;
        }
        Ok(device)
    }

    /// Ends it and deletes its disks.
    pub fn delete(mut self) -> Result<()> {
        self.ephemeral = false;
        self.clean_up()?;
        delete(&self.store, &self.name)
    }

    /// Prepares a shell line to run in the box.
    pub fn command(&self, line: &str) -> Result<Call> {
        self.program(["sh", "-c", line])
    }

    /// Prepares a program with arguments to run in the box, past any shell.
    pub fn program<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Call> {
        Ok(Call::new(self.leader()?, argv).audited(self.audit.clone()))
    }

    /// Runs a shell line in the box; its exit code is for the caller to judge.
    pub fn run(&self, line: &str) -> Result<Output> {
        self.command(line)?.run()
    }

    /// Runs a shell line in the box that has to succeed, and returns its stdout.
    pub fn check(&self, line: &str) -> Result<String> {
        self.command(line)?.check()
    }

    /// Starts a shell line in the box.
    pub fn spawn(&self, line: &str) -> Result<Running> {
        self.command(line)?.spawn()
    }

    /// Reads a file in the box.
    pub fn read(&self, path: &str) -> Result<String> {
        self.program(["cat", "--", path])?.check()
    }

    /// Writes a file in the box, and makes the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let script = r#"mkdir -p "$(dirname "$1")" && cat > "$1""#;
        self.program(["sh", "-c", script, "write", path])?.stdin(content)?.check()?;
        Ok(())
    }

    /// Where the host sees an absolute path of the box, with the box's own mounts; links on the way are resolved.
    ///
    /// Valid while the box runs.
    pub fn host_path(&self, path: &str) -> Result<PathBuf> {
        let real = self.program(["realpath", "-z", "--", path])?.check()?;
        Ok(format!("/proc/{}/root{}", self.leader()?, real.trim_end_matches('\0')).into())
    }

    /// The socket of the box's Docker, for clients on the host.
    pub fn docker_socket(&self) -> Result<PathBuf> {
        Ok(format!("/proc/{}/root/run/docker.sock", self.leader()?).into())
    }

    /// The address of the box's system bus, for clients on the host.
    pub fn bus_address(&self) -> Result<String> {
        Ok(format!("unix:path=/proc/{}/root/run/dbus/system_bus_socket", self.leader()?))
    }

    /// PID 1 of the box, as the host numbers it.
    pub fn leader(&self) -> Result<u32> {
        self.leader.with_context(|| format!("the box `{}` is not up", self.name))
    }

    fn attach_disks(&self) -> Result<Vec<(PathBuf, String)>> {
        let attach = |name: &String| Ok((loops::attach(&self.disks.disk(name))?, format!("/dev/box-{name}")));
        self.description.disks.iter().map(attach).collect()
    }

    /// Ends what lives of the box and detaches its disks.
    fn clean_up(&mut self) -> Result<()> {
        clean_up(&self.store, &self.name)?;
        let child = self.boot.take().map(|boot| boot.child).or(self.child.take());
        if let Some(mut child) = child {
            child.wait()?;
        }
        // With its PID 1 its namespaces go; the host's own PID 1 buries it.
        if let Some(leader) = self.leader.take() {
            let process = PathBuf::from(format!("/proc/{leader}"));
            wait::until(Duration::from_secs(5), || Ok(!process.exists()))?;
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !self.ephemeral {
            return;
        }
        if env::var_os("SVC_BOX_KEEP").is_some() {
            say(&format!("the box `{0}` is kept: `cargo box in --name {0} COMMAND`", self.name));
            return;
        }
        let deleted = self.clean_up().and_then(|()| delete(&self.store, &self.name));
        if let Err(error) = deleted {
            say(&format!("the box `{}` is not cleaned up: {error:#}", self.name));
        }
    }
}

/// Ends a box and deletes its disks, whoever made it and in whatever state it is.
pub fn delete(store: &Store, name: &str) -> Result<()> {
    clean_up(store, name)?;
    store.remove(&directory(store, name))?;
    link::forget(name)?;
    state::forget(name);
    Ok(())
}

fn clean_up(store: &Store, name: &str) -> Result<()> {
    cgroup::destroy(name)?;
    boot::forget(name);
    let directory = directory(store, name);
    // Each subvolume counts as a file system: the directory with the disks is one, the root is one, and the box may
    // have made more.
    let subvolumes = store.subvolumes_below(&directory)?;
    let file_systems = subvolumes.iter().map(|path| loops::file_system(path)).collect::<Result<_>>()?;
    loops::detach_all(&directory, file_systems)
}

fn directory(store: &Store, name: &str) -> PathBuf {
    store.path("boxes").join(name)
}
