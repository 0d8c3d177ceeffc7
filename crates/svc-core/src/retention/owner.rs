//! Whose a snapshot is, as far as forgetting goes: in doubt nobody's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::names::ServiceName;
use crate::restic::Snapshot;

/// What svc's own tags begin with.
const OWN: &str = "svc:";

/// What tells a service's snapshots from all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The service.
    pub service: ServiceName,
    /// The host that its snapshots are filed under.
    pub host: String,
    /// The tag of its snapshots from before svc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_tag: Option<String>,
    /// What an old snapshot of it may carry besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The service that has the old tag, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<ServiceName>,
    /// Tags that make an old snapshot another service's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
}

/// Whose a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The service's, made by svc.
    Own,
    /// The service's, from before svc.
    Old,
    /// Perhaps the service's, for this reason not certainly: it is left alone and named.
    Doubtful(String),
    /// Somebody else's.
    Foreign,
}

impl Owner {
    /// What tells this service's snapshots.
    #[must_use]
    pub fn of(config: &Config, name: &ServiceName) -> Option<Self> {
        let service = config.services.get(name)?;
        let old_tag = service.restore.tag.clone();
        let others = || config.services.values().filter(|other| other.name != *name);
        let shares = |tag: &String| {
            let has = |other: &&crate::config::Service| {
                other.restore.tag.as_ref() == Some(tag) || other.backup.tags.contains(tag)
            };
            others().find(has).map(|other| other.name.clone())
        };
        Some(Self {
            service: name.clone(),
            host: config.host.clone(),
            shared_with: old_tag.as_ref().and_then(shares),
            old_tag,
            tags: service.backup.tags.clone(),
            foreign: others().filter_map(|other| other.restore.tag.clone()).collect(),
        })
    }

    /// The tag that svc gives the service's snapshots.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{OWN}{}", self.service)
    }

    /// Whose a snapshot is.
    #[must_use]
    pub fn whose(&self, snapshot: &Snapshot) -> Whose {
        if snapshot.host != self.host {
            return Whose::Foreign;
        }
        let identity = self.identity();
        let mut marks = snapshot.tags.iter().filter(|tag| tag.starts_with(OWN));
        match marks.next() {
            None => self.whose_old(snapshot),
            Some(_) if !snapshot.has_tag(&identity) => Whose::Foreign,
            Some(_) if snapshot.tags.iter().any(|tag| tag.starts_with(OWN) && *tag != identity) => {
                Whose::Doubtful("it carries the tag of another service, too".to_owned())
            }
            Some(_) => Whose::Own,
        }
    }

    fn whose_old(&self, snapshot: &Snapshot) -> Whose {
        let Some(old) = self.old_tag.as_ref().filter(|tag| snapshot.has_tag(tag)) else {
            return Whose::Foreign;
        };
        if let Some(other) = &self.shared_with {
            return Whose::Doubtful(format!("its tag `{old}` is one of `{other}`, too"));
        }
        let is_strange =
            |tag: &&String| *tag != old && (self.foreign.contains(tag) || !self.tags.contains(tag));
        match snapshot.tags.iter().find(is_strange) {
            Some(tag) => Whose::Doubtful(format!("its tag `{tag}` is not one of `{}`", self.service)),
            None => Whose::Old,
        }
    }
}
