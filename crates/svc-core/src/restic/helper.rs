//! svc's own binary in front of restic: it prepares its own process and then becomes restic, so that the process that is
//! watched and signalled is the same. No other program sees restic's variables.

use std::ffi::OsString;
use std::path::Path;

use super::ResticError;
use super::process::Job;
use crate::config::{IoClass, Limits};
use crate::freeze::Bind;

/// What restic's process is to be like.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Frozen copies that it sees at their original paths.
    pub(super) binds: &'a [Bind],
    /// How far it steps back for everybody else; nothing: for nobody.
    pub(super) priority: Option<&'a Limits>,
}

/// The same job through the helper, if that is needed. Without one restic runs in nobody's favour.
pub(super) fn through(helper: Option<&Path>, wanted: &Wanted<'_>, job: Job) -> Result<Job, ResticError> {
    let Some(helper) = helper else {
        let reason = "frozen copies cannot be read here".to_owned();
        return if wanted.binds.is_empty() { Ok(job) } else { Err(ResticError::Spawn { reason }) };
    };
    let Wanted { binds, priority } = wanted;
    let priority: Vec<OsString> = priority.map(options).unwrap_or_default();
    if priority.is_empty() && binds.is_empty() {
        return Ok(job);
    }
    let mut arguments = vec![OsString::from("become")];
    arguments.extend(priority);
    let pair = |bind: &Bind| [OsString::from("--bind"), bind.from.clone().into(), bind.to.clone().into()];
    arguments.extend(binds.iter().flat_map(pair));
    arguments.extend(["--".into(), job.program.into()]);
    arguments.extend(job.arguments);
    let mut environment = job.environment;
    if !binds.is_empty() {
        // Directories of a new snapshot have a new device, and would be stored anew each night.
        environment.push(("RESTIC_FEATURES".to_owned(), "device-id-for-hardlinks=true".into()));
    }
    Ok(Job { program: helper.to_owned(), arguments, environment, ..job })
}

fn options(limits: &Limits) -> Vec<OsString> {
    let class = match limits.io_class {
        IoClass::BestEffort => "best-effort",
        IoClass::Idle => "idle",
    };
    let [nice, class, priority] = [
        format!("--nice={}", limits.nice),
        format!("--io-class={class}"),
        format!("--io-priority={}", limits.io_priority),
    ];
    vec![nice.into(), class.into(), priority.into()]
}
