//! Which snapshots are kept.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decode::{Decoder, Fields, Node};
use super::scalar::number;

/// Which snapshots are kept: restic's `--keep-*` counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The last n.
    pub last: Option<u32>,
    /// One per hour, n of them.
    pub hourly: Option<u32>,
    /// One per day, n of them.
    pub daily: Option<u32>,
    /// One per week, n of them.
    pub weekly: Option<u32>,
    /// One per month, n of them.
    pub monthly: Option<u32>,
    /// One per year, n of them.
    pub yearly: Option<u32>,
}

impl Policy {
    /// Each count with its word, in restic's order.
    pub(crate) fn counts(&self) -> [(&'static str, Option<u32>); 6] {
        [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ]
    }

    /// Reads a policy; nothing when it would keep nothing, for then today's tool deletes nothing either.
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let mut f = Fields::open(node, d)?;
        let before = d.problems.len();
        let mut zero = false;
        let mut count = |key| {
            let count = f.get(key, d, number::<u32>(0, u64::from(u32::MAX)));
            zero |= count == Some(0);
            count.filter(|count| *count > 0)
        };
        let policy = Self {
            last: count("last"),
            hourly: count("hourly"),
            daily: count("daily"),
            weekly: count("weekly"),
            monthly: count("monthly"),
            yearly: count("yearly"),
        };
        let empty = policy == Self::default();
        if empty && zero && d.problems.len() == before {
            let hint = Some("write `null` for the same without this warning".to_owned());
            d.warning(f.offset(), "a policy of zeros keeps every snapshot", hint);
        }
        f.finish(d);
        (!empty).then_some(policy)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.counts().into_iter().filter_map(|(word, count)| Some(format!("{word} {}", count?)));
        f.write_str(&set.collect::<Vec<_>>().join(", "))
    }
}
