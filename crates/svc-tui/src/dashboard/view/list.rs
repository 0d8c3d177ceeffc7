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
use columns::{BACKUP, Backups, Columns, HEALTH, NEXT, SINCE, backup_width};

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
        if self.health {
            add("health", HEALTH);
        }
        if self.since {
            add("since", SINCE);
        }
        match &self.backups {
            Backups::Each(names) => names.iter().for_each(|name| add(name.as_str(), backup_width(name))),
            Backups::Worst => add("backup", BACKUP),
            Backups::None => {}
        }
        if self.next {
            add("next", NEXT);
        }
        Line::from(span(line, Tone::Quiet))
    }

    fn line(&self, service: &ServiceOverview, selected: bool, now: Timestamp) -> Line<'static> {
        let mut line = vec![
            span(if selected { "▌ " } else { "  " }, Tone::Busy),
            span(
                text::pad(service.name.as_str(), self.name),
                if selected { Tone::Strong } else { Tone::Plain },
            ),
        ];
        for (text, width, tone) in self.cells(service, now) {
            line.push(Span::raw(" ".repeat(self.gap)));
            line.push(span(text::pad(&text, width), tone));
        }
        let line = Line::from(line);
        if selected { line.patch_style(style(Tone::Strong)) } else { line }
    }

    /// What stands behind the name, each with its column's width.
    fn cells(&self, service: &ServiceOverview, now: Timestamp) -> Vec<(String, usize, Tone)> {
        let word = words::state(&service.state.word);
        let state = format!("{} {}", word.glyph, text::clean(&service.state.text));
        let mut cells = vec![(state, self.state, word.tone)];
        if self.health {
            let health = service.state.health.map(words::health);
            let (text, tone) = health.map_or(("", Tone::Quiet), |word| (word.text, word.tone));
            cells.push((text.to_owned(), HEALTH, tone));
        }
        if self.since {
            let since = service.state.since.map(|since| figures::span(since, now)).unwrap_or_default();
            cells.push((since, SINCE, Tone::Quiet));
        }
        let backup_cell = |(text, tone): (String, Tone), width| (text, width, tone);
        match &self.backups {
            Backups::Each(names) => cells
                .extend(names.iter().map(|name| backup_cell(backup(service, name, now), backup_width(name)))),
            Backups::Worst => cells.push(backup_cell(worst(service, now), BACKUP)),
            Backups::None => {}
        }
        if self.next {
            let due = service.next_run.as_ref().map(|next| figures::due(next.at, now)).unwrap_or_default();
            cells.push((due, NEXT, Tone::Quiet));
        }
        if self.description > 0 {
            let description = text::clean(service.description.as_deref().unwrap_or_default());
            cells.push((description, self.description, Tone::Quiet));
        }
        cells
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
