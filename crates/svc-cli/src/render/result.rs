//! How a run ended: one row for each service, and one line for the whole.

use svc_core::code::Code;
use svc_core::names::SnapshotId;
use svc_core::plan::{BackupStep, Plan, Step};
use svc_core::report::{Report, ServiceReport, SnapshotReport, UnsavedReport};
use svc_core::restic::Counts;
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::steps;
use svc_tui::text;
use svc_tui::words::{self, Tone, Word};

use super::paint::{Look, fill};
use super::table::{Column, Table};

const COLUMNS: [Column; 10] = [
    Column::words("service"),
    Column::words("result"),
    Column::words("repository"),
    Column::words("snapshot"),
    Column::figures("files").spare(5),
    Column::figures("size").spare(2),
    Column::figures("added").spare(3),
    Column::figures("downtime").spare(4),
    Column::figures("took").spare(1),
    Column::sentences("").spare(6),
];

/// The table of results and the sum below it.
pub(crate) fn table(report: &Report, plan: Option<&Plan>, look: Look) -> String {
    let mut table = Table::new(COLUMNS);
    for service in &report.services {
        for row in rows(service, plan) {
            table.row(row.cells(look));
        }
    }
    look.finish(format!("{}\n{}\n{}", table.text(look.width), sum(report, look), kept(report)))
}

/// Where what was replaced lies.
fn kept(report: &Report) -> String {
    let trees = report.services.iter().flat_map(|one| one.kept.iter().map(move |tree| (&one.service, tree)));
    let lines: Vec<String> = trees
        .map(|(name, tree)| format!("The old data of `{name}` is kept in {}\n", steps::path(tree)))
        .collect();
    lines.concat()
}

/// A row: a service, or one of its repositories.
struct Row<'a> {
    service: &'a ServiceReport,
    /// The first one of its service says what is true of the whole service.
    first: bool,
    word: Word,
    repository: &'a str,
    snapshot: Option<&'a SnapshotId>,
    counts: Option<Counts>,
    added: Option<u64>,
}

impl<'a> Row<'a> {
    fn without_snapshot(service: &'a ServiceReport) -> Self {
        let (word, repository) = (words::result(service), "");
        Self { service, first: true, word, repository, snapshot: None, counts: None, added: None }
    }

    fn saved(service: &'a ServiceReport, saved: &'a SnapshotReport) -> Self {
        let (word, repository) = (words::outcome(saved.code), saved.repository.as_str());
        let (counts, added) = (Some(saved.counts), Some(saved.added));
        Self { service, first: true, word, repository, snapshot: Some(&saved.id), counts, added }
    }

    fn cells(&self, look: Look) -> Vec<Span> {
        let plain = |text: Option<String>| Span::new(text.unwrap_or_default(), Tone::Plain);
        let once = |text: Option<String>| text.filter(|_| self.first);
        let took = Some(figures::millis(self.service.took_ms)).filter(|_| self.service.skipped.is_none());
        let word = self.word;
        let said = if look.glyphs { format!("{} {}", word.glyph, word.text) } else { word.text.to_owned() };
        vec![
            Span::new(once(Some(self.service.service.to_string())).unwrap_or_default(), Tone::Strong),
            Span::new(said, word.tone),
            Span::new(self.repository, Tone::Plain),
            plain(self.snapshot.map(|id| id.short().to_owned())),
            plain(self.counts.map(|counts| figures::count(counts.files))),
            plain(self.counts.map(|counts| figures::bytes(counts.bytes))),
            plain(self.added.map(figures::bytes)),
            plain(once(self.service.downtime_ms.map(figures::millis))),
            Span::new(once(took).unwrap_or_default(), Tone::Quiet),
            Span::new(self.service.skipped.as_deref().map(text::clean).unwrap_or_default(), Tone::Quiet),
        ]
    }
}

fn rows<'a>(service: &'a ServiceReport, plan: Option<&'a Plan>) -> Vec<Row<'a>> {
    let several = plan.is_some_and(|plan| plan.goal.repositories().len() > 1);
    match service.snapshots.as_slice() {
        [] if !several || service.unsaved.is_empty() => {
            let (snapshot, counts) = (service.restored.as_ref(), staged(service, plan));
            vec![Row { snapshot, counts, ..Row::without_snapshot(service) }]
        }
        [one] if !several => {
            vec![Row { word: words::result(service), repository: "", ..Row::saved(service, one) }]
        }
        snapshots => {
            let saved = snapshots.iter().map(|snapshot| Row::saved(service, snapshot));
            let without = without(service, plan).into_iter().map(|(repository, word)| Row {
                word,
                repository,
                ..Row::without_snapshot(service)
            });
            saved.chain(without).enumerate().map(|(place, row)| Row { first: place == 0, ..row }).collect()
        }
    }
}

fn steps_of<'a>(service: &ServiceReport, plan: Option<&'a Plan>) -> impl Iterator<Item = &'a Step> {
    let plans = plan.into_iter().flat_map(|plan| &plan.services);
    plans.filter(|plan| plan.service == service.service).flat_map(|plan| &plan.steps).map(|one| &one.step)
}

/// What a restore took from its snapshot: the plan knows how much that was.
fn staged(service: &ServiceReport, plan: Option<&Plan>) -> Option<Counts> {
    service.restored.as_ref()?;
    let staged = steps_of(service, plan).filter_map(|step| match step {
        Step::Stage(stage) => Some(stage.counts),
        _ => None,
    });
    staged.reduce(|sum, next| Counts { files: sum.files + next.files, bytes: sum.bytes + next.bytes })
}

/// The repositories that got no snapshot, each with why; one without a name where all is saved and something else went wrong.
fn without<'a>(service: &'a ServiceReport, plan: Option<&'a Plan>) -> Vec<(&'a str, Word)> {
    if !service.unsaved.is_empty() {
        let own = |one: &'a UnsavedReport| (one.repository.as_str(), words::outcome(one.code));
        return service.unsaved.iter().map(own).collect();
    }
    // Reports of before do not tell, and nobody does of a service that another run holds.
    let saved = |step: &&BackupStep| service.snapshots.iter().any(|one| one.repository == step.repository);
    let planned = steps_of(service, plan).filter_map(|step| match step {
        Step::Backup(step) => Some(step),
        _ => None,
    });
    let missing: Vec<&str> =
        planned.filter(|step| !saved(step)).map(|step| step.repository.as_str()).collect();
    let unsaid =
        service.snapshots.iter().all(|snapshot| snapshot.code == Code::Ok) && service.code != Code::Ok;
    let missing = if missing.is_empty() && unsaid { vec![""] } else { missing };
    missing.into_iter().map(|repository| (repository, words::result(service))).collect()
}

/// `3 services: 1 ok, 1 failed, 1 skipped, in 2 min 5 s`.
fn sum(report: &Report, look: Look) -> String {
    let mut words: Vec<(Word, usize)> = Vec::new();
    for word in report.services.iter().map(words::result) {
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => words.push((word, 1)),
        }
    }
    let services = figures::plural(report.services.len(), "service", "services");
    let mut pieces = vec![Span::new(format!("{services}:"), Tone::Plain)];
    pieces.extend(
        words.into_iter().map(|(word, count)| Span::new(format!("{count} {},", word.text), word.tone)),
    );
    pieces.push(Span::new(format!("in {}", figures::millis(report.took_ms)), Tone::Plain));
    fill(&pieces, look.width)
}
