//! The configuration: what is wrong with it, and what of it counts.

use std::path::Path;

use serde_json::Value;
use svc_core::config::{Effective, Leaf, Origin, Problem};
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::Tone;

use super::paint::{Look, paint};
use super::services::blank;
use super::table::{Column, Table};

/// Each problem at a place that editors and terminals open, with its hint below.
pub(crate) fn problem_lines(file: &Path, label: &str, problems: &[Problem], colour: bool) -> String {
    let tone = if label == "error:" { Tone::Bad } else { Tone::Warn };
    let file = text::clean(&file.display().to_string());
    let line = |problem: &Problem| {
        let hint =
            problem.hint.as_deref().map(|hint| format!("  {}\n", text::clean(hint))).unwrap_or_default();
        format!("{} {file}:{}\n{hint}", paint(label, tone), text::clean(&problem.to_string()))
    };
    Look { width: 0, colour, glyphs: false }.finish(problems.iter().map(line).collect())
}

/// One row for each value, in the order of the format; unset ones only when all is asked for.
pub(crate) fn effective_table(seen: &Effective, all: bool, look: Look) -> String {
    let mut table =
        Table::new([Column::words("key"), Column::sentences("value"), Column::words("from").spare(1)]);
    let mut section = "";
    let is_told = |leaf: &&Leaf| all || !is_unset(&leaf.value) || leaf.origin != Origin::Default;
    for leaf in seen.leaves.iter().filter(is_told) {
        if leaf.section != section {
            section = &leaf.section;
            table.row([Span::new(text::clean(section), Tone::Strong), blank(), blank()]);
        }
        let indent = if section.is_empty() { "" } else { "  " };
        let tone = if leaf.origin == Origin::Default { Tone::Quiet } else { Tone::Plain };
        table.row([
            Span::new(format!("{indent}{}", text::clean(&leaf.key)), Tone::Plain),
            Span::new(shown(&leaf.value), Tone::Plain),
            Span::new(from(&leaf.origin, section), tone),
        ]);
    }
    let head = format!("from {}: line:column\n\n", text::clean(&seen.file.display().to_string()));
    look.finish(format!("{head}{}", table.text(look.width)))
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "unset".to_owned(),
        Value::String(said) => text::clean(said),
        Value::Array(elements) if elements.is_empty() => "none".to_owned(),
        Value::Array(elements) => elements.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(entries) if entries.is_empty() => "none".to_owned(),
        other => other.to_string(),
    }
}

/// `12:34`, `default`, `backup.paths`.
fn from(origin: &Origin, section: &str) -> String {
    match origin {
        Origin::File { line, column } => format!("{line}:{column}"),
        Origin::Default => "default".to_owned(),
        Origin::Hostname => "hostname".to_owned(),
        Origin::Environment { variable } => variable.clone(),
        Origin::Derived { path } => {
            path.strip_prefix(section).unwrap_or(path).trim_start_matches('.').to_owned()
        }
    }
}
