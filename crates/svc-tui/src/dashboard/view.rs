//! The picture: a pure function of the model.

mod detail;
mod header;
mod help;
mod hints;
mod list;

use jiff::SignedDuration;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::model::{Mode, Model};
use crate::theme;
use crate::words::Tone;

/// From here on list and detail stand side by side.
const WIDE: u16 = 100;
/// Header, rule, headings above the list; hints below.
const AROUND_LIST: u16 = 4;
/// Overviews come every two seconds; when none came for so long, that is said.
const STALE: SignedDuration = SignedDuration::from_secs(10);

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let rows = [Constraint::Length(1), Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [top, rule, middle, bottom] = frame.area().layout(&Layout::vertical(rows));
    header::draw(frame, top, model);
    frame.render_widget(Block::new().borders(Borders::TOP).border_style(theme::style(Tone::Quiet)), rule);
    if model.size.0 >= WIDE {
        let columns = [Constraint::Min(0), Constraint::Length(detail_columns(model.size.0))];
        let [left, right] = middle.layout(&Layout::horizontal(columns));
        list::draw(frame, left, model);
        let inner = beside(frame, rule, right);
        detail::draw(frame, inner, model);
    } else if model.mode == Mode::Open {
        detail::draw(frame, middle.inner(Margin::new(1, 0)), model);
    } else {
        list::draw(frame, middle, model);
        draw_brief(frame, middle, model);
    }
    hints::draw(frame, bottom, model);
    if model.mode == Mode::Help {
        help::draw(frame, frame.area());
    }
}

/// The lines that the list has for services.
pub(crate) const fn list_lines(size: (u16, u16)) -> u16 {
    size.1.saturating_sub(AROUND_LIST)
}

/// Whether what is shown may be no longer true.
pub(crate) fn is_stale(model: &Model) -> bool {
    model.overview.as_ref().is_some_and(|overview| model.now.duration_since(overview.at) > STALE)
}

fn detail_columns(width: u16) -> u16 {
    (width * 2 / 5).clamp(42, 72)
}

/// Draws the line between list and detail, and gives what is right of it.
fn beside(frame: &mut Frame<'_>, rule: Rect, area: Rect) -> Rect {
    let block = Block::new().borders(Borders::LEFT).border_style(theme::style(Tone::Quiet));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let crossing = Rect { x: area.x, width: 1, ..rule };
    frame.render_widget(theme::span("┬", Tone::Quiet), crossing.intersection(frame.area()));
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// Where the list leaves lines free, the selected service is told in short below it.
fn draw_brief(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let services = model.overview.as_ref().map_or(0, |overview| overview.services.len());
    let brief = detail::brief(model, usize::from(area.width.saturating_sub(4)));
    let wanted = brief.len() + 1;
    let free = usize::from(area.height).saturating_sub(services + 2);
    if brief.is_empty() || free < wanted {
        return;
    }
    let height = u16::try_from(wanted).unwrap_or(u16::MAX);
    let bottom = Rect { y: area.bottom() - height, height, ..area };
    let block = Block::new().borders(Borders::TOP).border_style(theme::style(Tone::Quiet));
    let inner = block.inner(bottom).inner(Margin::new(2, 0));
    frame.render_widget(block, bottom);
    frame.render_widget(Paragraph::new(brief), inner);
}
