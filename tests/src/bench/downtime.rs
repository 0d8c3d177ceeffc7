//! How long a backup takes a service away, beside a bare stop and start, and beside the classic way.

use std::time::Duration;

use anyhow::Result;

use super::{
    figure::Figure,
    outage::{self, Outage},
    probe::{Answers, Probe},
    scene::{self, BARE, HELD, LARGE, MANY, PLAIN, SLOW, SMALL, SVC, Service},
    stopwatch::{self, Errand, Pair, Race, Words, words},
};
use crate::{Machine, crowd::PASSWORD_FILE, tool::say};

/// What svc may add to a stop and a start, in milliseconds: the median, and 19 times of 20.
const ADDED: f64 = 50.0;
const ADDED_MOSTLY: f64 = 150.0;

/// What stands beside it then.
const BARELY: &str = "stop, start";

/// A service's data saved in each way, one right after the other.
struct Round {
    svc: Outage,
    /// Stopped and started, and nothing more.
    bare: Outage,
    /// Stopped, saved by restic, started.
    classic: Option<Outage>,
}

/// Measures everything.
pub(super) fn run(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let mut figures = small(machine, pairs)?;
    figures.extend(large(machine, pairs)?);
    figures.extend(plain(machine, pairs)?);
    figures.extend(many(machine, pairs)?);
    figures.extend(held(machine, pairs)?);
    figures.push(whole(machine, pairs)?);
    Ok(figures)
}

fn small(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("a few files on btrfs");
    machine.check(&anew(SVC))?;
    let rounds = rounds(machine, &SMALL, pairs, false, "")?;
    let whole: Vec<Pair> = rounds.iter().map(|round| pair(round.svc.whole, round.bare.whole)).collect();
    let mut figures = gone_at_both("gone, few files on btrfs", &rounds);
    figures.push(Figure::longer(&format!("from the wish to stop it to its start; {BARELY}"), &whole, ADDED));
    Ok(figures)
}

fn large(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("much data on btrfs, saved for the first time");
    let first = rounds(machine, &LARGE, few(pairs), true, &first_time())?;
    say("much data on btrfs, another night");
    let change = format!(
        "head -c {}M /dev/urandom > {}/1 && sync --file-system {1}",
        scene::CHANGED_MEGABYTES,
        LARGE.path
    );
    let nightly = rounds(machine, &LARGE, pairs, true, &change)?;
    let mut figures = gone_at_both("gone, 64 MiB of 2 GiB changed on btrfs", &nightly);
    figures.push(beside_classic("added, 64 MiB of 2 GiB changed on btrfs", &nightly, 10));
    figures.push(beside_classic("added, 2 GiB on btrfs for the first time", &first, 50));
    Ok(figures)
}

fn plain(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("much data on ext4, saved for the first time");
    let rounds = rounds(machine, &PLAIN, few(pairs), true, &first_time())?;
    Ok(vec![beside_classic("added, 2 GiB on ext4 for the first time, two passes", &rounds, 4)])
}

fn many(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("thousands of files on XFS");
    machine.check(&anew(SVC))?;
    let gone = gone(&rounds(machine, &MANY, half(pairs), false, "")?);
    let what = format!("gone, {} files on XFS copied by reflinks; {BARELY}", scene::FILES);
    Ok(vec![Figure::longer_each(&what, &gone, scene::FILES, 100.0)])
}

fn held(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    say("a service that is held and not stopped");
    scene::goes_its_way(machine, &HELD)?;
    let svc = format!("svc backup local {}", HELD.name);
    let spans = (0..pairs).map(|_| Ok(outage::watch(machine, HELD.name, &svc, outage::HELD)?.1));
    let spans = spans.collect::<Result<Vec<Duration>>>()?;
    let address = HELD.address();
    let mut all = Answers::default();
    for _ in 0..half(pairs) {
        let probe = Errand::Probe(Probe { address, meanwhile: words(&svc) });
        all.add(stopwatch::send(machine, &probe)?);
    }
    let (asked, longest) = (all.asked, all.longest.as_millis());
    let what = format!("failed of {asked} requests, one each 10 ms (slowest answer: {longest} ms)");
    Ok(vec![
        Figure::longest("held, few files on btrfs", &spans, 100.0),
        Figure::amount(&what, all.failed, 0, ""),
    ])
}

/// Nothing is stopped on either side: how long containers take is no part of this.
fn whole(machine: &Machine, pairs: usize) -> Result<Figure> {
    say("a whole backup over a slow line");
    let restic = format!("{} --limit-upload {}", restic(SLOW), scene::SLOW_KILOBYTES_A_SECOND);
    let backup = format!("backup --json --tag svc:slow {}", scene::SLOW_DATA);
    let bare = ["cat config", "snapshots --json --no-lock", &backup];
    let race = Race {
        pairs: half(pairs),
        before: vec![["sh", "-c", &first_time()].map(str::to_owned).into()],
        svc: vec![words("svc backup slow slow")],
        bare: bare.iter().map(|line| words(&format!("{restic} {line}"))).collect::<Vec<Words>>(),
    };
    let pairs: Vec<Pair> = stopwatch::send(machine, &Errand::Race(race))?;
    let what = "`svc backup` over a slow line, nothing to stop; `restic cat config`, `snapshots`, `backup`";
    Ok(Figure::ratio(what, &pairs, 1.02))
}

/// How often something is measured that takes long, and that takes very long.
const fn half(pairs: usize) -> usize {
    pairs.div_ceil(2)
}

const fn few(pairs: usize) -> usize {
    pairs.div_ceil(5)
}

/// A text that names these numbers.
pub(super) fn described(text: &str, pairs: usize) -> String {
    let numbers = [("PAIRS", pairs), ("HALF", half(pairs)), ("FEW", few(pairs))];
    numbers.iter().fold(text.to_owned(), |text, (name, number)| text.replace(name, &number.to_string()))
}

/// It tells its progress as rarely as it does for svc, so that neither side prints more.
fn restic(repository: &str) -> String {
    format!("env RESTIC_PROGRESS_FPS=2 restic --repo {repository} --password-file {PASSWORD_FILE}")
}

/// An empty repository in the place of one that there may be.
fn anew(repository: &str) -> String {
    format!("rm -rf {repository} && {} init --quiet", restic(repository))
}

/// Nobody has ever saved anything.
fn first_time() -> String {
    let anew = [SVC, BARE, SLOW].map(anew).join(" && ");
    format!("rm -rf /var/lib/svc /var/cache/svc /root/.cache/restic && {anew}")
}

/// Each of the ways as often as the others, and each first as often as the others.
fn rounds(
    machine: &Machine,
    service: &Service,
    count: usize,
    with_classic: bool,
    before: &str,
) -> Result<Vec<Round>> {
    let stop_and_start = |between: &str| {
        let line = format!("docker stop {0} && {between} docker start {0}", service.name);
        settle(machine, service)?;
        outage::of_line(machine, service.name, &line)
    };
    let svc = || {
        settle(machine, service)?;
        outage::of_svc(machine, service.name)
    };
    let saved = format!("{} backup --json --tag svc:{} {} &&", restic(BARE), service.name, service.path);
    let classic = || with_classic.then(|| stop_and_start(&saved)).transpose();
    let round = |number| {
        machine.check(before)?;
        scene::goes_its_way(machine, service)?;
        Ok(match number % 3 {
            0 => Round { svc: svc()?, bare: stop_and_start("")?, classic: classic()? },
            1 => Round { bare: stop_and_start("")?, classic: classic()?, svc: svc()? },
            _ => Round { classic: classic()?, svc: svc()?, bare: stop_and_start("")? },
        })
    };
    (0..count).map(round).collect()
}

/// What the one before has left to be written would be in the way of the next.
fn settle(machine: &Machine, service: &Service) -> Result<()> {
    machine.check(&format!("sync --file-system {} /srv", service.path))?;
    Ok(())
}

fn pair(svc: Duration, bare: Duration) -> Pair {
    Pair { svc, bare }
}

fn gone(rounds: &[Round]) -> Vec<Pair> {
    rounds.iter().map(|round| pair(round.svc.gone, round.bare.gone)).collect()
}

fn gone_at_both(what: &str, rounds: &[Round]) -> Vec<Figure> {
    let gone = gone(rounds);
    vec![
        Figure::longer(&format!("{what}, p50; {BARELY}"), &gone, ADDED),
        Figure::mostly_longer(&format!("{what}, p95; {BARELY}"), &gone, ADDED_MOSTLY),
    ]
}

/// What each way adds to a stop and a start.
fn beside_classic(what: &str, rounds: &[Round], part: u32) -> Figure {
    let added = |round: &Round, way: Outage| way.gone.saturating_sub(round.bare.gone);
    let of_round = |round: &Round| Some(pair(added(round, round.svc), added(round, round.classic?)));
    let pairs: Vec<Pair> = rounds.iter().filter_map(of_round).collect();
    Figure::part(&format!("{what}; stop, `restic backup`, start"), &pairs, part)
}
