//! No verb is forgotten: each has its help, a success and three failures among the snapshots, here or of the box.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::scene::Scene;

/// Where snapshots are: those of this suite, and those that take systemd and Docker.
const SNAPSHOTS: [&str; 2] = ["tests/cli/snapshots", "../../tests/tests/e2e/snapshots"];

/// Every verb that help shows, as it is typed; empty: `svc` alone.
pub(crate) fn verbs(scene: &Scene) -> Vec<String> {
    // Whoever has verbs of its own is none.
    let has_verbs = |page: &String| page.contains("\n.SH SUBCOMMANDS\n");
    let pages: Vec<(String, bool)> = pages(scene).iter().map(|page| (typed(page), has_verbs(page))).collect();
    pages.into_iter().filter(|(verb, is_group)| verb.is_empty() || !is_group).map(|(verb, _)| verb).collect()
}

/// The manual's pages.
fn pages(scene: &Scene) -> Vec<String> {
    let directory = scene.path("manual");
    scene.svc(&["man", directory.to_str().unwrap()]);
    fs::read_dir(directory).unwrap().map(|page| fs::read_to_string(page.unwrap().path()).unwrap()).collect()
}

/// What a page's synopsis says is typed after `svc`.
fn typed(page: &str) -> String {
    let synopsis = page.split("\n\\fBsvc").nth(1).unwrap();
    synopsis.split("\\fR").next().unwrap().replace("\\-", "-").trim().to_owned()
}

/// What the snapshots show of one verb.
#[derive(Default)]
struct Shown {
    has_help: bool,
    succeeds: bool,
    /// What was said on stderr, once each.
    failures: BTreeSet<String>,
}

/// What all snapshots show, by verb. In each file a line that was typed begins with `$ svc`, and what it did follows.
fn shown(verbs: &[String]) -> BTreeMap<&str, Shown> {
    let mut shown = BTreeMap::<&str, Shown>::new();
    for file in SNAPSHOTS.iter().flat_map(|directory| files(directory)) {
        let text = fs::read_to_string(file).unwrap();
        for session in text.split("\n$ svc").skip(1) {
            let (line, said) = session.split_once('\n').unwrap();
            note(shown.entry(verb_of(line, verbs)).or_default(), line, said);
        }
    }
    shown
}

fn note(shown: &mut Shown, line: &str, said: &str) {
    let has = |options: &[&str]| line.split(' ').any(|word| options.contains(&word));
    let is_good = said.starts_with("exit 0\n");
    if !is_good {
        shown.failures.extend(said.split_once("--- stderr\n").map(|(_, said)| said.to_owned()));
    } else if has(&["--help"]) {
        shown.has_help = true;
    } else if !has(&["-n", "--dry-run"]) {
        shown.succeeds = true;
    }
}

fn files(directory: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path())
}

/// The longest verb that a line begins with, options aside.
fn verb_of<'a>(line: &str, verbs: &'a [String]) -> &'a str {
    let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('-')).collect();
    let line = words.join(" ") + " ";
    let begins = |verb: &&String| line.starts_with(&format!("{verb} "));
    verbs.iter().filter(begins).max_by_key(|verb| verb.len()).map_or("", String::as_str)
}

#[test]
fn every_verb_has_its_help_a_success_and_three_failures_among_the_snapshots() {
    let verbs = verbs(&Scene::new());
    assert!(verbs.len() > 20 && verbs.contains(&"repo init".to_owned()), "{verbs:?}");
    let shown = shown(&verbs);
    let mut wanting = Vec::new();
    for verb in &verbs {
        let default = Shown::default();
        let Shown { has_help, succeeds, failures } = shown.get(verb.as_str()).unwrap_or(&default);
        if !has_help || !succeeds || failures.len() < 3 {
            wanting.push(format!(
                "svc {verb}: help {has_help}, success {succeeds}, {} different failures",
                failures.len()
            ));
        }
    }
    assert!(wanting.is_empty(), "{wanting:#?}");
}
