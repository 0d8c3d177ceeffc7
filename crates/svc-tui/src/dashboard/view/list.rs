//! The list: one line for each service, in columns.

mod columns;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use svc_core::names::RepositoryName;
use svc_core::overview::{RepositoryOverview, ServiceOverview};

use crate::dashboard::model::Model;
use crate::figures;
use crate::text;
use crate::theme::{span, style};
use crate::words::{self, Tone, Word};
use columns::{BACKUP, Backups, Columns, SINCE, backup_width};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let shown = model.shown();
    let Some(overview) = &model.overview else { return };
    if shown.is_empty() {
        let text = match (overview.services.is_empty(), model.filter.as_str()) {
            (false, filter) if !filter.is_empty() => format!("nothing has `{}` in it", text::clean(filter)),
            _ => "no service is configured".to_owned(),
        };
        return empty(frame, area, &text);
    }
    let columns = Columns::of(&overview.services, usize::from(area.width));
    let cursor = model.cursor(&shown);
    let mut lines = vec![columns.headings()];
    let visible =
        shown.iter().enumerate().skip(model.offset).take(usize::from(area.height).saturating_sub(1));
    lines.extend(visible.map(|(place, service)| columns.line(service, place == cursor, model.now)));
    frame.render_widget(Paragraph::new(lines), area);
}

fn empty(frame: &mut Frame<'_>, area: Rect, text: &str) {
    let middle = Rect { y: area.y + area.height / 3, height: area.height.min(1), ..area };
    frame.render_widget(Paragraph::new(span(text, Tone::Quiet)).alignment(Alignment::Center), middle);
}

impl Columns<'_> {
    fn headings(&self) -> Line<'static> {
        let mut line = format!("  {}", text::pad("service", self.name));
        let mut add = |heading: &str, width: usize| {
            line += &" ".repeat(self.gap);
            line += &text::pad(heading, width);
        };
        add("state", self.state);
        if self.since {
            add("since", SINCE);
        }
        match &self.backups {
            Backups::Each(names) => names.iter().for_each(|name| add(name.as_str(), backup_width(name))),
            Backups::Worst => add("backup", BACKUP),
            Backups::None => {}
        }
        Line::from(span(line, Tone::Quiet))
    }

    fn line(&self, service: &ServiceOverview, selected: bool, now: Timestamp) -> Line<'static> {
        let word = words::state(&service.state.word);
        let mut line = vec![
            span(if selected { "▌ " } else { "  " }, Tone::Busy),
            span(
                text::pad(service.name.as_str(), self.name),
                if selected { Tone::Strong } else { Tone::Plain },
            ),
        ];
        let mut add = |text: String, tone| {
            line.push(Span::raw(" ".repeat(self.gap)));
            line.push(span(text, tone));
        };
        let state = format!("{} {}", word.glyph, text::clean(&service.state.text));
        add(text::pad(&state, self.state), word.tone);
        if self.since {
            let since = service.state.since.map(|since| figures::span(since, now)).unwrap_or_default();
            add(text::pad(&since, SINCE), Tone::Quiet);
        }
        match &self.backups {
            Backups::Each(names) => {
                for name in names {
                    let (text, tone) = backup(service, name, now);
                    add(text::pad(&text, backup_width(name)), tone);
                }
            }
            Backups::Worst => {
                let (text, tone) = worst(service, now);
                add(text::pad(&text, BACKUP), tone);
            }
            Backups::None => {}
        }
        if self.description > 0 {
            let description = text::clean(service.description.as_deref().unwrap_or_default());
            add(text::fit(&description, self.description), Tone::Quiet);
        }
        let line = Line::from(line);
        if selected { line.patch_style(style(Tone::Strong)) } else { line }
    }
}

fn backup(service: &ServiceOverview, repository: &RepositoryName, now: Timestamp) -> (String, Tone) {
    match service.backups.iter().find(|backup| backup.repository == *repository) {
        Some(backup) => age(backup, now),
        None => ("–".to_owned(), Tone::Quiet),
    }
}

/// The worst of a service's backups: a failed one before an overdue one, the oldest of like ones.
fn worst(service: &ServiceOverview, now: Timestamp) -> (String, Tone) {
    let badness = |word: Word| match word.tone {
        Tone::Bad => 2,
        Tone::Warn => 1,
        _ => 0,
    };
    let key = |backup: &&RepositoryOverview| {
        let age = backup.last_good.as_ref().map_or(i64::MAX, |good| now.duration_since(good.at).as_secs());
        (badness(words::backup(backup)), age)
    };
    service
        .backups
        .iter()
        .max_by_key(key)
        .map_or_else(|| ("–".to_owned(), Tone::Quiet), |backup| age(backup, now))
}

/// A mark, and the age of the last good one.
fn age(backup: &RepositoryOverview, now: Timestamp) -> (String, Tone) {
    let word = words::backup(backup);
    let age =
        backup.last_good.as_ref().map_or_else(|| "never".to_owned(), |good| figures::span(good.at, now));
    (format!("{} {age}", word.glyph), word.tone)
}
