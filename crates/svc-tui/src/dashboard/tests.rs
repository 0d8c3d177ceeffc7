mod behaviour;
mod pictures;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use svc_core::overview::Overview;

use super::model::Model;
use super::update::{Msg, Request, update};
use super::view;

/// Thirteen services in every state there is.
fn overview() -> Overview {
    serde_json::from_str(include_str!("../../tests/data/overview.json")).unwrap()
}

/// The dashboard after the first look at the services.
fn dashboard(columns: u16, lines: u16) -> Model {
    let overview = overview();
    let mut model = Model::new((columns, lines), TimeZone::UTC, overview.at);
    update(&mut model, Msg::Overview(overview));
    model
}

fn press(model: &mut Model, key: KeyCode) -> Option<Request> {
    update(model, Msg::Terminal(Event::Key(KeyEvent::new(key, KeyModifiers::NONE))))
}

fn typed(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        press(model, KeyCode::Char(key));
    }
}

fn drawn(model: &Model) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    terminal.backend().clone()
}

fn selected(model: &Model) -> &str {
    model.current().unwrap().name.as_str()
}
