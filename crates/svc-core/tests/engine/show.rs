//! A plan in a few lines, for snapshots that people can judge.

use std::fmt::Display;
use std::fmt::Write;

use svc_core::plan::{BackupStep, ExchangePair, ForgetStep, Plan, PlannedStep, ServicePlan, Step, When};
use svc_core::retention::Judged;

use crate::house::House;

/// The plan as text, the house's own directory left out.
pub(crate) fn plan(house: &House, plan: &Plan) -> String {
    let mut text = String::new();
    for service in &plan.services {
        show_service(&mut text, service);
    }
    text.replace(house.path("").display().to_string().trim_end_matches('/'), "")
}

fn show_service(text: &mut String, service: &ServicePlan) {
    writeln!(text, "{}", service.service).unwrap();
    if let Some(reason) = &service.skipped {
        writeln!(text, "  skipped: {reason}").unwrap();
    }
    for failure in &service.refused {
        writeln!(text, "  refused {}: {}", failure.code.number(), failure.message).unwrap();
    }
    for planned in service.all_steps() {
        writeln!(text, "  {}", step(planned)).unwrap();
    }
}

fn step(planned: &PlannedStep) -> String {
    let when = match planned.when {
        When::Normal => "",
        When::Always => "always ",
        When::OnFailure => "on failure ",
    };
    format!("{when}{}  ({})", what(&planned.step), planned.reason)
}

fn what(step: &Step) -> String {
    match step {
        Step::CheckSources { sources, .. } => format!("check {}", list(sources.iter().map(|p| p.display()))),
        Step::WriteManifest { path } => format!("manifest {}", path.display()),
        Step::RecordPrior { running } => format!("prior [{}]", list(running)),
        Step::Hook(hook) => format!("hook {} {} {}", hook.kind.as_str(), hook.index, hook.label),
        Step::Pause { targets } => format!("pause {}", list(targets)),
        Step::Stop { targets } => format!("stop {}", list(targets)),
        Step::Resume { targets } => format!("resume {}", list(targets)),
        Step::Start { targets } => format!("start {}", list(targets)),
        Step::Restart { targets } => format!("restart {}", list(targets)),
        Step::AwaitHealth { targets, timeout } => {
            format!("await {} for {} s", list(targets), timeout.as_secs())
        }
        Step::Backup(step) => backup(step),
        Step::Stage(step) => format!(
            "stage {} from {} in {}: {} files",
            list(step.include.iter().map(|path| path.display())),
            step.repository,
            step.stage.display(),
            step.counts.files
        ),
        Step::VerifyStage(step) => format!("verify {}", step.stage.display()),
        Step::Exchange { pairs } => format!("exchange {}", list(pairs.iter().map(pair))),
        Step::Revert { stop, start, .. } => {
            let waves = |waves: &Vec<Vec<_>>| list(waves.iter().map(|wave| format!("[{}]", list(wave))));
            format!("revert, stopping {} and starting {}", waves(stop), waves(start))
        }
        Step::Forget(step) => forget(step),
        Step::DropStage { stage } => format!("drop {}", stage.display()),
        step => short_stop(step),
    }
}

/// What only keeps the stop short.
fn short_stop(step: &Step) -> String {
    match step {
        Step::SyncSources { paths } => format!("sync {}", list(paths.iter().map(|p| p.display()))),
        Step::Freeze(step) => {
            let copies = step.copies.iter().map(|copy| {
                format!("{} by {} to {}", copy.from.display(), copy.how.words(), copy.to.display())
            });
            let binds = step.binds.iter().map(|b| format!("{} on {}", b.from.display(), b.to.display()));
            format!("freeze {}; {}", list(copies), list(binds))
        }
        Step::DropFreeze { copies } => {
            format!("drop copies {}", list(copies.iter().map(|copy| copy.to.display())))
        }
        Step::ForgetHot { left } => {
            let one = |left: &svc_core::plan::HotLeft| format!("{} {:?}", left.repository, left.snapshots);
            format!("forget hot {}", list(left.iter().map(one)))
        }
        _ => String::new(),
    }
}

fn backup(step: &BackupStep) -> String {
    let sources = list(step.sources.iter().map(|path| path.display()));
    let parent = step.parent.as_ref().map_or("none", |id| id.short());
    let (tags, exclude) = (list(&step.tags), list(&step.exclude));
    let BackupStep { repository, host, .. } = step;
    format!("backup to {repository} of {sources} tags {tags} host {host} exclude {exclude} parent {parent}")
}

fn forget(step: &ForgetStep) -> String {
    let ids = |all: &[Judged]| list(all.iter().map(|one| one.id.short()));
    format!("forget in {}: {}, leaving [{}]", step.repository, ids(&step.forget), ids(&step.left))
}

fn pair(pair: &ExchangePair) -> String {
    format!("{} with {}", pair.live.display(), pair.staged.display())
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
