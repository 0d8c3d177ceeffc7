//! When a service counts as healthy.

use schemars::JsonSchema;
use serde::Serialize;

use super::Period;
use super::decode::{Decoder, Fields, Node};
use super::scalar::{argv, name, period, word};
use crate::names::ContainerName;

/// How long a service may take, and what proves that it is there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How long it may take to become healthy.
    pub timeout: Period,
    /// What proves it; nothing: its own health checks, or running without a restart.
    #[serde(flatten)]
    pub probe: Option<Probe>,
}

/// What proves that a service is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Probe {
    /// This URL answers 2xx or 3xx.
    Http(String),
    /// Something listens at `host:port`.
    Tcp(String),
    /// This container is healthy.
    Container(ContainerName),
    /// This argv ends with 0.
    Command(Vec<String>),
}

impl Health {
    /// The health of a service that says nothing about it.
    pub(super) const fn unsaid() -> Self {
        Self { timeout: Period::seconds(120), probe: None }
    }

    /// Reads when a service counts as healthy.
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let timeout = f.get("timeout", d, period).unwrap_or(Self::unsaid().timeout);
        let probes = [
            f.spot("http", d, url).map(|spot| (spot.offset, Probe::Http(spot.value))),
            f.spot("tcp", d, endpoint).map(|spot| (spot.offset, Probe::Tcp(spot.value))),
            f.spot("container", d, name).map(|spot| (spot.offset, Probe::Container(spot.value))),
            f.spot("command", d, argv).map(|spot| (spot.offset, Probe::Command(spot.value))),
        ];
        let mut probes = probes.into_iter().flatten();
        let probe = probes.next().map(|(_, probe)| probe);
        for (offset, _) in probes {
            d.problem(offset, "one of `http`, `tcp`, `container` and `command` is enough", None);
        }
        f.finish(d);
        Some(Self { timeout, probe })
    }
}

/// An address of the web, without a password: the file is world-readable in a Nix store.
pub(super) fn url(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let url = word(node, d)?;
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    match host {
        None | Some("") => d.refuse(node, "this is not an address such as `https://host/path`"),
        Some(host) if host.contains('@') => {
            d.refuse(node, "no user or password in an address: everyone can read this file")
        }
        Some(_) if url.contains(char::is_whitespace) => d.refuse(node, "this address has a space in it"),
        Some(_) => Some(url),
    }
}

/// `host:port`.
fn endpoint(node: Node<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let endpoint = word(node, d)?;
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match endpoint.rsplit_once(':') {
        Some((host, number)) if !host.is_empty() && !host.contains([' ', '/']) && port(number) => {
            Some(endpoint)
        }
        _ => d.refuse(node, "this is not `host:port`"),
    }
}
