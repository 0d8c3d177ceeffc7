//! The pool that tests take boxes from. A place in it is a lock that the kernel drops with its process, so parallel
//! tests never share a box, and what a dead process left behind is cleared away by the next one.

use std::{env, fs::File, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    Machine, host, machine, place,
    store::Store,
    svc,
    template::{Description, Template},
    tool::say,
    tree, wait,
};

/// Longest wait for a place: suites of several processes may stand in line.
const DEADLINE: Duration = Duration::from_mins(30);

/// A place in the pool; its boxes are nobody else's while it or one of them lives.
#[derive(Debug)]
pub struct Slot {
    number: usize,
    store: Arc<Store>,
    lock: Arc<File>,
}

impl Slot {
    /// Waits for a free place, and clears away what its last holder left.
    ///
    /// There are two for each processor, for boxes wait more than they compute, or `$SVC_BOX_SLOTS`.
    pub fn take() -> Result<Self> {
        host::ensure_packages()?;
        let store = Arc::new(Store::open()?);
        let count = env::var("SVC_BOX_SLOTS").ok().and_then(|text| text.parse().ok());
        let count =
            count.unwrap_or_else(|| thread::available_parallelism().map_or(4, |cores| cores.get() * 2));
        let taken = wait::poll(DEADLINE, || {
            for number in 0..count {
                if let Some(lock) = locked(&slot_lock(number))? {
                    return Ok(Some((number, lock)));
                }
            }
            Ok(None)
        })?;
        let Some((number, lock)) = taken else {
            bail!("all {count} places for boxes have been taken for {DEADLINE:?}");
        };
        let slot = Self { number, store, lock: Arc::new(lock) };
        slot.clear()?;
        clear_abandoned(&slot.store)?;
        Ok(slot)
    }

    /// Clones a box from a template. It is deleted when the value is dropped.
    pub fn machine(&self, hostname: &str, template: &Template) -> Result<Machine> {
        let machine = Machine::create(&self.store, &self.name(hostname), template)?;
        Ok(machine.ephemeral().holding(&self.lock))
    }

    /// Makes a box with nothing but Debian, systemd and Docker on it.
    pub fn pristine(&self, hostname: &str) -> Result<Machine> {
        let template = tree::pristine(&self.store)?;
        let description = Description { hostname: Some(hostname.to_owned()), ..template.describe()? };
        let machine = Machine::create_as(&self.store, &self.name(hostname), &template, &description)?;
        let machine = machine.ephemeral().holding(&self.lock);
        machine.rename()?;
        Ok(machine)
    }

    /// The store, held for as long as the place is.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    fn name(&self, hostname: &str) -> String {
        self.prefix() + hostname
    }

    fn prefix(&self) -> String {
        format!("slot{}-", self.number)
    }

    fn clear(&self) -> Result<()> {
        for name in self.store.boxes()?.iter().filter(|name| name.starts_with(&self.prefix())) {
            machine::delete(&self.store, name)
                .with_context(|| format!("the dead box `{name}` is in the way"))?;
        }
        Ok(())
    }
}

/// Whether an end-to-end test can go on in this process. If not, all there was to do for it has been done.
///
/// Where boxes cannot run it says loudly what is skipped and why. A user who may `sudo` without a password has the same
/// test run again, as root; its failure is the error here.
pub fn test_can_go_on() -> Result<bool> {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    if let Some(reason) = host::boxes_unavailable() {
        say(&format!("SKIPPED `{test}`: {reason}"));
        return Ok(false);
    }
    if host::is_root() {
        return Ok(true);
    }
    // Built by the user, so that no file of root's gets into the target directory.
    let svc = svc::binary()?;
    let status = host::sudo(Some(&svc))
        .arg(env::current_exe()?)
        .args(["--exact", &test, "--nocapture"])
        .status()
        .context("cannot run `sudo`")?;
    if !status.success() {
        bail!("`{test}` fails as root: {status}");
    }
    Ok(false)
}

/// Deletes boxes of places and builds whose holders have died.
pub fn clear_abandoned(store: &Store) -> Result<()> {
    for name in store.boxes()?.into_iter().filter(|name| is_of_tests(name)) {
        let owner = name.split_once('-').and_then(|(owner, rest)| match owner.strip_prefix("slot") {
            Some(number) => Some(slot_lock(number.parse().ok()?)),
            None if owner == "build" => {
                Some(tree::lock_name(&format!("homeservers/{}", rest.split_once('-')?.0)))
            }
            None => None,
        });
        let Some(owner) = owner else { continue };
        if let Some(_lock) = locked(&owner)? {
            machine::delete(store, &name)?;
        }
    }
    Ok(())
}

/// Whether a box's name is one that the pool or a build gives.
#[must_use]
pub fn is_of_tests(name: &str) -> bool {
    name.split_once('-').is_some_and(|(owner, _)| owner == "build" || owner.starts_with("slot"))
}

fn slot_lock(number: usize) -> String {
    format!("slot{number}.lock")
}

/// Takes a lock if it is free.
fn locked(name: &str) -> Result<Option<File>> {
    let file = File::create(place::run().join(name))?;
    Ok(file.try_lock().is_ok().then_some(file))
}
