//! A plan before it is run: the short table, and the whole of it for `--dry-run`.

use svc_core::plan::{Pass, Plan, PlannedStep, ServicePlan, Step, When};
use svc_core::restic::Counts;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::steps::{self, headline};
use svc_tui::text;
use svc_tui::words::Tone;

use super::paint::{Look, fill, paint};
use super::table::{Column, Table};

/// From here on a step and its reason stand side by side.
const WIDE: usize = 100;

/// One row for each service: what will be done to it.
pub(crate) fn table(plan: &Plan, look: Look) -> String {
    let mut table = Table::new([Column::words("service"), Column::sentences("plan")]);
    for service in &plan.services {
        let name = Span::new(service.service.as_str(), Tone::Strong);
        table.row([name, what_is_done(service)]);
    }
    look.finish(format!("{}\n\n{}", title(plan, look), table.text(look.width)))
}

fn title(plan: &Plan, look: Look) -> String {
    let words: Vec<Span> =
        headline(&plan.goal).split(' ').map(|word| Span::new(word, Tone::Strong)).collect();
    fill(&words, look.width)
}

fn what_is_done(service: &ServicePlan) -> Span {
    let refused = service.refused.iter().map(|failure| text::clean(&failure.message));
    let refused: Vec<String> = refused.map(|message| format!("cannot: {message}")).collect();
    if !service.steps.is_empty() {
        let steps = std::iter::once(summary(service.all_steps())).chain(refused);
        return Span::new(steps.collect::<Vec<_>>().join("\n"), Tone::Plain);
    }
    match &service.skipped {
        Some(reason) => Span::new(format!("nothing: {}", text::clean(reason)), Tone::Quiet),
        None if refused.is_empty() => Span::new("nothing", Tone::Quiet),
        None => Span::new(refused.join("\n"), Tone::Bad),
    }
}

/// The steps that a person cares for, like ones taken together: `stop 3, save 2.8 GiB to remote, start 3`.
fn summary<'a>(planned: impl Iterator<Item = &'a PlannedStep> + Clone) -> String {
    let mut phrases: Vec<(String, usize, String)> = Vec::new();
    let pauses = planned.clone().any(|planned| matches!(planned.step, Step::Pause { .. }));
    let phrase = |planned| phrase(planned, pauses);
    for (verb, count, rest) in planned.filter(|step| step.when != When::OnFailure).filter_map(phrase) {
        match phrases.last_mut() {
            Some((last, sum, same)) if *last == verb && *same == rest => *sum += count,
            _ => phrases.push((verb, count, rest)),
        }
    }
    let say = |(verb, count, rest): (String, usize, String)| match count {
        0 => format!("{verb}{rest}"),
        count => format!("{verb} {count}{rest}"),
    };
    phrases.into_iter().map(say).collect::<Vec<_>>().join(", ")
}

/// A verb, how many it is about (0: that is no question), and the rest.
fn phrase(planned: &PlannedStep, pauses: bool) -> Option<(String, usize, String)> {
    let some = |verb: &str, count: usize| Some((verb.to_owned(), count, String::new()));
    let text = |text: String| Some((text, 0, String::new()));
    match &planned.step {
        Step::Hook(hook) => text(format!("{} hook {}", hook.kind.as_str(), text::clean(&hook.label))),
        Step::Pause { targets } => some("pause", targets.len()),
        Step::Stop { targets } => some("stop", targets.len()),
        Step::Resume { targets } if pauses => some("resume", targets.len()),
        Step::Resume { targets } => Some(("start".to_owned(), targets.len(), " again".to_owned())),
        Step::Start { targets } => some("start", targets.len()),
        Step::Restart { targets } => some("restart", targets.len()),
        Step::Freeze(step) => text(format!("freeze by {}", step.means())),
        Step::Backup(step) if step.pass == Pass::Hot => {
            text(format!("save to {} while it runs", step.repository))
        }
        Step::Backup(step) => {
            let size = step.previous.map_or_else(|| "for the first time".to_owned(), about);
            text(format!("save to {} ({size})", step.repository))
        }
        Step::Stage(step) => {
            let size = figures::bytes(step.counts.bytes);
            text(format!("stage {size} of snapshot {}", step.snapshot.short()))
        }
        Step::Exchange { pairs } => {
            text(format!("exchange {}", figures::plural(pairs.len(), "tree", "trees")))
        }
        Step::Forget(step) if !step.forget.is_empty() => {
            text(format!("forget {} in {}", step.forget.len(), step.repository))
        }
        Step::CheckSources { .. }
        | Step::WriteManifest { .. }
        | Step::RecordPrior { .. }
        | Step::SyncSources { .. }
        | Step::DropFreeze { .. }
        | Step::ForgetHot { .. }
        | Step::AwaitHealth { .. }
        | Step::VerifyStage(_)
        | Step::Revert { .. }
        | Step::Forget(_)
        | Step::DropStage { .. } => None,
    }
}

fn about(counts: Counts) -> String {
    format!("last {}", figures::bytes(counts.bytes))
}

/// Every step with its reason, service by service.
pub(crate) fn plan_text(plan: &Plan, look: Look) -> String {
    let services: String = plan.services.iter().map(|service| service_text(service, look)).collect();
    look.finish(format!("{}\n{services}", title(plan, look)))
}

fn service_text(service: &ServicePlan, look: Look) -> String {
    let name = paint(service.service.as_str(), Tone::Strong);
    let after: Vec<String> = service.after.iter().map(ToString::to_string).collect();
    let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
    let after = paint(&after, Tone::Quiet);
    format!("\n{name}{after}\n{}{}", obstacles(service, look), step_table(service, look))
}

fn obstacles(service: &ServicePlan, look: Look) -> String {
    let mut skipped = Table::new([Column::sentences("")]);
    if let Some(reason) = &service.skipped {
        skipped.row([Span::new(format!("nothing to do: {}", text::clean(reason)), Tone::Quiet)]);
    }
    let mut table = Table::new([Column::words(""), Column::sentences("")]);
    let mut row = |word: &str, tone, text: &str| {
        table.row([Span::new(word, tone), Span::new(text::clean(text), Tone::Plain)]);
    };
    for failure in &service.refused {
        row("cannot:", Tone::Bad, &failure.message);
        failure.causes.iter().for_each(|cause| row("caused by:", Tone::Quiet, cause));
        failure.hint.iter().for_each(|hint| row("hint:", Tone::Busy, hint));
    }
    skipped.text(look.width) + &table.text(look.width)
}

fn step_table(service: &ServicePlan, look: Look) -> String {
    let wide = look.width >= WIDE;
    let step = if wide { Column::sentences("").share(55) } else { Column::sentences("") };
    let mut table = Table::new([Column::figures(""), step, Column::sentences("")]);
    for (index, planned) in service.all_steps().enumerate() {
        let number = Span::new((index + 1).to_string(), Tone::Quiet);
        let (what, why) = (steps::describe(planned), text::clean(&planned.reason));
        if wide {
            table.row([number, Span::new(what, Tone::Plain), Span::new(why, Tone::Quiet)]);
        } else {
            table.row([number, Span::new(what, Tone::Plain)]);
            table.row([Span::new("", Tone::Plain), Span::new(format!("({why})"), Tone::Quiet)]);
        }
    }
    table.text(look.width)
}
