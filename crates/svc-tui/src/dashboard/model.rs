//! What the dashboard knows and shows.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use svc_core::names::ServiceName;
use svc_core::overview::{Overview, ServiceOverview};

use super::view;

/// All that a picture is drawn from.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What was seen last; nothing: nothing yet.
    pub(crate) overview: Option<Overview>,
    /// The time.
    pub(crate) now: Timestamp,
    /// Where the clock on the wall is.
    pub(crate) zone: TimeZone,
    /// Columns and lines of the terminal.
    pub(crate) size: (u16, u16),
    /// The service that the cursor is on: by its name, for the list may change.
    pub(crate) selected: Option<ServiceName>,
    /// The first service on the screen.
    pub(crate) offset: usize,
    /// Only services with this in them are shown.
    pub(crate) filter: String,
    /// What keys are for.
    pub(crate) mode: Mode,
    /// The picture is no longer what it should be.
    pub(crate) changed: bool,
}

/// What keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Moving about in the list.
    Browse,
    /// One service fills the screen.
    Open,
    /// Typing a filter.
    Filter,
    /// Reading the help.
    Help,
}

impl Model {
    pub(crate) const fn new(size: (u16, u16), zone: TimeZone, now: Timestamp) -> Self {
        Self {
            overview: None,
            now,
            zone,
            size,
            selected: None,
            offset: 0,
            filter: String::new(),
            mode: Mode::Browse,
            changed: true,
        }
    }

    /// The services that pass the filter.
    pub(crate) fn shown(&self) -> Vec<&ServiceOverview> {
        let filter = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&filter);
        let passes = |service: &&ServiceOverview| {
            has(service.name.as_str())
                || has(&service.state.text)
                || service.description.as_deref().is_some_and(has)
        };
        self.overview.iter().flat_map(|overview| &overview.services).filter(passes).collect()
    }

    /// The place of the cursor among those shown.
    pub(crate) fn cursor(&self, shown: &[&ServiceOverview]) -> usize {
        shown.iter().position(|service| Some(&service.name) == self.selected.as_ref()).unwrap_or(0)
    }

    /// The service under the cursor.
    pub(crate) fn current(&self) -> Option<&ServiceOverview> {
        let shown = self.shown();
        shown.get(self.cursor(&shown)).copied()
    }

    /// Puts the cursor on a place among those shown, and scrolls so that it can be seen.
    pub(crate) fn select(&mut self, place: usize) {
        let shown = self.shown();
        let (count, last) = (shown.len(), shown.len().saturating_sub(1));
        let place = place.min(last);
        let name = shown.get(place).map(|service| service.name.clone());
        let lines = usize::from(view::list_lines(self.size)).max(1);
        self.offset =
            self.offset.clamp((place + 1).saturating_sub(lines), place).min(count.saturating_sub(lines));
        // A filter that nothing passes does not lose the place.
        self.selected = name.or_else(|| self.selected.take());
    }
}
