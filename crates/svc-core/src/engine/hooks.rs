//! Running hooks: each in a transient unit, so that it has a control group, a deadline and an end of its own.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, timeout};

use super::service::ServiceRun;
use crate::code::Code;
use crate::config::{Hook, HookAction, HookPlace, env_file};
use crate::event::Body;
use crate::failure::Failure;
use crate::names::UnitName;
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
        let Some(hook) = self.configured(step) else {
            let message = format!("the {} hook is not in the configuration any more", step.kind.as_str());
            return Err(Failure::new(Code::Hook, message));
        };
        let unit = unit(&self.hook_name(step)?, &hook, &self.engine.path)?;
        let began = Instant::now();
        let (ended, output) = self.run_unit(&unit, hook.timeout.duration()).await?;
        let late = began.elapsed() >= hook.timeout.duration();
        if ended.is_err()
            && let HookPlace::Container(_) = hook.place
        {
            // What runs in the container is no child of the unit.
            end_marked(&unit.name);
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
                self.note(format!("{} hook `{}`: {kept}", step.kind.as_str(), step.label))
            }
            (Ok(()), None) => {}
            (Err(error), kept) => {
                let failure = failed(step, late, &error, &lines);
                return Err(kept.into_iter().fold(failure, Failure::because));
            }
        }
        Ok(())
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

    fn configured(&self, step: &HookStep) -> Option<Hook> {
        let hooks = &self.engine.config.services.get(&self.plan.service)?.backup.hooks;
        let list = match step.kind {
            HookKind::Pre => &hooks.pre,
            HookKind::Post => &hooks.post,
            HookKind::OnFailure => &hooks.on_failure,
        };
        list.get(step.index).cloned()
    }

    fn hook_name(&self, step: &HookStep) -> Result<UnitName, Failure> {
        let (run, service) = (&self.engine.run, &self.plan.service);
        let kind = step.kind.as_str().to_ascii_lowercase();
        let name = format!("svc-hook-{run}-{service}-{kind}-{}.service", step.index);
        name.parse().map_err(|error| Failure::from_error(Code::Internal, &error))
    }

    /// Runs a oneshot unit; what it wrote, and how it ended. A cancel ends it.
    async fn run_unit(
        &self,
        unit: &TransientUnit,
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
            ended = started => ended,
            () = self.engine.cancel.token().cancelled() => {
                let _ = systemd.run_job(JobVerb::Stop, &unit.name, KILL_AFTER + MARGIN).await;
                let (verb, unit) = (JobVerb::Start.to_string(), unit.name.to_string());
                Err(SystemdError::JobEnded { verb, unit, result: "canceled".to_owned() })
            }
        };
        // With the unit's end all that could write is gone.
        let output = timeout(MARGIN, reading).await.ok().and_then(Result::ok).unwrap_or_default();
        Ok((ended, output))
    }
}

/// The unit that runs a hook.
fn unit(name: &UnitName, hook: &Hook, path: &str) -> Result<TransientUnit, Failure> {
    let mut variables: Vec<String> = hook.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The hook's own PATH wins.
    variables.insert(0, format!("PATH={path}"));
    variables.push(format!("{MARK}={name}"));
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
    if let Some(file) = &hook.env_file {
        properties
            .push(("EnvironmentFiles", Value::EnvironmentFiles(vec![file.to_string_lossy().into_owned()])));
    }
    Ok(TransientUnit { name: name.clone(), properties })
}

/// The variable by which the processes of a hook in a container are known as svc's own.
const MARK: &str = "SVC_HOOK";

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
        SystemdError::JobEnded { result, .. } if result == "canceled" => "was cancelled".to_owned(),
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

/// Ends the processes of a hook in a container: those that carry its mark, and nobody else's.
fn end_marked(unit: &UnitName) {
    let mark = format!("{MARK}={unit}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { continue };
        let Ok(handle) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
            continue;
        };
        // Read after it was opened: it is the process of the handle.
        let variables = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if variables.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()) {
            let _ = rustix::process::pidfd_send_signal(&handle, rustix::process::Signal::KILL);
        }
    }
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
