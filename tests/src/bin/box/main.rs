//! `cargo box`: boxes by hand.

mod args;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use svc_tests::{
    Homeserver, Machine, bench,
    databases::Databases,
    homeserver::{self, Still, Way},
    host,
    kills::{Campaign, Dice, Summary},
    lease, link, machine, say,
    store::Store,
    svc,
    template::Template,
    tree,
};

use args::{Cli, DatabasesArgs, FaultsArgs, InArgs, OneArgs, Origin, PairArgs, SomeArgs, UpArgs, Verb};

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    match &verb {
        Verb::Stopwatch => return bench::stopwatch().map(|()| ExitCode::SUCCESS),
        Verb::Serve(args) => return bench::serve(args.address, &args.file).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    // Who is not root yet may still be asked for a password.
    if let Some(reason) = host::boxes_unavailable().filter(|_| host::is_root() || !cfg!(target_os = "linux"))
    {
        bail!(reason);
    }
    let wants_svc = match &verb {
        Verb::Up(args) => args.name.is_none() || matches!(args.from, Origin::Home),
        verb => matches!(verb, Verb::Reset(_) | Verb::Faults(_)),
    };
    // Built before this becomes root's process, so that the files in the target directory stay the user's.
    let svc = match verb {
        Verb::Bench(_) => Some(svc::released()?),
        _ => wants_svc.then(svc::binary).transpose()?,
    };
    host::become_root(svc.as_deref())?;
    host::ensure_packages()?;
    if matches!(verb, Verb::Purge) {
        Store::purge()?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = Arc::new(Store::open()?);
    if let (Verb::Bench(args), Some(svc)) = (&verb, &svc) {
        let all_hold = bench::run(&store, svc, &args.name, args.subject, args.pairs)?;
        return Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    execute(verb, &store)
}

fn execute(verb: Verb, store: &Arc<Store>) -> Result<ExitCode> {
    match verb {
        Verb::Up(UpArgs { name: None, .. }) => up_homeserver(store)?,
        Verb::Up(UpArgs { name: Some(name), from }) => up(&mut made(store, &name, from)?)?,
        Verb::Down(args) => {
            for name in named(store, args)? {
                find(store, &name)?.down()?;
            }
            lease::clear_abandoned(store)?;
        }
        Verb::Reset(OneArgs { name }) => reset(store, &name)?,
        Verb::PowerCut(OneArgs { name }) => find(store, &name)?.power_cut()?,
        Verb::In(InArgs { machine: OneArgs { name }, command }) => {
            return enter(&find(store, &name)?, &command);
        }
        Verb::Shell(OneArgs { name }) => return shell(&find(store, &name)?),
        Verb::Status => status(store)?,
        Verb::Link(PairArgs { first, second }) => join(&find(store, &first)?, &find(store, &second)?)?,
        Verb::Cut(PairArgs { first, second }) => link::cut(&first, &second)?,
        Verb::Delete(args) => {
            for name in named(store, args)? {
                machine::delete(store, &name)?;
            }
        }
        Verb::Faults(args) => return faults(&args),
        Verb::Databases(args) => return copies(&args),
        Verb::Bench(_) | Verb::Stopwatch | Verb::Serve(_) | Verb::Purge => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends with a failure when anything is not as it must be. A homeserver for each way takes a quarter of the kills.
fn faults(args: &FaultsArgs) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut dice = Dice::new(args.seed);
    let mut outcomes = Vec::new();
    for (index, way) in Way::ALL.into_iter().enumerate() {
        let share = (args.kills + index) / Way::ALL.len();
        if share == 0 {
            continue;
        }
        let mut campaign = Campaign::begin(Homeserver::lease()?, way)?.forget_old_ones()?;
        campaign.kill_some(&mut dice, share, None, |outcome| {
            writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
            outcomes.push(outcome);
            Ok(())
        })?;
    }
    let summary = Summary::of(&outcomes);
    say(&serde_json::to_string(&summary)?);
    Ok(if summary.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn copies(args: &DatabasesArgs) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut is_good = true;
    for way in Way::ALL {
        let databases = Databases::begin(Homeserver::lease()?, way)?;
        for still in [Still::Stop, Still::Pause] {
            for _ in 0..args.rounds {
                let round = databases.round(still)?;
                is_good &= round.violations.is_empty();
                writeln!(out, "{}", serde_json::to_string(&round)?)?;
            }
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Links two boxes; a link that there is was cut, perhaps, and is put back.
fn join(first: &Machine, second: &Machine) -> Result<()> {
    link::restore(first.name(), second.name()).or_else(|_| link::link(first, second))
}

fn up_homeserver(store: &Arc<Store>) -> Result<()> {
    let mut vault = made(store, "vault", Origin::Vault)?;
    let mut home = made(store, "home", Origin::Home)?;
    up(&mut vault)?;
    up(&mut home)?;
    join(&home, &vault)?;
    say("`cargo box shell` looks into `home`; `cargo box down` switches both off");
    Ok(())
}

fn up(machine: &mut Machine) -> Result<()> {
    if machine.is_up() {
        say(&format!("`{}` is up already", machine.name()));
        return Ok(());
    }
    let started = Instant::now();
    if machine.origin() == Some("home") {
        svc::install(machine.disks())?;
    }
    machine.up()?;
    let failed = machine.failed_units()?;
    let state =
        if failed.is_empty() { "running".to_owned() } else { format!("degraded: {}", failed.join(" ")) };
    say(&format!("`{}` is {state} ({:.1} s)", machine.name(), started.elapsed().as_secs_f32()));
    Ok(())
}

/// Finds a box, or makes it.
fn made(store: &Arc<Store>, name: &str, origin: Origin) -> Result<Machine> {
    if let Some(machine) = Machine::open(store, name)? {
        return Ok(machine);
    }
    if lease::is_of_tests(name) {
        bail!("names that begin with `slot` or `build-` are those of the tests' boxes");
    }
    Machine::create(store, name, &template(store, origin)?)
}

fn template(store: &Arc<Store>, origin: Origin) -> Result<Template> {
    match origin {
        Origin::Pristine => tree::pristine(store),
        Origin::Home => Ok(homeserver::templates(store)?.home),
        Origin::Vault => Ok(homeserver::templates(store)?.vault),
    }
}

fn find(store: &Arc<Store>, name: &str) -> Result<Machine> {
    Machine::open(store, name)?.with_context(|| format!("there is no box `{name}`; `cargo box up` makes one"))
}

/// The boxes that are meant, those of them that are there.
fn named(store: &Store, args: SomeArgs) -> Result<Vec<String>> {
    if let Some(name) = args.name {
        return Ok(vec![name]);
    }
    let is_meant = |name: &String| {
        if args.all { !lease::is_of_tests(name) } else { name == "home" || name == "vault" }
    };
    Ok(store.boxes()?.into_iter().filter(is_meant).collect())
}

fn reset(store: &Arc<Store>, name: &str) -> Result<()> {
    let old = find(store, name)?;
    let was_up = old.is_up();
    let origin = match old.origin() {
        Some("home") => Origin::Home,
        Some("vault") => Origin::Vault,
        _ => Origin::Pristine,
    };
    drop(old);
    let peers = link::peers(name)?;
    let mut fresh = Machine::create(store, name, &template(store, origin)?)?;
    if was_up {
        up(&mut fresh)?;
        for (peer, _) in peers {
            link::link(&fresh, &find(store, &peer)?)?;
        }
    }
    Ok(())
}

fn enter(machine: &Machine, command: &[OsString]) -> Result<ExitCode> {
    let code = machine.program(command)?.attach()?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// On a terminal the shell gets one of the box's own, so that job control works.
fn shell(machine: &Machine) -> Result<ExitCode> {
    let terminal = ["script", "-qec", "bash -l", "/dev/null"].map(OsString::from);
    let plain = ["bash", "-l"].map(OsString::from);
    if io::stdin().is_terminal() { enter(machine, &terminal) } else { enter(machine, &plain) }
}

fn status(store: &Arc<Store>) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:<24}{:<12}{:<10}LINKS", "NAME", "STATE", "LEADER")?;
    for name in store.boxes()? {
        let machine = find(store, &name)?;
        let (state, leader) = if machine.is_up() {
            let state = machine.run("systemctl is-system-running")?.stdout.trim().to_owned();
            (state, machine.leader()?.to_string())
        } else {
            ("down".to_owned(), "-".to_owned())
        };
        writeln!(out, "{name:<24}{state:<12}{leader:<10}{}", links(&name)?)?;
    }
    Ok(())
}

fn links(name: &str) -> Result<String> {
    let shown = |(peer, is_cut)| if is_cut { format!("{peer} (cut)") } else { peer };
    Ok(link::peers(name)?.into_iter().map(shown).collect::<Vec<_>>().join(" "))
}
