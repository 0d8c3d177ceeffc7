//! Runs in units of their own: a closed terminal, a dropped connection or a killed client changes nothing about them.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use svc_core::code::Code;
use svc_core::dispatch::dispatch;
use svc_core::failure::Failure;
use svc_core::follow::{FollowError, follow};
use svc_core::names::{RunId, UnitName};
use svc_core::order::Order;
use svc_core::plan::Plan;
use svc_core::report::Report;
use svc_core::scope::ScopeKind;
use svc_core::systemd::{LoadState, SystemdError, TransientUnit, Value};
use tokio::sync::mpsc;

use crate::context::{Context, HASTE, search_path};
use crate::memory;
use crate::render;
use crate::run::FAULTS;
use crate::signals::Signals;

/// systemd forks and executes; more than this means that it is stuck.
const START: Duration = Duration::from_secs(30);
/// What restic and svc have to end in good order; svc asks for more while it starts services again.
const STOP: Duration = Duration::from_secs(3);
/// Longer than any service may take to start again.
const RECOVER: Duration = Duration::from_hours(1);

/// Where a run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a unit of its own.
    Unit,
    /// In this process: it is in a unit of svc's already, or there is no systemd to ask.
    Here,
}

/// Where a run of this process is to be done.
pub(crate) async fn place(context: &Context) -> Place {
    if own().is_some() {
        return Place::Here;
    }
    match context.outside.systemd.manager_state().await {
        Ok(_) => Place::Unit,
        Err(_) => Place::Here,
    }
}

/// The unit of svc's that this process runs in: the last part of its control group.
pub(crate) fn own() -> Option<UnitName> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let unit = path.rsplit('/').find(|part| part.contains('.'))?;
    unit.starts_with("svc-").then(|| unit.parse().ok()).flatten()
}

/// The unit of a run.
pub(crate) fn name(run: &RunId) -> Result<UnitName, Failure> {
    let name = format!("svc-run-{run}.service");
    name.parse().map_err(|error| Failure::from_error(Code::Internal, &error))
}

/// Hands a run over to a unit of its own; its log is there already.
pub(crate) async fn start(context: &Context, run: &RunId, plan: Plan) -> Result<(), Failure> {
    let unit = unit(context, run, &plan).await?;
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let order = Order {
        plan,
        scope: (*context.scope).clone(),
        path: search_path().to_string_lossy().into_owned(),
        home,
        temp_dir: std::env::var_os("TMPDIR").filter(|value| !value.is_empty()).map(PathBuf::from),
    };
    order.save(&context.scope.runs_dir(), run).map_err(|error| {
        Failure::new(Code::Failed, "the plan of the run cannot be written").because(error.to_string())
    })?;
    let started = context.outside.systemd.start_transient(&unit, None, START).await;
    started.map_err(|error| match error {
        SystemdError::ShuttingDown { .. } => {
            Failure::new(Code::Terminated, "the machine is shutting down").because(error.to_string())
        }
        error => Failure::from(&error),
    })
}

async fn unit(context: &Context, run: &RunId, plan: &Plan) -> Result<TransientUnit, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::from_error(Code::Internal, &error))?;
    let program = program.to_string_lossy().into_owned();
    let runs = context.scope.runs_dir().join(run.as_str()).to_string_lossy().into_owned();
    let mut properties = vec![
        ("Description", Value::Text(format!("svc run {run}"))),
        ("Type", Value::Text("exec".to_owned())),
        ("ExecStart", Value::Command(vec![program.clone(), "execute".to_owned(), runs.clone()])),
        ("KillMode", Value::Text("control-group".to_owned())),
        ("NotifyAccess", Value::Text("main".to_owned())),
        ("TimeoutStopUSec", Value::Number(micros(STOP))),
        ("OOMPolicy", Value::Text("continue".to_owned())),
        ("CollectMode", Value::Text("inactive-or-failed".to_owned())),
        ("WorkingDirectory", Value::Text("/".to_owned())),
    ];
    properties.extend(memory::limits(&context.config.limits, &plan.goal));
    properties.extend(environment());
    let (recovers, made) = recovery(context, run, program).await?;
    // In a control group of its own: it begins also when all of the run's was killed.
    let recovers = Value::Texts(vec![recovers.to_string()]);
    properties.extend([("OnFailure", recovers.clone()), ("OnSuccess", recovers)]);
    Ok(TransientUnit { name: name(run)?, properties, auxiliary: made.into_iter().collect() })
}

/// What tests tell a run.
fn environment() -> Option<(&'static str, Value)> {
    let set = |name: &str| std::env::var(name).ok().map(|value| format!("{name}={value}"));
    let texts = || Value::Texts([FAULTS, HASTE].into_iter().filter_map(set).collect());
    cfg!(debug_assertions).then(|| ("Environment", texts()))
}

/// The unit that does what is owed when the run has ended, however it did; and how to make it, if the shipped one is not
/// there, or does not know this place.
async fn recovery(
    context: &Context,
    run: &RunId,
    program: String,
) -> Result<(UnitName, Option<TransientUnit>), Failure> {
    let scope = &context.scope;
    let unit = |name: String| name.parse().map_err(|error| Failure::from_error(Code::Internal, &error));
    let shipped: UnitName = unit(format!("svc-recover@{run}.service"))?;
    let known = context.outside.systemd.units(std::slice::from_ref(&shipped)).await;
    let is_installed = known.is_ok_and(|units| units.iter().any(|unit| unit.load == LoadState::Loaded));
    if is_installed && context.is_at_usual_place() {
        return Ok((shipped, None));
    }
    let mut command = vec![program, "recover".to_owned(), run.to_string(), "--config".to_owned()];
    command.push(scope.config_file.to_string_lossy().into_owned());
    command.extend((scope.kind == ScopeKind::User).then(|| "--user".to_owned()));
    let name: UnitName = unit(format!("svc-recover-{run}.service"))?;
    let properties = vec![
        ("Description", Value::Text(format!("Bring to its end what svc run {run} began"))),
        ("Type", Value::Text("oneshot".to_owned())),
        ("ExecStart", Value::Command(command)),
        ("TimeoutStartUSec", Value::Number(micros(RECOVER))),
        ("CollectMode", Value::Text("inactive-or-failed".to_owned())),
        ("WorkingDirectory", Value::Text("/".to_owned())),
    ];
    Ok((name.clone(), Some(TransientUnit { name, properties, auxiliary: Vec::new() })))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// What Ctrl-C does to a run that is only shown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// It is cancelled, in good order; a second one hurries it.
    Cancel,
    /// It goes on; only showing it ends.
    Leave,
}

/// Shows a run of another process until it ends.
///
/// # Errors
/// When its log cannot be read, or it died and nobody does what it owes; `Hangup` when the terminal is gone.
pub(crate) async fn show(
    context: &Context,
    run: &RunId,
    on_interrupt: OnInterrupt,
) -> Result<Report, Failure> {
    let (events, seen) = mpsc::unbounded_channel();
    let directory = context.scope.runs_dir();
    let work = async {
        // The only sender: the channel ends with it.
        let events = events;
        tokio::select! {
            report = follow(&directory, run, &events) => report.map_err(|error| lost(&error, run)),
            failure = heed(context, run, on_interrupt) => Err(failure),
        }
    };
    dispatch(work, seen, render::choose(context.choice()), jiff::Timestamp::now, Signals::any()).await
}

fn lost(error: &FollowError, run: &RunId) -> Failure {
    let code = match error {
        FollowError::Log { .. } => Code::Failed,
        FollowError::Died { .. } => Code::NotResumed,
    };
    Failure::from_error(code, error).hint(format!("svc recover {run}"))
}

/// Passes signals on to the run; ends only when showing it is to end.
async fn heed(context: &Context, run: &RunId, on_interrupt: OnInterrupt) -> Failure {
    let Ok(mut signals) = Signals::listen() else { return std::future::pending().await };
    loop {
        let code = signals.next().await;
        let signal = match code {
            Code::Interrupted => Signal::INT,
            Code::Terminated => Signal::TERM,
            _ => {
                let failure = Failure::new(Code::Hangup, "the terminal is gone; the run goes on");
                return failure.hint(format!("svc attach {run}"));
            }
        };
        if on_interrupt == OnInterrupt::Leave {
            return Failure::new(code, "the run goes on").hint(format!("svc cancel {run}"));
        }
        if let Err(failure) = send(context, run, signal).await {
            return failure;
        }
    }
}

/// Sends a signal to the process that does a run.
async fn send(context: &Context, run: &RunId, signal: Signal) -> Result<(), Failure> {
    let sent = context.outside.systemd.kill(&name(run)?, signal.as_raw()).await;
    match sent {
        // It has just ended: its log says how.
        Ok(()) | Err(SystemdError::NoUnit { .. }) => Ok(()),
        Err(error) => Err(Failure::from(&error)),
    }
}
