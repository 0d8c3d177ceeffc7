//! A job from its request to its end. "Started" means that *our* job is gone from the manager's queue, and how.

use std::os::fd::{AsFd, OwnedFd};

use zbus::message::Message;
use zbus::{Fd, OwnedObjectPath, Variant};

use super::link::Link;
use super::{JobVerb, TransientUnit};
use crate::names::UnitName;

/// How a job ended, in systemd's own word: `done`, `failed`, `canceled` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobResult(pub(super) String);

impl JobResult {
    /// Whether the unit is now what was asked for. Words of newer versions are not.
    pub(super) fn is_good(&self) -> bool {
        matches!(self.0.as_str(), "done" | "skipped")
    }
}

/// One `JobRemoved` signal.
struct Removed {
    sender: Option<String>,
    job: OwnedObjectPath,
    result: JobResult,
}

impl Removed {
    /// Nothing for a message of another shape.
    fn read(message: &Message) -> Option<Self> {
        let (_, job, _, result) =
            message.body().deserialize::<(u32, OwnedObjectPath, String, String)>().ok()?;
        Some(Self { sender: sender(message), job, result: JobResult(result) })
    }

    /// Any user of the machine may send such a signal straight to us: it counts only from whom the job was asked of.
    fn is_end_of(&self, reply: &Message, job: &OwnedObjectPath) -> bool {
        self.job == *job && self.sender == sender(reply)
    }
}

/// Asks for a job of a unit and waits for it as `removed` does.
pub(super) async fn run(link: &Link, verb: JobVerb, unit: &UnitName) -> zbus::Result<JobResult> {
    let body = (unit.as_str(), "replace");
    removed(link, link.manager(method(verb), &body)).await
}

/// Has a unit without a file made and started, and waits for that job as `removed` does.
pub(super) async fn start_transient(
    link: &Link,
    unit: &TransientUnit,
    output: Option<OwnedFd>,
) -> zbus::Result<JobResult> {
    let mut properties = settings(unit);
    for name in ["StandardOutputFileDescriptor", "StandardErrorFileDescriptor"] {
        properties.extend(output.as_ref().map(|fd| (name, Variant::from(Fd::from(fd.as_fd())))));
    }
    let auxiliary: Vec<(&str, Vec<(&str, Variant<'_>)>)> =
        unit.auxiliary.iter().map(|unit| (unit.name.as_str(), settings(unit))).collect();
    let body = (unit.name.as_str(), "fail", properties, auxiliary);
    removed(link, link.manager("StartTransientUnit", &body)).await
}

fn settings(unit: &TransientUnit) -> Vec<(&str, Variant<'_>)> {
    unit.properties.iter().map(|(name, value)| (*name, value.variant())).collect()
}

/// Asks for a job and waits for that very job to be removed. Has no deadline of its own; dropped in the middle, it
/// leaves the job alone.
async fn removed(link: &Link, asked: impl Future<Output = zbus::Result<Message>>) -> zbus::Result<JobResult> {
    link.subscribe().await?;
    // Listen first: a short job may be gone before the reply that names it is read.
    let mut signals = link.signals("JobRemoved").await?;
    tokio::pin!(asked);
    let mut early = Vec::new();
    let reply = loop {
        tokio::select! {
            biased;
            signal = signals.next() => early.extend(Removed::read(&signal?)),
            reply = &mut asked => break reply?,
        }
    };
    let job: OwnedObjectPath = reply.body().deserialize()?;
    if let Some(removed) = early.into_iter().find(|removed| removed.is_end_of(&reply, &job)) {
        return Ok(removed.result);
    }
    loop {
        let signal = signals.next().await?;
        if let Some(removed) = Removed::read(&signal).filter(|removed| removed.is_end_of(&reply, &job)) {
            return Ok(removed.result);
        }
    }
}

fn method(verb: JobVerb) -> &'static str {
    match verb {
        JobVerb::Start => "StartUnit",
        JobVerb::Stop => "StopUnit",
        JobVerb::Restart => "RestartUnit",
    }
}

fn sender(message: &Message) -> Option<String> {
    message.header().sender().map(ToString::to_string)
}
