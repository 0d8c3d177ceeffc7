//! What a backup may take of the machine.

use jsonc_parser::ast::Value;
use schemars::JsonSchema;
use serde::Serialize;

use super::decode::{Decoder, Fields, Node};
use super::scalar::{number, one_of};

/// How far restic steps back while it saves and forgets, unless a service is down for it, and how much memory a backup's unit
/// may use, a timer's as well. systemd's own words; `ioClass` and `ioPriority` need `ionice`, of util-linux.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How much it steps back for others that want to compute: 0 to 19.
    #[schemars(range(max = 19))]
    pub nice: u8,
    /// Which class its reading and writing is in.
    pub io_class: IoClass,
    /// Its place in that class: 0 first, 7 last.
    #[schemars(range(max = 7))]
    pub io_priority: u8,
    /// From here on it is slowed down, in MiB; nothing: never.
    #[schemars(range(min = 1))]
    pub memory_high: Option<u32>,
    /// It gets no more than this, in MiB; nothing: no limit. restic needs about 1 GiB for 10 million files.
    #[schemars(range(min = 64))]
    pub memory_max: Option<u32>,
}

/// A class of reading and writing, as the kernel's schedulers know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IoClass {
    /// Among the others, by priority.
    BestEffort,
    /// Only when nobody else wants to.
    Idle,
}

/// svc and restic need about so many MiB to begin.
const LEAST_MEMORY: u32 = 64;

const IO_CLASS: [(&str, IoClass); 2] = [("best-effort", IoClass::BestEffort), ("idle", IoClass::Idle)];

impl Default for Limits {
    fn default() -> Self {
        Self { nice: 10, io_class: IoClass::BestEffort, io_priority: 7, memory_high: None, memory_max: None }
    }
}

impl Limits {
    pub(super) fn decode(node: Node<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let default = Self::default();
        let mut f = Fields::open(node, d)?;
        let nice = f.get("nice", d, number(0, 19)).unwrap_or(default.nice);
        let io_class = f.get("ioClass", d, one_of(&IO_CLASS)).unwrap_or(default.io_class);
        let io_priority = f.get("ioPriority", d, number(0, 7)).unwrap_or(default.io_priority);
        let high = f.spot("memoryHigh", d, |node, d| mebibytes(node, 1, d));
        let memory_max = f.get("memoryMax", d, |node, d| mebibytes(node, LEAST_MEMORY, d));
        f.finish(d);
        if let Some((high, max)) = high.as_ref().zip(memory_max).filter(|(high, max)| high.value > *max) {
            let message = format!("this is more than `memoryMax`, {max}: it would be ended, not slowed down");
            d.problem(
                high.offset,
                message,
                Some("make it less than `memoryMax`, or leave it out".to_owned()),
            );
        }
        Some(Self { nice, io_class, io_priority, memory_high: high.map(|high| high.value), memory_max })
    }
}

fn mebibytes(node: Node<'_>, least: u32, d: &mut Decoder<'_>) -> Option<u32> {
    match node {
        Value::StringLit(_) => {
            d.refuse_hinting(node, "a number of MiB belongs here, not a text", "2 GiB are `2048`")
        }
        node => match number(1, u64::from(u32::MAX))(node, d)? {
            little if little < least => d.refuse_hinting(
                node,
                format!("less than {least} MiB are too little for restic"),
                "it is in MiB: 2 GiB are `2048`",
            ),
            enough => Some(enough),
        },
    }
}
