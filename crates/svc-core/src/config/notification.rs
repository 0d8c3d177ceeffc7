//! Who is told what.

use schemars::JsonSchema;
use serde::Serialize;

use super::decode::{Decoder, Fields, Node, values};
use super::health::url;
use super::scalar::{argv, one_of};

/// Somebody to tell, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The occasions; failure and overdue unless set.
    pub on: Vec<Occasion>,
    /// How it is told.
    #[serde(flatten)]
    pub channel: Channel,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// Where to post to.
    Url(String),
    /// What to run: argv, no shell.
    Command(Vec<String>),
}

/// What somebody can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Occasion {
    /// A run did not end well.
    Failure,
    /// A run ended well.
    Success,
    /// A service's last good snapshot is too old.
    Overdue,
    /// A run that was cut off has been put right.
    Recovered,
}

const OCCASIONS: [(&str, Occasion); 4] = [
    ("failure", Occasion::Failure),
    ("success", Occasion::Success),
    ("overdue", Occasion::Overdue),
    ("recovered", Occasion::Recovered),
];

impl Notification {
    /// Reads who is told what.
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let said = f.node("on").is_some();
        let on = values(f.set("on", d, one_of(&OCCASIONS)));
        let written = (f.node("url").is_some(), f.node("command").is_some());
        let url = f.get("url", d, url).map(Channel::Url);
        let command = f.get("command", d, argv).map(Channel::Command);
        match written {
            (true, true) => d.problem(f.offset(), "a notification has `url` or `command`, not both", None),
            (false, false) => d.problem(f.offset(), "a notification needs `url` or `command`", None),
            (true, false) | (false, true) => {}
        }
        f.finish(d);
        let on = if said { on } else { vec![Occasion::Failure, Occasion::Overdue] };
        url.or(command).map(|channel| Self { on, channel })
    }
}
