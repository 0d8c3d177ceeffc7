//! Tables without borders, for 40 columns and for 200: what matters least goes first, what is long is wrapped.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, TableStyle, Width,
};
use svc_tui::live::Span;
use svc_tui::text;
use svc_tui::words::Tone;

/// Between two columns, and before the first.
const GAP: usize = 2;
/// The least width of a column that wraps.
const WRAPPED: usize = 18;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    right: bool,
    wraps: bool,
    share: Option<u16>,
    /// The column with the highest number is left out first where room is short; 0: never.
    spare: u8,
}

impl Column {
    /// A column of words.
    pub(crate) const fn words(heading: &'static str) -> Self {
        Self { heading, right: false, wraps: false, share: None, spare: 0 }
    }

    /// A column of figures, aligned on the right.
    pub(crate) const fn figures(heading: &'static str) -> Self {
        Self { heading, right: true, wraps: false, share: None, spare: 0 }
    }

    /// A column of sentences, wrapped where they are long.
    pub(crate) const fn sentences(heading: &'static str) -> Self {
        Self { heading, right: false, wraps: true, share: None, spare: 0 }
    }

    /// The same with a fixed share of the width, in percent: tables below each other stay aligned.
    pub(crate) const fn share(mut self, percent: u16) -> Self {
        self.share = Some(percent);
        self
    }

    /// The same, left out where room is short: the highest number first.
    pub(crate) const fn spare(mut self, order: u8) -> Self {
        self.spare = order;
        self
    }
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Span>>,
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row: one piece for each column. Line breaks in a piece stay.
    pub(crate) fn row(&mut self, row: impl Into<Vec<Span>>) {
        self.rows.push(row.into());
    }

    /// The table, painted, in at most `width` columns; each line ends with a line break.
    pub(crate) fn text(&self, width: usize) -> String {
        let shown = self.shown(width);
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX)).enforce_styling().style_text_only();
        if self.columns.iter().any(|column| !column.heading.is_empty()) {
            let heading =
                |&index: &usize| Span::new(self.columns.get(index).map_or("", |c| c.heading), Tone::Quiet);
            table.set_header(shown.iter().map(heading).map(|span| cell(&span)).collect::<Vec<_>>());
        }
        for row in &self.rows {
            let cells = shown.iter().map(|&index| row.get(index).map_or_else(|| Cell::new(""), cell));
            table.add_row(cells.collect::<Vec<_>>());
        }
        self.arrange(&mut table, &shown, width);
        table.lines().map(|line| trim(&line) + "\n").collect()
    }

    fn arrange(&self, table: &mut comfy_table::Table, shown: &[usize], width: usize) {
        let squeezed = self.squeezed(shown, width);
        for (place, &index) in shown.iter().enumerate() {
            let (Some(column), Some(comfy)) = (self.columns.get(index), table.column_mut(place)) else {
                continue;
            };
            comfy.set_padding((u16::try_from(GAP).unwrap_or(2), 0));
            if column.right {
                comfy.set_cell_alignment(CellAlignment::Right);
            }
            if let Some(columns) = squeezed.get(place) {
                // The padding counts.
                let columns = u16::try_from(columns + GAP).unwrap_or(u16::MAX);
                comfy.set_constraint(ColumnConstraint::Absolute(Width::Fixed(columns)));
            } else if let Some(share) = column.share {
                comfy.set_constraint(ColumnConstraint::Absolute(Width::Percentage(share)));
            } else if !column.wraps && self.content(index) <= width / 2 {
                comfy.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }

    /// Widths where not even the columns that are never left out have room side by side: the widest gives way.
    fn squeezed(&self, shown: &[usize], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = shown.iter().map(|&index| self.least(index)).collect();
        let needed = |widths: &[usize]| widths.iter().map(|columns| columns + GAP).sum::<usize>();
        if needed(&widths) <= width {
            return Vec::new();
        }
        while needed(&widths) > width {
            match widths.iter_mut().max() {
                Some(widest) if *widest > 1 => *widest -= 1,
                _ => break,
            }
        }
        widths
    }

    /// The columns that say anything and for which there is room.
    fn shown(&self, width: usize) -> Vec<usize> {
        let says =
            |index: &usize| self.rows.iter().any(|row| row.get(*index).is_some_and(|s| !s.text.is_empty()));
        let mut shown: Vec<usize> = (0..self.columns.len()).filter(says).collect();
        while shown.iter().map(|&index| self.least(index) + GAP).sum::<usize>() > width {
            let spare = |index: &usize| self.columns.get(*index).map_or(0, |column| column.spare);
            match shown.iter().enumerate().max_by_key(|(_, index)| spare(index)) {
                Some((place, index)) if spare(index) > 0 => drop(shown.remove(place)),
                _ => break,
            }
        }
        shown
    }

    fn least(&self, index: usize) -> usize {
        let wraps = self.columns.get(index).is_some_and(|column| column.wraps);
        if wraps { self.content(index).min(WRAPPED) } else { self.content(index) }
    }

    fn content(&self, index: usize) -> usize {
        let heading = self.columns.get(index).map_or(0, |column| text::width(column.heading));
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        cells.flat_map(|span| span.text.lines()).map(text::width).max().unwrap_or(0).max(heading)
    }
}

fn cell(span: &Span) -> Cell {
    let cell = Cell::new(&span.text);
    if span.text.is_empty() {
        return cell;
    }
    match span.tone {
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Busy => cell.fg(Color::DarkCyan),
        Tone::Warn => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        Tone::Quiet => cell.add_attribute(Attribute::Dim),
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Plain => cell,
    }
}

fn trim(line: &str) -> String {
    line.trim_end().to_owned()
}
