//! One service of a run as one line, in columns that all of them share.

use jiff::Timestamp;
use svc_core::plan::{Step, Target};
use svc_core::report::ServiceReport;
use svc_core::view::{ServiceView, Transfer};

use super::{Line, Span, cut, elapsed};
use crate::figures;
use crate::text;
use crate::words::{self, Tone};

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const BAR_LEAST: usize = 8;
const BAR_MOST: usize = 30;
/// `1023 MiB/s`.
const PACE: usize = 10;
/// `59 min left`.
const LEFT: usize = 11;

/// Widths that all lines of one picture share.
pub(super) struct Columns {
    width: usize,
    name: usize,
    phase: usize,
    several: bool,
}

impl Columns {
    /// With `several` repositories each line says which one it is about.
    pub(super) fn of(services: &[(&str, &ServiceView)], width: usize, several: bool) -> Self {
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let name = longest(&mut services.iter().map(|(name, _)| text::width(name))).min((width / 3).max(8));
        let at_work = services.iter().filter(|(_, service)| service.report.is_none());
        let phase = longest(&mut at_work.map(|(_, service)| text::width(&phase(service, several))));
        Self { width, name, phase: phase.min(width.saturating_sub(name + 6)), several }
    }

    /// What is left to the right of the phase.
    const fn room(&self) -> usize {
        self.width.saturating_sub(self.name + 6 + self.phase)
    }
}

/// The line of one service.
pub(super) fn line(name: &str, service: &ServiceView, now: Timestamp, columns: &Columns) -> Line {
    let (glyph, tone) = mark(service, now);
    let name = text::pad(&text::clean(name), columns.name);
    let mut line = vec![
        Span::new("  ", Tone::Plain),
        Span::new(glyph, tone),
        Span::new(" ", Tone::Plain),
        Span::new(name, Tone::Strong),
        Span::new("  ", Tone::Plain),
    ];
    match &service.report {
        Some(report) => line.extend(ended(report)),
        None => line.extend(at_work(service, now, columns)),
    }
    cut(line, columns.width)
}

fn mark(service: &ServiceView, now: Timestamp) -> (char, Tone) {
    match &service.report {
        Some(report) => {
            let word = words::result(report);
            (word.glyph, word.tone)
        }
        None if service.began.is_none() => ('·', Tone::Quiet),
        None => {
            let turn = usize::try_from(now.as_millisecond() / 100).unwrap_or(0);
            (SPINNER.get(turn % SPINNER.len()).copied().unwrap_or('·'), Tone::Busy)
        }
    }
}

/// What is being done, and to which repository where there are several.
fn phase(service: &ServiceView, several: bool) -> String {
    match &service.step {
        Some((Step::Backup(step), _)) if several => format!("backing up to {}", step.repository),
        Some((step, _)) => step.phase().to_owned(),
        None if service.began.is_some() => "working".to_owned(),
        None => "waiting".to_owned(),
    }
}

fn ended(report: &ServiceReport) -> Line {
    let word = words::result(report);
    let mut line = vec![Span::new(word.text, word.tone)];
    let mut add = |text: String, tone| line.push(Span::new(format!("  {text}"), tone));
    if let Some(reason) = &report.skipped {
        add(text::clean(reason), Tone::Quiet);
    } else if let Some(failure) = report.failures.first() {
        add(text::clean(&failure.message), Tone::Plain);
    } else {
        for snapshot in &report.snapshots {
            add(format!("{} in {}", snapshot.id.short(), snapshot.repository), Tone::Plain);
        }
        add(figures::millis(report.took_ms), Tone::Quiet);
        if let Some(downtime) = report.downtime_ms {
            add(format!("down {}", figures::millis(downtime)), Tone::Quiet);
        }
    }
    line
}

fn at_work(service: &ServiceView, now: Timestamp, columns: &Columns) -> Line {
    let tone = if service.began.is_some() { Tone::Plain } else { Tone::Quiet };
    let mut line = vec![Span::new(text::pad(&phase(service, columns.several), columns.phase), tone)];
    let down = service.down_since.map(|since| format!("down {}", elapsed(since, now)));
    match (&service.transfer, &service.step) {
        (Some(transfer), _) => line.extend(transfer_parts(transfer, down, columns.room())),
        (None, Some((step, since))) => line.extend(step_parts(step, *since, down, now, columns.room())),
        (None, None) => {}
    }
    line
}

/// What a step works on, and for how long already.
fn step_parts(step: &Step, since: Timestamp, down: Option<String>, now: Timestamp, room: usize) -> Line {
    let on: Vec<String> = targets(step).iter().map(|target| text::clean(&target.to_string())).collect();
    let took = format!("  {}", elapsed(since, now));
    let down = down.map(|down| format!("  {down}")).unwrap_or_default();
    let rest = room.saturating_sub(text::width(&took) + text::width(&down) + 2);
    let mut line = Vec::new();
    if !on.is_empty() && rest >= BAR_LEAST {
        line.push(Span::new(format!("  {}", text::fit(&on.join(", "), rest)), Tone::Quiet));
    }
    line.push(Span::new(took, Tone::Quiet));
    line.push(Span::new(down, Tone::Warn));
    line
}

fn targets(step: &Step) -> &[Target] {
    match step {
        Step::Stop { targets }
        | Step::Pause { targets }
        | Step::Resume { targets }
        | Step::Start { targets }
        | Step::Restart { targets }
        | Step::AwaitHealth { targets, .. } => targets,
        Step::CheckSources { .. }
        | Step::WriteManifest { .. }
        | Step::RecordPrior { .. }
        | Step::SyncSources { .. }
        | Step::Freeze(_)
        | Step::DropFreeze { .. }
        | Step::Hook(_)
        | Step::Backup(_)
        | Step::ForgetHot { .. }
        | Step::Stage(_)
        | Step::VerifyStage(_)
        | Step::Exchange { .. }
        | Step::Revert { .. }
        | Step::Forget(_)
        | Step::DropStage { .. } => &[],
    }
}

/// Bar, percent, pace and time left: as many of them as there is room for, the most telling ones first.
fn transfer_parts(transfer: &Transfer, down: Option<String>, room: usize) -> Line {
    let mut room = room;
    let mut takes = |columns: usize| {
        let fits = columns + 2 <= room;
        room -= if fits { columns + 2 } else { 0 };
        fits
    };
    let done = match transfer.ratio() {
        Some(ratio) => text::pad_left(&figures::percent(ratio), 5),
        None => figures::bytes(transfer.progress.done.bytes),
    };
    let done = takes(text::width(&done)).then_some(done);
    let left = transfer.seconds_left().filter(|_| takes(LEFT));
    let bar = transfer.ratio().filter(|_| takes(BAR_LEAST));
    let pace = transfer.bytes_per_second().filter(|_| takes(PACE));
    let down = down.filter(|down| takes(text::width(down)));
    let mut line = Vec::new();
    if let Some(ratio) = bar {
        line.extend(bar_parts(ratio, (BAR_LEAST + room).min(BAR_MOST)));
    }
    let mut add = |text: String, tone| line.push(Span::new(format!("  {text}"), tone));
    if let Some(done) = done {
        add(done, Tone::Strong);
    }
    if let Some(pace) = pace {
        add(text::pad_left(&figures::pace(pace), PACE), Tone::Plain);
    }
    if let Some(left) = left {
        // Filled up only before something that it keeps in its column.
        let column = if down.is_some() { LEFT } else { 0 };
        add(format!("{:column$}", figures::left(left)), Tone::Quiet);
    }
    if let Some(down) = down {
        add(down, Tone::Warn);
    }
    line
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the bar's length")]
#[expect(clippy::cast_precision_loss, reason = "a bar has some ten columns")]
fn bar_parts(ratio: f64, length: usize) -> Line {
    let done = ((ratio * length as f64) as usize).min(length);
    vec![
        Span::new("  ", Tone::Plain),
        Span::new("━".repeat(done), Tone::Busy),
        Span::new("─".repeat(length - done), Tone::Quiet),
    ]
}
