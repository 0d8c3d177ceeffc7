//! What every run verb does: look, plan, show, ask, run.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use svc_core::cancel::Cancel;
use svc_core::code::Code;
use svc_core::dispatch::dispatch;
use svc_core::durable;
use svc_core::engine::Engine;
use svc_core::failure::Failure;
use svc_core::faults::Faults;
use svc_core::goal::Goal;
use svc_core::history;
use svc_core::names::{RunId, ServiceName};
use svc_core::observe::Probe;
use svc_core::plan::{Plan, plan};
use svc_core::recorder::Recorder;
use svc_core::report::Report;
use svc_core::run_log::RunLog;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::args::Watching;
use crate::context::{Context, again_line, sudo_line};
use crate::documents::DetachedDocument;
use crate::memory;
use crate::recovery;
use crate::render;
use crate::signals::Signals;
use crate::unit::{self, OnInterrupt, Place};
use crate::waiting;

/// Tests only, and heeded by debug builds only.
pub(crate) const FAULTS: &str = "SVC_FAULT";

/// How much time systemd is asked for at once while services are started again.
const MORE_TIME: Duration = Duration::from_secs(15);

/// Reaches a goal: with `--dry-run` only says how; what is destructive is asked first.
pub(crate) async fn run(
    context: &Context,
    goal: Goal,
    question: Option<String>,
    watching: Watching,
) -> Result<Code, Failure> {
    run_as_wished(context, goal, question, watching, Wishes::default()).await
}

/// What a person may wish besides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// How long others may hold a repository.
    pub(crate) wait_lock: Duration,
    /// That most of the data is gone was meant.
    pub(crate) accept_shrink: bool,
    /// How many services are worked on at once; nothing: as many as is usual.
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// The same with more wishes.
pub(crate) async fn run_as_wished(
    context: &Context,
    goal: Goal,
    question: Option<String>,
    watching: Watching,
    wishes: Wishes,
) -> Result<Code, Failure> {
    if !context.global.dry_run {
        context.require_root(goal.verb())?;
    }
    context.warn();
    context.warn_of_hooks(&goal);
    if context.global.dry_run {
        return show_plan(context, &look(context, &goal, None, wishes).await);
    }
    let mut first = recovery::first(context).await;
    let deadline = watching.wait.and_then(|limit| Instant::now().checked_add(limit.duration()));
    let (mut goal, mut question, mut interrupted) = (goal, question, Interrupted::Dies);
    let mut code = Code::Ok;
    loop {
        let look = async || {
            tokio::select! {
                plan = look(context, &goal, deadline, wishes) => Ok(plan),
                signal = interrupted.heed() => Err(signal),
            }
        };
        let plan = match plan_anew(context, look, question.take(), &mut first).await? {
            Ok(plan) => plan,
            Err(signal) => return Ok(Code::worst([signal, code, first.code()])),
        };
        let Some(mut report) = execute(context, plan.clone(), watching).await? else {
            return Ok(Code::worst([code, first.code()]));
        };
        let late = begun_by_others(&plan, &report).filter(|_| waiting::is_time(deadline));
        if let Some(late) = &late {
            report.services.retain(|service| !late.contains(&service.service));
        }
        if !context.global.json {
            say(&render::messages(&report, &goal, context.choice().colour_on_stderr()));
        }
        let Some(late) = late else { return Ok(Code::worst([report.code, code, first.code()])) };
        code = Code::worst(report.services.iter().map(|service| service.code).chain([code]));
        goal = goal.only(&late);
        interrupted = Interrupted::listen();
    }
}

/// Looks, plans and asks; once more when something was owed meanwhile, for what is looked at then would make that the
/// wished state. Or the signal that came while it looked.
async fn plan_anew(
    context: &Context,
    mut look: impl AsyncFnMut() -> Result<Plan, Code>,
    question: Option<String>,
    first: &mut recovery::First,
) -> Result<Result<Plan, Code>, Failure> {
    loop {
        let plan = match look().await {
            Ok(plan) => plan,
            Err(signal) => return Ok(Err(signal)),
        };
        if let Some(question) = question.as_ref().filter(|_| plan.has_steps() && !context.global.yes) {
            ask(context, &plan, question)?;
        }
        if !first.recover(context).await {
            return Ok(Ok(plan));
        }
    }
}

/// Looks and plans; as long as it may wait, only while no other run is at work on the same services.
async fn look(context: &Context, goal: &Goal, deadline: Option<Instant>, wishes: Wishes) -> Plan {
    let now = Timestamp::now();
    let observed = if context.global.dry_run {
        waiting::look(context, goal, Probe::Look, now).await
    } else {
        waiting::observe_undisturbed(context, goal, now, deadline, wishes.wait_lock).await
    };
    let mut plan = plan(&context.config, &observed, goal, now);
    plan.jobs = wishes.jobs.map_or(plan.jobs, NonZeroUsize::get);
    if wishes.accept_shrink {
        plan.accept_shrink();
    }
    plan
}

/// The services that another run took in the moment between the look and the run; nothing: none, or somebody wants an end.
fn begun_by_others(plan: &Plan, report: &Report) -> Option<Vec<ServiceName>> {
    // That is about a repository.
    let was_busy = |name: &ServiceName| {
        let mut own = plan.services.iter().filter(|service| service.service == *name);
        own.any(|service| service.refused.iter().any(|failure| failure.code == Code::Busy))
    };
    let busy = report.services.iter().filter(|service| service.code == Code::Busy);
    let late: Vec<ServiceName> =
        busy.map(|busy| busy.service.clone()).filter(|name| !was_busy(name)).collect();
    let is_to_end = matches!(report.code, Code::Interrupted | Code::Terminated | Code::Hangup);
    (!late.is_empty() && !is_to_end).then_some(late)
}

/// What a signal does while nothing runs.
enum Interrupted {
    /// Nobody listens: the process ends by it.
    Dies,
    /// A run before has listened, so that from then on somebody has to.
    Heeds(Signals),
}

impl Interrupted {
    fn listen() -> Self {
        Signals::listen().map_or(Self::Dies, Self::Heeds)
    }

    async fn heed(&mut self) -> Code {
        match self {
            Self::Dies => std::future::pending().await,
            Self::Heeds(signals) => signals.next().await,
        }
    }
}

fn show_plan(context: &Context, plan: &Plan) -> Result<Code, Failure> {
    let text =
        if context.global.json { document(plan)? } else { render::plan_text(plan, context.choice().look()) };
    write_out(&text)?;
    let refused = plan.services.iter().flat_map(|service| &service.refused);
    let code = Code::worst(refused.map(|failure| failure.code));
    if let Some(next) = after_plan(code, rustix::process::geteuid().is_root()) {
        say(&render::next_line(&next, context.choice().colour_on_stderr()));
    }
    Ok(code)
}

/// What shows more of a plan than this user may see.
fn after_plan(code: Code, is_root: bool) -> Option<String> {
    (code == Code::Permission && !is_root).then(sudo_line)
}

/// A value as one JSON document.
pub(crate) fn document(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::from_error(Code::Internal, &error))?;
    Ok(text + "\n")
}

/// Writes to stdout; a reader that has seen enough is no failure.
pub(crate) fn write_out(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Internal, "stdout cannot be written").because(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Writes to stderr, where nobody may be reading.
pub(crate) fn say(text: &str) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Asks on the terminal; without one `--yes` is needed.
fn ask(context: &Context, plan: &Plan, question: &str) -> Result<(), Failure> {
    let refused = |message: &str| Failure::new(Code::Usage, message.to_owned());
    if context.global.json || !std::io::stdin().is_terminal() {
        let message = format!("`{}` asks first, and there is no terminal to ask on", plan.goal.verb());
        return Err(refused(&message).hint("add `--yes`, or look with `--dry-run`"));
    }
    let mut answer = String::new();
    let prompt = || {
        let mut out = std::io::stderr();
        write!(out, "{}\n{question} [y/N] ", render::plan_text(plan, context.choice().look()))?;
        out.flush()?;
        std::io::stdin().read_line(&mut answer)
    };
    let mut prompt = prompt;
    prompt().map_err(|error| refused("there was no answer").because(error.to_string()))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(refused("nothing was done, because nobody said yes").hint(format!("{} --yes", again_line())))
    }
}

async fn execute(context: &Context, plan: Plan, watching: Watching) -> Result<Option<Report>, Failure> {
    let run = RunId::new(Timestamp::now(), std::process::id());
    let log = open_log(context, &run)?;
    if unit::place(context).await == Place::Here {
        if let Err(failure) = memory::limit_own(context, &plan.goal).await {
            // Better a backup that takes more than none.
            say(&format!("warning: its memory is not limited: {}\n", failure.message));
        }
        let work = async move |engine: Engine| engine.run(&plan).await;
        return Ok(Some(perform(context, run, log, 0, work).await));
    }
    // The unit takes it over.
    drop(log);
    unit::start(context, &run, plan).await?;
    if watching.detach {
        write_out(&detached(context.global.json, &run)?)?;
        return Ok(None);
    }
    unit::show(context, &run, OnInterrupt::Cancel).await.map(Some)
}

/// How a run that is left to itself is named.
fn detached(json: bool, run: &RunId) -> Result<String, Failure> {
    if json { document(&DetachedDocument { run }) } else { Ok(format!("{run}\n")) }
}

/// Has an engine work that writes into this log, from this event on, and shows it.
pub(crate) async fn perform<T>(
    context: &Context,
    run: RunId,
    log: RunLog,
    next: u64,
    work: impl AsyncFnOnce(Engine) -> T,
) -> T {
    let (events, seen) = mpsc::unbounded_channel();
    let (recorder, thread) = Recorder::go_on(run.clone(), log, next, Timestamp::now, events);
    let cancel = Cancel::default();
    let signals = tokio::spawn(heed_signals(cancel.clone()));
    let engine = Engine {
        config: Arc::clone(&context.config),
        scope: Arc::clone(&context.scope),
        outside: context.outside.clone(),
        recorder,
        run,
        cancel,
        now: Timestamp::now,
        path: context.path.to_string_lossy().into_owned(),
        faults: Arc::new(faults()),
    };
    let run = async {
        // The engine must be gone when its work is done: it holds the recorder open.
        let report = work(engine).await;
        // From here on no more time is asked for, and a signal means that nobody is to be waited for.
        signals.abort();
        report
    };
    let renderers = render::choose(context.choice());
    let report = dispatch(run, seen, renderers, Timestamp::now, Signals::any()).await;
    thread.join();
    report
}

/// Where a test wants the run to stand still.
fn faults() -> Faults {
    std::env::var(FAULTS).ok().and_then(|place| place.parse().ok()).unwrap_or_default()
}

fn open_log(context: &Context, run: &RunId) -> Result<RunLog, Failure> {
    let scope = &context.scope;
    let make = || {
        durable::make_directory(&scope.state_dir, 0o755)?;
        durable::make_directory(&scope.records_dir(), 0o755)?;
        durable::make_directory(&scope.runs_dir(), 0o750)
    };
    make().map_err(|error: std::io::Error| {
        let message = format!("the state directory `{}` cannot be used", scope.state_dir.display());
        Failure::new(storage_code(&error), message).because(error.to_string())
    })?;
    history::prune(&scope.runs_dir(), Timestamp::now());
    RunLog::create(&scope.runs_dir(), run)
        .map_err(|error| Failure::from_error(storage_code(&error.source), &error))
}

fn storage_code(error: &std::io::Error) -> Code {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::NoSpace,
        std::io::ErrorKind::PermissionDenied => Code::Permission,
        _ => Code::Failed,
    }
}

/// INT and TERM end the run in good order. HUP does not: a terminal that goes away is no reason to stop.
async fn heed_signals(cancel: Cancel) {
    let Ok(mut signals) = Signals::listen() else { return };
    let mut more_time = tokio::time::interval(MORE_TIME / 3);
    loop {
        tokio::select! {
            code = signals.next() => if code != Code::Hangup {
                cancel.request(code);
            },
            _ = more_time.tick(), if cancel.code().is_some() => ask_for_time(),
        }
    }
}

/// systemd kills a unit that is to stop after seconds; what was stopped may take longer to start.
fn ask_for_time() {
    let micros = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
    // Without systemd nobody kills.
    let _ = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(micros)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_this_user_may_not_see_whole_ends_with_the_line_for_root() {
        assert_eq!(after_plan(Code::Permission, false), Some(sudo_line()));
        assert_eq!(after_plan(Code::Permission, true), None);
        assert_eq!(after_plan(Code::Unreachable, false), None);
    }

    #[test]
    fn a_detached_run_is_named_by_its_id_alone_or_by_one_json_document() {
        let run: RunId = "20261120T090000-1".parse().unwrap();
        assert_eq!(detached(false, &run).unwrap(), "20261120T090000-1\n");
        let document: serde_json::Value = serde_json::from_str(&detached(true, &run).unwrap()).unwrap();
        assert_eq!(document, serde_json::json!({"run": "20261120T090000-1"}));
    }
}
