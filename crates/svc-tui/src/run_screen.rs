//! A run on a whole screen: what is under way above, what has happened below.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;

use jiff::Timestamp;
use ratatui::backend::Backend;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph};
use ratatui::{Frame, Terminal};
use svc_core::event::Event;
use svc_core::renderer::Renderer;
use svc_core::view::View;

use crate::live;
use crate::steps;
use crate::story::Story;
use crate::text;
use crate::theme::{self, span, style};
use crate::words::Tone;

/// As many past lines are kept as the tallest terminal shows.
const KEPT: usize = 500;

/// A run as the screen shows it.
#[derive(Debug, Default)]
pub struct RunModel {
    view: View,
    story: Story,
    told: VecDeque<(Option<String>, String)>,
    now: Option<Timestamp>,
}

impl RunModel {
    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        self.view.apply(event);
        self.now = self.now.max(Some(event.at));
        let name = event.body.service().map(ToString::to_string);
        let lines = self.story.tell(event, &self.view);
        self.told.extend(lines.into_iter().map(|line| (name.clone(), line)));
        let excess = self.told.len().saturating_sub(KEPT);
        self.told.drain(..excess);
    }

    /// Lets time go by.
    pub fn tick(&mut self, now: Timestamp) {
        if self.view.report.is_none() {
            self.now = Some(now);
        }
    }

    /// Draws the run.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width.saturating_sub(1));
        let most = usize::from(area.height / 2).max(3);
        let now = self.now.unwrap_or_default();
        let mut lines = live::lines(&self.view, now, width, most);
        let summary = lines.pop().unwrap_or_default();
        let services = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let rows = [1, 1, services, 1, 1].map(Constraint::Length);
        let [top, upper, middle, lower, past] =
            area.layout(&Layout::vertical(rows.into_iter().take(4).chain([Constraint::Min(0)])));
        self.draw_title(frame, top, summary);
        let rule = Block::new().borders(Borders::TOP).border_style(style(Tone::Quiet));
        frame.render_widget(&rule, upper);
        frame.render_widget(Paragraph::new(lines.into_iter().map(theme::line).collect::<Vec<_>>()), middle);
        frame.render_widget(&rule, lower);
        self.draw_past(frame, past);
    }

    fn draw_title(&self, frame: &mut Frame<'_>, area: Rect, summary: live::Line) {
        let title = self.view.plan.as_ref().map(|plan| steps::headline(&plan.goal)).unwrap_or_default();
        let summary = theme::line(summary);
        let room = usize::from(area.width).saturating_sub(summary.width() + 2);
        frame
            .render_widget(Paragraph::new(span(format!(" {}", text::fit(&title, room)), Tone::Strong)), area);
        let right = Rect { width: area.width.saturating_sub(1), ..area };
        frame.render_widget(Paragraph::new(summary).alignment(Alignment::Right), right);
    }

    /// The newest line is the last one.
    fn draw_past(&self, frame: &mut Frame<'_>, area: Rect) {
        let names = self.view.services.keys().map(|name| text::width(name.as_str()));
        let column = names.max().unwrap_or(0).min(usize::from(area.width / 3));
        let line = |(name, told): &(Option<String>, String)| {
            let name = format!("    {}  ", text::pad(name.as_deref().unwrap_or_default(), column));
            let told = text::fit(told, usize::from(area.width).saturating_sub(text::width(&name)));
            Line::from(vec![span(name, Tone::Quiet), span(told, Tone::Plain)])
        };
        let first = self.told.len().saturating_sub(usize::from(area.height));
        let lines: Vec<Line<'_>> = self.told.iter().skip(first).map(line).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }
}

/// Shows a run on a terminal of its own.
#[derive(Debug)]
pub struct RunScreen<B: Backend> {
    terminal: Terminal<B>,
    model: RunModel,
}

impl<B: Backend> RunScreen<B>
where
    B::Error: Send + Sync + 'static,
{
    /// Shows on this terminal, which the caller has taken and gives back.
    #[must_use]
    pub fn new(terminal: Terminal<B>) -> Self {
        Self { terminal, model: RunModel::default() }
    }

    /// The terminal, as it looks now.
    pub const fn terminal(&self) -> &Terminal<B> {
        &self.terminal
    }

    fn draw(&mut self) -> io::Result<()> {
        let drawn = self.terminal.draw(|frame| self.model.draw(frame, frame.area()));
        drawn.map(drop).map_err(io::Error::other)
    }
}

impl<B: Backend + Send> Renderer for RunScreen<B>
where
    B::Error: Send + Sync + 'static,
{
    fn render(&mut self, event: &Event) -> io::Result<()> {
        self.model.apply(event);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        self.model.tick(now);
        self.draw()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.draw()
    }

    fn is_live(&self) -> bool {
        true
    }
}
