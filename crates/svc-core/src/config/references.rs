//! Names in the file that mean something elsewhere in it: looked up once all of it is read.

use std::collections::{HashMap, HashSet};

use super::Config;
use super::decode::{Decoder, Spotted};
use super::suggest::did_you_mean;
use crate::names::{RepositoryName, ServiceName, shown};

/// The references met so far.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Each `after`: whose it is, whom it names, where.
    after: Vec<(String, Spotted<ServiceName>)>,
    repositories: Vec<Spotted<RepositoryName>>,
    /// Where each service's `restore.tag` is.
    restore_tags: HashMap<String, usize>,
}

impl References {
    /// Remembers the services after which this one starts.
    pub(super) fn after(&mut self, service: &str, names: &[Spotted<ServiceName>]) {
        self.after.extend(names.iter().map(|name| (service.to_owned(), name.clone())));
    }

    /// Remembers repositories that a service names.
    pub(super) fn repositories(&mut self, names: &[Spotted<RepositoryName>]) {
        self.repositories.extend_from_slice(names);
    }

    /// Remembers where a service's restore tag is.
    pub(super) fn restore_tag(&mut self, service: &str, offset: usize) {
        self.restore_tags.insert(service.to_owned(), offset);
    }
}

/// Notes every reference that leads nowhere, in a circle, or to more than one.
pub(super) fn check(config: &Config, d: &mut Decoder<'_>) {
    let references = std::mem::take(&mut d.references);
    for (_, name) in &references.after {
        if !config.services.contains_key(&name.value) {
            unknown(
                "service",
                name.value.as_str(),
                name.offset,
                config.services.keys().map(ServiceName::as_str),
                d,
            );
        }
    }
    for name in &references.repositories {
        // Where there is none at all, that is the problem, not each name.
        if !config.repositories.is_empty() && !config.repositories.contains_key(&name.value) {
            let known = config.repositories.keys().map(RepositoryName::as_str);
            unknown("repository", name.value.as_str(), name.offset, known, d);
        }
    }
    note_cycles(config, &references, d);
    warn_of_shared_tags(config, &references, d);
}

fn unknown<'c>(
    kind: &str,
    name: &str,
    offset: usize,
    known: impl Iterator<Item = &'c str>,
    d: &mut Decoder<'_>,
) {
    let hint = if d.problems.is_full() { None } else { did_you_mean(name, known) };
    d.problem(offset, format!("there is no {kind} `{name}`"), hint);
}

/// Notes each circle in `after` once. Peels off whatever can start until only circles and what waits for them is
/// left, then walks along; needs no stack however long the chain.
fn note_cycles(config: &Config, references: &References, d: &mut Decoder<'_>) {
    let mut waits: HashMap<&str, Vec<&Spotted<ServiceName>>> = HashMap::new();
    let mut awaited_by: HashMap<&str, Vec<&str>> = HashMap::new();
    for (service, name) in &references.after {
        if config.services.contains_key(service.as_str()) && config.services.contains_key(&name.value) {
            waits.entry(service).or_default().push(name);
            awaited_by.entry(name.value.as_str()).or_default().push(service);
        }
    }
    let stuck = stuck(config, &waits, &awaited_by);
    let mut walked: HashSet<&str> = HashSet::new();
    for start in config.services.keys().map(ServiceName::as_str).filter(|name| stuck.contains(name)) {
        let mut path: Vec<(&str, usize)> = Vec::new();
        let mut at = start;
        while walked.insert(at) {
            let Some(next) =
                waits.get(at).and_then(|names| names.iter().find(|name| stuck.contains(name.value.as_str())))
            else {
                break;
            };
            path.push((at, next.offset));
            at = next.value.as_str();
        }
        if let Some(from) = path.iter().position(|(name, _)| *name == at) {
            note_cycle(path.get(from..).unwrap_or_default(), d);
        }
    }
}

/// The services that can never start, because they wait for a circle.
fn stuck<'c>(
    config: &'c Config,
    waits: &HashMap<&str, Vec<&Spotted<ServiceName>>>,
    awaited_by: &HashMap<&str, Vec<&'c str>>,
) -> HashSet<&'c str> {
    let count = |name: &str| waits.get(name).map_or(0, Vec::len);
    let names = || config.services.keys().map(ServiceName::as_str);
    let mut left: HashMap<&str, usize> = names().map(|name| (name, count(name))).collect();
    let mut ready: Vec<&str> = names().filter(|name| count(name) == 0).collect();
    let mut stuck: HashSet<&str> = names().collect();
    while let Some(name) = ready.pop() {
        stuck.remove(name);
        for waiting in awaited_by.get(name).into_iter().flatten() {
            if let Some(left) = left.get_mut(waiting) {
                *left -= 1;
                if *left == 0 {
                    ready.push(waiting);
                }
            }
        }
    }
    stuck
}

fn note_cycle(cycle: &[(&str, usize)], d: &mut Decoder<'_>) {
    let [(first, offset), ..] = cycle else { return };
    let names: Vec<&str> = cycle.iter().map(|(name, _)| *name).collect();
    let message = match names.as_slice() {
        [_] => format!("`{first}` cannot start after itself"),
        names => format!("services wait for each other in a circle: {} → {first}", names.join(" → ")),
    };
    d.problem(*offset, message, None);
}

/// Snapshots from before svc carry only plain tags. Where one tag is used by two services, nobody can tell whose
/// they are, so they are not expired; the owner should know.
fn warn_of_shared_tags(config: &Config, references: &References, d: &mut Decoder<'_>) {
    let mut users: HashMap<&str, Vec<&ServiceName>> = HashMap::new();
    for service in config.services.values() {
        let mut tags: Vec<&String> = service.backup.tags.iter().chain(&service.restore.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        for tag in tags {
            users.entry(tag).or_default().push(&service.name);
        }
    }
    for service in config.services.values() {
        let Some(tag) = &service.restore.tag else { continue };
        let Some(&offset) = references.restore_tags.get(service.name.as_str()) else { continue };
        let other = users.get(tag.as_str()).into_iter().flatten().find(|other| **other != &service.name);
        if let Some(other) = other {
            let message = format!("tag `{}` is also used by service `{other}`", shown(tag));
            let hint = "snapshots from before svc that carry it are never expired: they could be either's";
            d.warning(offset, message, Some(hint.to_owned()));
        } else if service.backup.enable && !service.backup.tags.contains(tag) {
            let message = format!("`restore.tag` `{}` is not among `backup.tags`", shown(tag));
            let hint =
                "snapshots from before svc carry the tags in `backup.tags`: these are found by none of them";
            d.warning(offset, message, Some(hint.to_owned()));
        }
    }
}
