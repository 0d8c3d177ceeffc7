//! How long a backup takes a service away, beside a bare stop and start, and beside the classic way.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    figure::Figure,
    outage::{self, Outage},
    page,
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

type Scene = fn(&Machine, usize) -> Result<Vec<Figure>>;

/// What is measured, one after the other.
const SCENES: [(&str, Scene); 7] = [
    ("a few files on btrfs", small),
    ("much data on btrfs, saved for the first time", first),
    ("much data on btrfs, another night", nightly),
    ("much data on ext4, saved for the first time", plain),
    ("thousands of files on XFS", many),
    ("a service that is held and not stopped", held),
    ("a whole backup over a slow line", whole),
];

/// Measures everything. What cannot be measured is a figure, too: half an hour's others are not lost over it.
pub(super) fn run(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (what, measure) in SCENES {
        say(what);
        let measured = measure(machine, pairs);
        let measured = measured.unwrap_or_else(|error| {
            say(&format!("error: {error:#}"));
            vec![Figure::unmeasured(what)]
        });
        page::show(&measured)?;
        figures.extend(measured);
    }
    Ok(figures)
}

fn small(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    machine.check(&anew(SVC))?;
    let rounds = rounds(machine, &SMALL, twice(pairs), false, "")?;
    let whole: Vec<Pair> = rounds.iter().map(|round| pair(round.svc.whole, round.bare.whole)).collect();
    let mut figures = at_both("gone, few files on btrfs", &gone(&rounds));
    figures.extend(at_both("from the wish to stop it to its start", &whole));
    Ok(figures)
}

fn first(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let first = rounds(machine, &LARGE, few(pairs), true, &first_time())?;
    let mut figures = at_both("gone, 2 GiB on btrfs for the first time", &gone(&first));
    figures.push(beside_classic("added, 2 GiB on btrfs for the first time", &first, 50));
    Ok(figures)
}

fn nightly(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let change = format!(
        "head -c {}M /dev/urandom > {}/1 && sync --file-system {1}",
        scene::CHANGED_MEGABYTES,
        LARGE.path
    );
    let nightly = rounds(machine, &LARGE, pairs, true, &change)?;
    let mut figures = at_both("gone, 64 MiB of 2 GiB changed on btrfs", &gone(&nightly));
    figures.push(beside_classic("added, 64 MiB of 2 GiB changed on btrfs", &nightly, 10));
    Ok(figures)
}

fn plain(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    let rounds = rounds(machine, &PLAIN, few(pairs), true, &first_time())?;
    Ok(vec![beside_classic("added, 2 GiB on ext4 for the first time, two passes", &rounds, 4)])
}

fn many(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
    machine.check(&anew(SVC))?;
    let gone = gone(&rounds(machine, &MANY, half(pairs), false, "")?);
    let what = format!("gone, {} files on XFS copied by reflinks; {BARELY}", scene::FILES);
    Ok(vec![Figure::longer_each(&what, &gone, scene::FILES, 100.0)])
}

fn held(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
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
fn whole(machine: &Machine, pairs: usize) -> Result<Vec<Figure>> {
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
    Ok(vec![Figure::ratio(what, &pairs, 1.02)])
}

/// How often something is measured of which one of twenty counts, that takes long, and that takes very long.
const fn twice(pairs: usize) -> usize {
    pairs * 2
}

const fn half(pairs: usize) -> usize {
    pairs.div_ceil(2)
}

/// So that each of the ways has each place equally often.
const fn few(pairs: usize) -> usize {
    pairs.div_ceil(5).next_multiple_of(ORDERS.len())
}

/// A text that names these numbers.
pub(super) fn described(text: &str, pairs: usize) -> String {
    let numbers = [("PAIRS", pairs), ("TWICE", twice(pairs)), ("HALF", half(pairs)), ("FEW", few(pairs))];
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svc,
    Bare,
    Classic,
}

/// In which order the ways follow each other: what one leaves to be done meets each of the others alike.
const ORDERS: [[Kind; 3]; 6] = [
    [Kind::Svc, Kind::Bare, Kind::Classic],
    [Kind::Bare, Kind::Svc, Kind::Classic],
    [Kind::Classic, Kind::Svc, Kind::Bare],
    [Kind::Bare, Kind::Classic, Kind::Svc],
    [Kind::Svc, Kind::Classic, Kind::Bare],
    [Kind::Classic, Kind::Bare, Kind::Svc],
];

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
    let go = |kind| match kind {
        Kind::Svc => svc(),
        Kind::Bare => stop_and_start(""),
        Kind::Classic => stop_and_start(&saved),
    };
    let round = |order: &[Kind; 3]| {
        machine.check(before)?;
        scene::goes_its_way(machine, service)?;
        let ways = order.iter().filter(|kind| with_classic || **kind != Kind::Classic);
        let measured = ways.map(|kind| Ok((*kind, go(*kind)?))).collect::<Result<Vec<_>>>()?;
        let of = |wanted| measured.iter().find(|(kind, _)| *kind == wanted).map(|(_, outage)| *outage);
        let both = of(Kind::Svc).zip(of(Kind::Bare)).context("a way was not measured")?;
        Ok(Round { svc: both.0, bare: both.1, classic: of(Kind::Classic) })
    };
    ORDERS.iter().cycle().take(count).map(round).collect()
}

/// What the one before has left to be done or written would be in the way of the next.
fn settle(machine: &Machine, service: &Service) -> Result<()> {
    machine.check(&format!(
        "timeout 60 sh -c 'while systemctl list-jobs --no-legend svc-\\* | grep -q .; do :; done'
         sync --file-system {0} /srv
         # What is deleted goes with the next commit only, half a minute later.
         if [ $(stat -f -c %T {0}) = btrfs ]; then btrfs filesystem sync /srv/btrfs; btrfs subvolume sync /srv/btrfs >&2; fi",
        service.path
    ))?;
    Ok(())
}

fn pair(svc: Duration, bare: Duration) -> Pair {
    Pair { svc, bare }
}

fn gone(rounds: &[Round]) -> Vec<Pair> {
    rounds.iter().map(|round| pair(round.svc.gone, round.bare.gone)).collect()
}

fn at_both(what: &str, pairs: &[Pair]) -> Vec<Figure> {
    vec![
        Figure::longer(&format!("{what}, p50; {BARELY}"), pairs, ADDED),
        Figure::mostly_longer(&format!("{what}, p95; {BARELY}"), pairs, ADDED_MOSTLY),
    ]
}

/// What each way adds to a stop and a start.
fn beside_classic(what: &str, rounds: &[Round], part: u32) -> Figure {
    let added = |round: &Round, way: Outage| way.gone.saturating_sub(round.bare.gone);
    let of_round = |round: &Round| Some(pair(added(round, round.svc), added(round, round.classic?)));
    let pairs: Vec<Pair> = rounds.iter().filter_map(of_round).collect();
    Figure::part(&format!("{what}; stop, `restic backup`, start"), &pairs, part)
}
