//! Running hooks: each in a transient unit, so that it has a control group, a deadline and an end of its own.
//!
//! A cancel ends a `pre` hook, as it ends all that prepares. What clears up heeds no signal: its `pre` began, and without
//! it the service stays as that left it, in maintenance mode for ever. The service itself does not wait for that: it is
//! back before the first `post` begins, so that a second signal has nothing left to hurry, and each `post` has a deadline.
//! A run that dies leaves what has not ended to its recovery. Who wants to know of a failure is not told after a second
//! signal.

mod marked;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempPath;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, timeout};

use self::marked::{MARK, end_marked};
use super::service::ServiceRun;
use crate::code::Code;
use crate::config::{Hook, HookAction, HookPlace, env_file};
use crate::durable;
use crate::event::Body;
use crate::failure::Failure;
use crate::names::UnitName;
use crate::observe::loose;
use crate::plan::{HookKind, HookStep};
use crate::systemd::{JobVerb, SystemdError, TransientUnit, Value};

/// systemd needs a moment of its own beyond the hook's time and the time to end it.
const MARGIN: Duration = Duration::from_secs(15);
/// From TERM to KILL of all that is in its control group.
const KILL_AFTER: Duration = Duration::from_secs(5);
/// Of what a hook writes this much is kept: the end of it. Bytes.
const KEPT: usize = 1 << 20;
/// Of that, this much is told: the last lines.
const TOLD: usize = 20;
/// And so many characters of each.
const LONGEST_LINE: usize = 500;

impl ServiceRun<'_> {
    /// Runs a hook to its end, which comes in time or is made.
    pub(super) async fn hook(&mut self, step: &HookStep) -> Result<(), Failure> {
        if step.kind == HookKind::Post && !self.ledger.owes_post(step.index, self.count_pre()) {
            return Ok(());
        }
        let Some(hook) = self.configured(step.kind, step.index) else {
            let message = format!("the {} hook is not in the configuration any more", step.kind.as_str());
            return Err(Failure::new(Code::Hook, message));
        };
        let result = self.run_hook(step, &hook).await;
        match (&result, step.kind) {
            (Err(_), HookKind::Pre) => self.ledger.pre_failed = true,
            (Err(failure), HookKind::Post) => self.beside = Code::worst([self.beside, failure.code]),
            _ => {}
        }
        result
    }

    async fn run_hook(&mut self, step: &HookStep, hook: &Hook) -> Result<(), Failure> {
        if step.kind == HookKind::Pre {
            // Those of the others were looked at with it, before anything began; what clears up must run.
            hook.env_file.as_deref().and_then(loose).map_or(Ok(()), Err)?;
        }
        let name = self.hook_name(step.kind, step.index)?;
        // Gone when this ends.
        let variables = self.write_variables(&name, hook)?;
        let files = variables.iter().map(|file| file.to_path_buf()).chain(hook.env_file.clone());
        let unit = self.hook_unit(name, hook, files)?;
        let began = Instant::now();
        let (ended, output) = self.run_unit(&unit, step.kind, hook.timeout.duration()).await?;
        let late = began.elapsed() >= hook.timeout.duration();
        if ended.is_err()
            && let HookPlace::Container(_) = hook.place
        {
            // What runs in the container is no child of the unit.
            end_marked(&unit.name, KILL_AFTER).await;
        }
        let lines: Vec<String> = last_lines(&output);
        let kept = self.keep_output(step, &output);
        if !lines.is_empty() {
            let (service, label) = (self.service(), step.label.clone());
            self.tell(Body::HookOutput { service, kind: step.kind, label, lines: lines.clone() });
        }
        let kept = kept.map(|path| format!("the end of its output is in `{}`", path.display()));
        match (ended, kept) {
            (Ok(()), Some(kept)) => {
                self.note(format!("{} hook `{}`: {kept}", step.kind.as_str(), step.label));
            }
            (Ok(()), None) => {}
            (Err(error), kept) => {
                let failure = self.hook_failure(step, late, &error, &lines).await;
                return Err(kept.into_iter().fold(failure, Failure::because));
            }
        }
        Ok(())
    }

    /// Ends the hook that ran when the run died: a unit of its own outlives it. What clears up after a hook must not run
    /// beside it, and begins anew where it was cut off itself.
    pub(super) async fn end_hook_left(&mut self) {
        let Some((kind, index)) = self.ledger.hook else { return };
        let Ok(name) = self.hook_name(kind, index) else { return };
        let ended = self.engine.outside.systemd.run_job(JobVerb::Stop, &name, KILL_AFTER + MARGIN).await;
        if let Err(error) = ended.or_else(is_gone) {
            // What clears up runs all the same: nobody would do so later.
            let message = format!("the {} hook of the run that died could not be ended", kind.as_str());
            self.report.failures.push(Failure::new(Code::Failed, message).because(error.to_string()));
        }
        let is_on_host = |hook: Hook| hook.place == HookPlace::Host;
        if !self.configured(kind, index).is_some_and(is_on_host) {
            end_marked(&name, KILL_AFTER).await;
        }
        // It may have had none.
        let _ = fs::remove_file(self.variables_file(&name));
    }

    /// Keeps what a hook wrote beside the run's log, where it is more than what is told; says where. That it could not be kept
    /// is no reason to fail.
    fn keep_output(&self, step: &HookStep, output: &[u8]) -> Option<PathBuf> {
        let end = last_part(output);
        if is_told(output) {
            return None;
        }
        let kind = step.kind.as_str().to_ascii_lowercase();
        let name = format!("hook-{}-{kind}-{}.log", self.plan.service, step.index);
        let path = self.engine.scope.runs_dir().join(self.engine.run.as_str()).join(name);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&path).ok()?;
        file.write_all(end).ok().map(|()| path)
    }

    fn count_pre(&self) -> usize {
        let service = self.engine.config.services.get(&self.plan.service);
        service.map_or(0, |service| service.backup.hooks.pre.len())
    }

    fn configured(&self, kind: HookKind, index: usize) -> Option<Hook> {
        let hooks = &self.engine.config.services.get(&self.plan.service)?.backup.hooks;
        let list = match kind {
            HookKind::Pre => &hooks.pre,
            HookKind::Post => &hooks.post,
            HookKind::OnFailure => &hooks.on_failure,
        };
        list.get(index).cloned()
    }

    fn hook_name(&self, kind: HookKind, index: usize) -> Result<UnitName, Failure> {
        let (run, service) = (&self.engine.run, &self.plan.service);
        let kind = kind.as_str().to_ascii_lowercase();
        let name = format!("svc-hook-{run}-{service}-{kind}-{index}.service");
        name.parse().map_err(|error| Failure::from_error(Code::Internal, &error))
    }

    /// Where the variables of a hook lie while it runs: in the run's directory.
    fn variables_file(&self, name: &UnitName) -> PathBuf {
        self.engine.scope.runs_dir().join(self.engine.run.as_str()).join(format!("{name}.env"))
    }

    /// Writes down a hook's own variables for systemd: everybody can read the settings of a unit.
    fn write_variables(&self, name: &UnitName, hook: &Hook) -> Result<Option<TempPath>, Failure> {
        if hook.env.is_empty() {
            return Ok(None);
        }
        let file = self.variables_file(name);
        let written = durable::replace(&file, env_file::text(&hook.env).as_bytes(), 0o600)
            .and_then(|()| TempPath::try_from_path(&file));
        written.map(Some).map_err(|error| {
            let is_full = error.kind() == io::ErrorKind::StorageFull;
            let code = if is_full { Code::NoSpace } else { Code::Hook };
            let message = format!("the variables of a hook cannot be written to `{}`", file.display());
            Failure::new(code, message).because(error.to_string())
        })
    }

    /// The unit that runs a hook, with variables from these files.
    fn hook_unit(
        &self,
        name: UnitName,
        hook: &Hook,
        files: impl Iterator<Item = PathBuf>,
    ) -> Result<TransientUnit, Failure> {
        // The hook's own PATH wins.
        let mut variables = vec![format!("PATH={}", self.engine.path), format!("{MARK}={name}")];
        if let HookPlace::Container(_) = hook.place {
            // Its command line knows nothing of what is configured here.
            variables.push(format!("DOCKER_HOST=unix://{}", self.engine.scope.engine_socket.display()));
        }
        let files: Vec<String> = files.map(|file| file.to_string_lossy().into_owned()).collect();
        let mut properties = vec![
            ("Description", Value::Text(format!("svc hook {name}"))),
            ("Type", Value::Text("oneshot".to_owned())),
            ("ExecStart", Value::Command(argv(hook)?)),
            ("Environment", Value::Texts(variables)),
            ("TimeoutStartUSec", Value::Number(micros(hook.timeout.duration()))),
            ("TimeoutStopUSec", Value::Number(micros(KILL_AFTER))),
            ("KillMode", Value::Text("control-group".to_owned())),
            ("CollectMode", Value::Text("inactive-or-failed".to_owned())),
            ("WorkingDirectory", Value::Text("/".to_owned())),
        ];
        if !files.is_empty() {
            properties.push(("EnvironmentFiles", Value::EnvironmentFiles(files)));
        }
        Ok(TransientUnit { name, properties, auxiliary: Vec::new() })
    }

    /// Ends when a hook of this kind is not to go on.
    async fn called_off(&self, kind: HookKind) {
        match kind {
            HookKind::Pre => self.engine.cancel.token().cancelled().await,
            HookKind::Post => std::future::pending().await,
            HookKind::OnFailure => self.engine.cancel.hurried().await,
        }
    }

    /// Runs a oneshot unit; what it wrote, and how it ended.
    async fn run_unit(
        &self,
        unit: &TransientUnit,
        kind: HookKind,
        limit: Duration,
    ) -> Result<(Result<(), SystemdError>, Vec<u8>), Failure> {
        let broken = |error: &io::Error| Failure::from_error(Code::Internal, error);
        let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map(|(read, write)| (write, read))
            .map_err(|error| broken(&error.into()))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|error| broken(&error.into()))?;
        let mut reader = Receiver::from_owned_fd(ours).map_err(|error| broken(&error))?;
        let systemd = &self.engine.outside.systemd;
        let reading = tokio::spawn(async move { read_end(&mut reader).await });
        let started = systemd.start_transient(unit, Some(theirs), limit + KILL_AFTER + MARGIN);
        let ended = tokio::select! {
            biased;
            () = self.called_off(kind) => {
                let _ = systemd.run_job(JobVerb::Stop, &unit.name, KILL_AFTER + MARGIN).await;
                let (verb, unit) = (JobVerb::Start.to_string(), unit.name.to_string());
                Err(SystemdError::JobEnded { verb, unit, result: CANCELED.to_owned() })
            }
            ended = started => ended,
        };
        // With the unit's end all that could write is gone.
        let output = timeout(MARGIN, reading).await.ok().and_then(Result::ok).unwrap_or_default();
        Ok((ended, output))
    }

    /// What it means that a hook did not end well. What clears up and could not run leaves the service otherwise than it
    /// was, until a recovery, at the next boot as it may be, makes up for it.
    async fn hook_failure(
        &self,
        step: &HookStep,
        late: bool,
        error: &SystemdError,
        lines: &[String],
    ) -> Failure {
        let failure = failed(step, late, error, lines);
        let is_cancelled = matches!(error, SystemdError::JobEnded { result, .. } if result == CANCELED);
        let is_pre = step.kind == HookKind::Pre;
        if let Some(code) = self.engine.cancel.code().filter(|_| is_pre && is_cancelled) {
            return Failure { code, ..failure };
        }
        let is_kept_off = matches!(error, SystemdError::Unreachable { .. });
        match step.kind {
            HookKind::Pre if self.engine.is_shutting_down().await => {
                Failure { code: Code::Terminated, ..failure }
            }
            HookKind::Post if is_kept_off || self.engine.is_shutting_down().await => {
                Failure { code: Code::NotResumed, ..failure }.hint("svc recover")
            }
            _ => failure,
        }
    }
}

/// How systemd says that a job was taken back.
const CANCELED: &str = "canceled";

/// A unit that nobody knows any more has ended.
fn is_gone(error: SystemdError) -> Result<(), SystemdError> {
    match error {
        SystemdError::NoUnit { .. } => Ok(()),
        error => Err(error),
    }
}

/// The hook's words; `env` finds the program. In a container the engine's command line runs it there, with its variables
/// handed over by name, so that no value is an argument.
fn argv(hook: &Hook) -> Result<Vec<String>, Failure> {
    let own = match &hook.action {
        HookAction::Command(argv) => argv.clone(),
        HookAction::Script(script) => ["/bin/sh", "-c", script].map(str::to_owned).into(),
    };
    let mut argv: Vec<String> = vec!["/usr/bin/env".to_owned(), "--".to_owned()];
    if let HookPlace::Container(name) = &hook.place {
        argv.extend(["docker", "exec"].map(str::to_owned));
        let mut names: Vec<String> = hook.env.keys().cloned().chain([MARK.to_owned()]).collect();
        if let Some(file) = &hook.env_file {
            let read = env_file::read(file).map_err(|error| Failure::from_error(Code::Hook, &error))?;
            names.extend(read.variables.into_keys());
        }
        argv.extend(names.into_iter().map(|name| format!("--env={name}")));
        argv.extend(["--".to_owned(), name.to_string()]);
    }
    argv.extend(own);
    Ok(argv)
}

/// Reads to the end; keeps the last part.
async fn read_end(reader: &mut Receiver) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = vec![0; 65_536];
    while let Ok(length) = reader.read(&mut piece).await {
        if length == 0 {
            break;
        }
        kept.extend_from_slice(piece.get(..length).unwrap_or_default());
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    kept
}

/// The part that is kept.
fn last_part(output: &[u8]) -> &[u8] {
    output.get(output.len().saturating_sub(KEPT)..).unwrap_or_default()
}

fn last_lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(last_part(output));
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TOLD);
    // A line without an end is no reason to keep a megabyte in the log.
    lines.iter().skip(from).map(|line| line.chars().take(LONGEST_LINE).collect()).collect()
}

/// Whether the last lines are all of it.
fn is_told(output: &[u8]) -> bool {
    let text = String::from_utf8_lossy(output);
    text.lines().count() <= TOLD && text.lines().all(|line| line.chars().count() <= LONGEST_LINE)
}

fn failed(step: &HookStep, late: bool, error: &SystemdError, lines: &[String]) -> Failure {
    let (kind, label) = (step.kind.as_str(), &step.label);
    let how = match error {
        SystemdError::JobEnded { result, .. } if result == CANCELED => "was cancelled".to_owned(),
        // systemd's own word for that is `failed`, too.
        SystemdError::JobEnded { .. } if late => format!("did not end within {} s", step.timeout.as_secs()),
        SystemdError::JobEnded { .. } => "failed".to_owned(),
        other => other.to_string(),
    };
    // The snapshot is good all the same.
    let code = if step.kind == HookKind::Pre { Code::Hook } else { Code::Partial };
    let failure = Failure::new(code, format!("the {kind} hook `{label}` {how}"));
    lines.iter().rev().take(5).rev().fold(failure, |failure, line| failure.because(line.clone()))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_the_last_lines_are_told_and_the_last_mebibyte_is_kept() {
        let flood = [b"first\n".as_slice(), &b"flood\n".repeat(KEPT / 3), b"last\n"].concat();
        assert!(!is_told(&flood) && last_part(&flood).len() == KEPT);
        assert_eq!((last_lines(&flood).len(), last_lines(&flood).last().unwrap().as_str()), (TOLD, "last"));
        assert!(is_told(&b"one\n".repeat(TOLD)) && !is_told(&b"one\n".repeat(TOLD + 1)));
        assert!(!is_told(&b"x".repeat(LONGEST_LINE + 1)));
    }
}
