//! Cables between boxes: a veth pair whose ends lie in two boxes and never on the host.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    Machine, cgroup,
    state::{self, Cable},
    tool::output,
};

/// Links two running boxes by a network of their own; each then knows the other by its host name.
///
/// The cable is remembered and plugged in again whenever one of them starts while the other runs.
pub fn link(first: &Machine, second: &Machine) -> Result<()> {
    for (name, peer) in [(first.name(), second.name()), (second.name(), first.name())] {
        remember(name, |cables| cables.retain(|cable| cable.peer != peer))?;
    }
    let subnet = (0..=u8::MAX)
        .find(|subnet| [first, second].iter().all(|machine| is_free(machine, *subnet)))
        .context("no subnet is free")?;
    for (machine, peer, own, other) in [(first, second, 1, 2), (second, first, 2, 1)] {
        remember(machine.name(), |cables| {
            cables.push(Cable {
                peer: peer.name().to_owned(),
                interface: interface(peer.hostname()),
                address: format!("10.213.{subnet}.{own}"),
                pulled: false,
            });
        })?;
        introduce(machine, &format!("10.213.{subnet}.{other}"), peer.hostname())?;
    }
    plug(first.name(), second.name())
}

/// Pulls the cable: what is sent in vanishes, as it does in a dead network; no side is told.
pub fn cut(first: &str, second: &str) -> Result<()> {
    set(first, second, true)
}

/// Puts a pulled cable back.
pub fn restore(first: &str, second: &str) -> Result<()> {
    set(first, second, false)
}

/// The boxes that a box is linked with, and whether the cable is pulled.
pub fn peers(name: &str) -> Result<Vec<(String, bool)>> {
    Ok(cables(name)?.into_iter().map(|cable| (cable.peer, cable.pulled)).collect())
}

/// Throws away the cables of a box that is deleted, at their other ends.
pub(crate) fn forget(name: &str) -> Result<()> {
    for (peer, _) in peers(name)? {
        if state::load(&peer)?.is_some() {
            remember(&peer, |cables| cables.retain(|cable| cable.peer != name))?;
        }
    }
    Ok(())
}

/// Plugs all cables of a box in whose other ends are up.
pub(crate) fn replug(name: &str) -> Result<()> {
    for cable in cables(name)? {
        if cgroup::is_populated(&cable.peer) {
            plug(name, &cable.peer)?;
        }
    }
    Ok(())
}

/// Takes down all interfaces of a box that is about to lose its power: a dying kernel would close connections, and a
/// dead machine does not.
pub(crate) fn silence(name: &str) -> Result<()> {
    for cable in cables(name)? {
        // An interface whose other end is dead has gone with it.
        let _ = ip(name, &["link", "set", &cable.interface, "down"]);
    }
    Ok(())
}

fn plug(first: &str, second: &str) -> Result<()> {
    let ends = [(first, end(first, second)?), (second, end(second, first)?)];
    for (name, cable) in &ends {
        // An end whose other box has died goes a moment later by itself; if it has, this fails.
        let _ = ip(name, &["link", "delete", &cable.interface]);
    }
    let [(_, near), (_, far)] = &ends;
    let far_leader = leader(second)?.to_string();
    ip(
        first,
        &[
            "link",
            "add",
            &near.interface,
            "type",
            "veth",
            "peer",
            "name",
            &far.interface,
            "netns",
            &far_leader,
        ],
    )?;
    for (name, cable) in &ends {
        ip(name, &["address", "add", &format!("{}/24", cable.address), "dev", &cable.interface])?;
        ip(name, &["link", "set", &cable.interface, "up"])?;
    }
    if near.pulled { cut(first, second) } else { Ok(()) }
}

/// The far end goes down: the near one only loses its carrier, as with a real cable.
fn set(first: &str, second: &str, pulled: bool) -> Result<()> {
    for (name, peer) in [(first, second), (second, first)] {
        end(name, peer)?;
        remember(name, |cables| {
            cables.iter_mut().filter(|cable| cable.peer == peer).for_each(|cable| cable.pulled = pulled);
        })?;
    }
    let far = end(second, first)?;
    ip(second, &["link", "set", &far.interface, if pulled { "down" } else { "up" }])
}

/// Runs the host's `ip` in the network namespace of a box.
fn ip(name: &str, arguments: &[&str]) -> Result<()> {
    let leader = leader(name)?.to_string();
    output(Command::new("nsenter").args(["-t", &leader, "-n", "ip"]).args(arguments))
        .with_context(|| format!("cannot set up the link of the box `{name}`"))?;
    Ok(())
}

fn leader(name: &str) -> Result<u32> {
    let state = state::load(name)?.filter(|state| state.leader != 0 && cgroup::is_populated(name));
    Ok(state.with_context(|| format!("the box `{name}` is not up"))?.leader)
}

fn end(name: &str, peer: &str) -> Result<Cable> {
    let found = cables(name)?.into_iter().find(|cable| cable.peer == peer);
    found.with_context(|| format!("the boxes `{name}` and `{peer}` are not linked"))
}

fn cables(name: &str) -> Result<Vec<Cable>> {
    Ok(state::load(name)?.unwrap_or_default().cables)
}

fn remember(name: &str, change: impl FnOnce(&mut Vec<Cable>)) -> Result<()> {
    let Some(mut state) = state::load(name)? else { bail!("the box `{name}` is not up") };
    change(&mut state.cables);
    state::save(name, &state)
}

fn is_free(machine: &Machine, subnet: u8) -> bool {
    let start = format!("10.213.{subnet}.");
    cables(machine.name()).unwrap_or_default().iter().all(|cable| !cable.address.starts_with(&start))
}

/// Interface names have at most 15 bytes.
fn interface(hostname: &str) -> String {
    let mut name = format!("to-{hostname}");
    name.truncate(15);
    name
}

fn introduce(machine: &Machine, address: &str, hostname: &str) -> Result<()> {
    let path = format!("/proc/{}/root/etc/hosts", machine.leader()?);
    let hosts = fs::read_to_string(&path)?;
    let line = format!("{address} {hostname}");
    let others = hosts.lines().filter(|other| !other.ends_with(&format!(" {hostname}")));
    let fresh: String = others.chain([line.as_str()]).fold(String::new(), |text, line| text + line + "\n");
    if fresh != hosts {
        fs::write(&path, fresh)?;
    }
    Ok(())
}
