//! What a message makes of the model, and what it asks of the outside.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::Timestamp;
use svc_core::overview::Overview;

use super::keys::{self, Action};
use super::model::{Mode, Model};
use super::view;
use crate::figures;

/// What happened.
#[derive(Debug)]
pub(crate) enum Msg {
    /// The services were looked at.
    Overview(Overview),
    /// A key, or another size.
    Terminal(Event),
    /// Time went by.
    Tick(Timestamp),
}

/// What the loop is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Leave.
    Quit,
}

/// Takes a message in.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Option<Request> {
    match msg {
        Msg::Overview(overview) => see(model, overview),
        Msg::Tick(now) => tick(model, now),
        Msg::Terminal(Event::Resize(columns, lines)) => {
            model.size = (columns, lines);
            stay(model);
        }
        Msg::Terminal(Event::Key(key)) if key.kind != KeyEventKind::Release => return press(model, key),
        Msg::Terminal(_) => {}
    }
    None
}

fn see(model: &mut Model, overview: Overview) {
    let same = model.overview.as_ref().is_some_and(|known| known.services == overview.services);
    let was_stale = view::is_stale(model);
    model.now = model.now.max(overview.at);
    model.overview = Some(overview);
    if !same || was_stale {
        stay(model);
    }
}

/// Redraws only when a time on the screen reads differently.
fn tick(model: &mut Model, now: Timestamp) {
    let stale = view::is_stale(model);
    let differs = |then: &Timestamp| figures::span(*then, model.now) != figures::span(*then, now);
    let services = model.overview.iter().flat_map(|overview| &overview.services);
    let times = services.flat_map(|service| {
        let backups = service.backups.iter().flat_map(|one| one.last_good.iter().chain(&one.last_attempt));
        service.state.since.into_iter().chain(backups.map(|attempt| attempt.at))
    });
    let differs = times.into_iter().any(|then| differs(&then));
    model.now = now;
    model.changed |= differs || stale || view::is_stale(model);
}

/// Keeps the cursor where it is and in sight.
fn stay(model: &mut Model) {
    let place = model.cursor(&model.shown());
    model.select(place);
    model.changed = true;
}

fn press(model: &mut Model, key: KeyEvent) -> Option<Request> {
    model.changed = true;
    if model.mode == Mode::Filter {
        return type_filter(model, key);
    }
    let action = keys::action(key);
    if action == Some(Action::Quit) {
        return Some(Request::Quit);
    }
    match (model.mode, action) {
        // Any key closes the help.
        (Mode::Help, _) => model.mode = Mode::Browse,
        (_, Some(action)) => act(model, action),
        (_, None) => model.changed = false,
    }
    None
}

fn act(model: &mut Model, action: Action) {
    let place = model.cursor(&model.shown());
    let page = usize::from(view::list_lines(model.size)).max(1);
    match action {
        Action::Down => model.select(place + 1),
        Action::Up => model.select(place.saturating_sub(1)),
        Action::PageDown => model.select(place + page),
        Action::PageUp => model.select(place.saturating_sub(page)),
        Action::First => model.select(0),
        Action::Last => model.select(usize::MAX),
        Action::Filter => model.mode = Mode::Filter,
        Action::Open if model.current().is_some() => model.mode = Mode::Open,
        Action::Back if model.mode == Mode::Open => model.mode = Mode::Browse,
        Action::Back => {
            model.filter.clear();
            stay(model);
        }
        Action::Help => model.mode = Mode::Help,
        Action::Open | Action::Quit => {}
    }
}

fn type_filter(model: &mut Model, key: KeyEvent) -> Option<Request> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => return Some(Request::Quit),
        KeyCode::Char('u' | 'w') if control => model.filter.clear(),
        KeyCode::Char(c) if !control => model.filter.push(c),
        KeyCode::Backspace if model.filter.is_empty() => model.mode = Mode::Browse,
        KeyCode::Backspace => drop(model.filter.pop()),
        KeyCode::Enter => model.mode = Mode::Browse,
        KeyCode::Esc => {
            model.filter.clear();
            model.mode = Mode::Browse;
        }
        KeyCode::Down => act(model, Action::Down),
        KeyCode::Up => act(model, Action::Up),
        _ => {}
    }
    stay(model);
    None
}
