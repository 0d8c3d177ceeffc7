//! What every run verb does: look, plan, show, ask, run.

use std::io::{IsTerminal, Write};
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
use svc_core::names::RunId;
use svc_core::plan::{Plan, plan};
use svc_core::recorder::Recorder;
use svc_core::report::Report;
use svc_core::run_log::RunLog;
use tokio::sync::mpsc;

use crate::args::Watching;
use crate::context::{Context, again_line};
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
    if context.global.dry_run {
        let plan = look(context, &goal, Wishes { wait_lock: Duration::ZERO, ..wishes }).await;
        return show_plan(context, &plan);
    }
    let mut first = recovery::first(context).await;
    if let Some(limit) = watching.wait {
        waiting::for_other_runs(context, &goal, limit.duration()).await;
        // Whoever held a service until now may have died over it.
        first.recover(context).await;
    }
    let plan = loop {
        let plan = look(context, &goal, wishes).await;
        if let Some(question) = question.as_ref().filter(|_| plan.has_steps() && !context.global.yes) {
            ask(context, &plan, question)?;
        }
        // What was looked at while something was owed would make that the wished state.
        if !first.recover(context).await {
            break plan;
        }
    };
    let left = first.code();
    let Some(report) = execute(context, plan, watching).await? else { return Ok(left) };
    if !context.global.json {
        say(&render::messages(&report, &goal, context.choice().colour_on_stderr()));
    }
    Ok(Code::worst([report.code, left]))
}

/// Looks, once all is free, and plans.
async fn look(context: &Context, goal: &Goal, wishes: Wishes) -> Plan {
    let now = Timestamp::now();
    let observed = waiting::observe_free(context, goal, now, wishes.wait_lock).await;
    let mut plan = plan(&context.config, &observed, goal, now);
    if wishes.accept_shrink {
        plan.accept_shrink();
    }
    plan
}

fn show_plan(context: &Context, plan: &Plan) -> Result<Code, Failure> {
    let text =
        if context.global.json { document(plan)? } else { render::plan_text(plan, context.choice().look()) };
    write_out(&text)?;
    let refused = plan.services.iter().flat_map(|service| &service.refused);
    Ok(Code::worst(refused.map(|failure| failure.code)))
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
        let work = async move |engine: Engine| engine.run(&plan).await;
        return Ok(Some(perform(context, run, log, 0, work).await));
    }
    // The unit takes it over.
    drop(log);
    unit::start(context, &run, plan).await?;
    if watching.detach {
        write_out(&format!("{run}\n"))?;
        return Ok(None);
    }
    unit::show(context, &run, OnInterrupt::Cancel).await.map(Some)
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
    // The engine must be gone when its work is done: it holds the recorder open.
    let report = dispatch(work(engine), seen, render::choose(context.choice()), Timestamp::now).await;
    thread.join();
    signals.abort();
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
