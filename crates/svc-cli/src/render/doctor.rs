//! What the doctor found: the worst with its fix below it.

use svc_core::doctor::{Diagnosis, Finding, Grade};
use svc_tui::figures;
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::{self, Tone};

use super::messages::{is_command, next_line};
use super::paint::{Look, paint};
use super::runs::mark;
use super::table::{Column, Table};

/// More causes than this are left to `--json`.
const CAUSES: usize = 2;

/// One row for each finding, and how many of them need a person.
pub(crate) fn finding_table(diagnosis: &Diagnosis, look: Look) -> String {
    let mut table = Table::new([Column::words("check"), Column::words(""), Column::sentences("")]);
    for finding in &diagnosis.findings {
        let tone = match finding.grade {
            Grade::Good | Grade::Skipped => Tone::Quiet,
            Grade::Warning | Grade::Problem => Tone::Plain,
        };
        table.row([
            Span::new(text::clean(&finding.check), Tone::Strong),
            mark(words::grade(finding.grade), look),
            Span::new(told(finding), tone),
        ]);
    }
    look.finish(format!("{}\n{}\n", table.text(look.width), sum(diagnosis)))
}

/// What was found, why, and the fix, each on lines of its own.
fn told(finding: &Finding) -> String {
    // restic says the same again and again while it retries.
    let causes = finding.causes.iter().flat_map(|cause| cause.lines()).take(CAUSES);
    let causes = causes.map(|cause| format!("because: {}", text::clean(cause)));
    let fix = finding.fix.as_deref().map(|fix| format!("fix: {}", text::clean(fix)));
    let lines = std::iter::once(text::clean(&finding.said)).chain(causes).chain(fix);
    lines.collect::<Vec<_>>().join("\n")
}

fn sum(diagnosis: &Diagnosis) -> String {
    let count = |grade| diagnosis.findings.iter().filter(|finding| finding.grade == grade).count();
    let (problems, warnings) = (count(Grade::Problem), count(Grade::Warning));
    let (problems_said, warnings_said) =
        (figures::plural(problems, "problem", "problems"), figures::plural(warnings, "warning", "warnings"));
    match (problems, warnings) {
        (0, 0) => paint("nothing is in the way", Tone::Good),
        (0, _) => paint(&format!("nothing is in the way; {warnings_said}"), Tone::Warn),
        (_, 0) => paint(&problems_said, Tone::Bad),
        (..) => paint(&format!("{problems_said}, {warnings_said}"), Tone::Bad),
    }
}

/// For stderr: what to type first; empty when there is no problem.
pub(crate) fn first_fix(diagnosis: &Diagnosis, colour: bool) -> String {
    let problems = diagnosis.findings.iter().filter(|finding| finding.grade == Grade::Problem);
    let fixes: Vec<&str> = problems.filter_map(|finding| finding.fix.as_deref()).collect();
    let first = fixes.iter().find(|fix| is_command(fix)).or(fixes.first());
    first.map(|fix| next_line(fix, colour)).unwrap_or_default()
}
