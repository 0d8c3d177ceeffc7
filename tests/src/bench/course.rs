//! What is measured, one after the other.

use anyhow::{Context as _, Result, ensure};

use super::{
    figure::Figure,
    stopwatch::{self, Errand, Pair, Race, words},
};
use crate::{
    Machine, counter,
    crowd::{PASSWORD_FILE, REPOSITORY, TREE as FILES_OF_TREE},
    processes,
    tool::say,
};

/// How many files a backup reads.
pub(super) const FILES: usize = 20_000;
/// A configuration of a hundred services: what `svc list` shows.
pub(super) const HUNDRED: &str = "/etc/svc/services.json";
/// A configuration of a thousand.
pub(super) const THOUSAND: &str = "/etc/svc/thousand.json";
/// A configuration of one service with very many files.
pub(super) const TREE: &str = "/etc/svc/tree.json";

/// What takes milliseconds is measured so much more often.
const SHORT: usize = 5;

/// As it is called everywhere but on a path with busybox, which has a `svc` of its own.
const SVC: &str = "/usr/local/bin/svc";

/// Measures everything.
pub(super) fn run(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let mut figures = list(machine, pairs)?;
    figures.extend(small_ones(machine, pairs)?);
    figures.extend(backup(machine, pairs)?);
    Ok(figures)
}

fn list(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("`svc list`");
    let bare = ["systemctl list-units --type=service --all", "docker ps -a"];
    let times = race(machine, pairs * SHORT, "list", &bare)?;
    let (cost, output) = counter::cost(machine, "svc list")?;
    ensure!(output.stdout.matches("running").count() >= 100, "not everything runs:\n{}", output.stdout);
    let kilobytes = peak(machine, "list")?;
    Ok(vec![
        Figure::ratio(
            "`svc list` of 50 units and 50 containers; `systemctl list-units` and `docker ps -a`",
            &times,
            0.6,
        ),
        Figure::amount("its requests to Docker", cost.requests.len(), 2, ""),
        Figure::amount("its waits for the bus", cost.waits, 3, ""),
        Figure::amount("its memory at most", kilobytes.div_ceil(1000), 15, " MB"),
    ])
}

/// The most memory that it has at once.
fn peak(machine: &Machine, words: &str) -> Result<usize> {
    let said = machine.run(&format!("busybox time -v {SVC} {words} > /dev/null"))?.stderr;
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Maximum resident set size (kbytes): "));
    line.and_then(|number| number.parse().ok()).with_context(|| format!("no memory in\n{said}"))
}

fn small_ones(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("`svc --version`, `svc config check`");
    let pairs = pairs * SHORT;
    let version = race(machine, pairs, "--version", &["systemctl --version"])?;
    let check = race(machine, pairs, &format!("config check -c {THOUSAND}"), &[&format!("jq . {THOUSAND}")])?;
    Ok(vec![
        Figure::ratio("`svc --version`; `systemctl --version`", &version, 1.0),
        Figure::within("`svc config check` of 1000 services; `jq .`", &check, 10.0),
    ])
}

fn backup(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("`svc backup`");
    let svc = format!("backup local tree -c {TREE}");
    // Makes the first snapshot and svc's own files.
    machine.check(&format!("{SVC} {svc}"))?;
    let (ran, output) = processes::started(machine, &format!("{SVC} {svc}"), "restic")?;
    ensure!(output.code == 0, "{output}");
    // It tells its progress as rarely as it does for svc, so that neither side prints more.
    let restic = format!(
        "env RESTIC_PROGRESS_FPS=2 restic --repo {REPOSITORY} --password-file {PASSWORD_FILE} --cache-dir /var/cache/svc/restic"
    );
    let times = race(
        machine,
        pairs,
        &svc,
        &[
            &format!("{restic} cat config"),
            &format!("{restic} snapshots --json --no-lock"),
            &format!(
                "{restic} backup --json --tag tree --tag svc:tree {FILES_OF_TREE} /var/lib/svc/manifests/tree.json"
            ),
        ],
    )?;
    Ok(vec![
        Figure::longer(
            "`svc backup` of 20 000 unchanged files; `restic cat config`, `snapshots`, `backup`",
            &times,
            100.0,
        ),
        Figure::amount("its processes of restic", ran.len(), 3, ""),
    ])
}

/// Runs svc with these words and these commands in turn.
fn race(machine: &Machine, pairs: usize, svc: &str, bare: &[&str]) -> Result<Vec<Pair>> {
    let svc = vec![words(&format!("{SVC} {svc}"))];
    let race = Race { pairs, before: Vec::new(), svc, bare: bare.iter().map(|line| words(line)).collect() };
    stopwatch::send(machine, &Errand::Race(race))
}
