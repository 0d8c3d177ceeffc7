use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use jiff::SignedDuration;

use super::{dashboard, drawn, overview, press, selected, typed};
use crate::dashboard::model::Mode;
use crate::dashboard::update::{Msg, Request, update};

#[test]
fn keys_move_the_cursor_and_stop_at_both_ends() {
    let mut model = dashboard(80, 24);
    assert_eq!(selected(&model), "caddy");
    typed(&mut model, "k");
    assert_eq!(selected(&model), "caddy");
    press(&mut model, KeyCode::Down);
    typed(&mut model, "j");
    assert_eq!(selected(&model), "jellyfin");
    typed(&mut model, "G");
    press(&mut model, KeyCode::Down);
    assert_eq!(selected(&model), "zigbee2mqtt");
    typed(&mut model, "g");
    assert_eq!(selected(&model), "caddy");
}

#[test]
fn the_cursor_stays_in_sight_on_a_low_screen() {
    let mut model = dashboard(80, 8);
    for _ in 0..14 {
        let text = drawn(&model).to_string();
        assert!(text.contains(&format!("▌ {}", selected(&model))), "{text}");
        typed(&mut model, "j");
    }
    press(&mut model, KeyCode::PageUp);
    assert_eq!(selected(&model), "testing-playground");
    update(&mut model, Msg::Terminal(Event::Resize(80, 6)));
    assert!(drawn(&model).to_string().contains("▌ testing-playground"));
    update(&mut model, Msg::Terminal(Event::Resize(80, 40)));
    assert!(drawn(&model).to_string().contains("  caddy"), "a taller screen shows the list from its top");
}

#[test]
fn the_cursor_stays_on_its_service_when_the_list_changes() {
    let mut model = dashboard(80, 24);
    typed(&mut model, "jjj");
    let mut seen = overview();
    seen.services.remove(0);
    seen.services.rotate_left(3);
    update(&mut model, Msg::Overview(seen));
    assert_eq!(selected(&model), "music");
}

#[test]
fn a_filter_looks_at_name_description_and_state() {
    let mut model = dashboard(80, 24);
    let names = |model: &crate::dashboard::model::Model| -> Vec<String> {
        model.shown().iter().map(|service| service.name.to_string()).collect()
    };
    typed(&mut model, "/FAM");
    assert_eq!(names(&model), ["immich"]);
    press(&mut model, KeyCode::Esc);
    typed(&mut model, "/by hand");
    assert_eq!(names(&model), ["vaultwarden"]);
    press(&mut model, KeyCode::Enter);
    assert_eq!((model.mode, names(&model).len()), (Mode::Browse, 1));
    press(&mut model, KeyCode::Esc);
    assert_eq!(names(&model).len(), 13);
}

#[test]
fn letters_are_keys_again_once_the_filter_is_kept() {
    let mut model = dashboard(80, 24);
    typed(&mut model, "/qj?");
    assert_eq!(model.filter, "qj?");
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!(press(&mut model, KeyCode::Char('q')), Some(Request::Quit));
}

#[test]
fn control_c_leaves_from_everywhere() {
    let leave = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    for mode in [Mode::Browse, Mode::Open, Mode::Filter, Mode::Help] {
        let mut model = dashboard(80, 24);
        model.mode = mode;
        assert_eq!(update(&mut model, Msg::Terminal(leave.clone())), Some(Request::Quit), "{mode:?}");
    }
}

#[test]
fn any_key_closes_the_help_and_does_nothing_else() {
    let mut model = dashboard(80, 24);
    typed(&mut model, "?j");
    assert_eq!((model.mode, selected(&model)), (Mode::Browse, "caddy"));
}

#[test]
fn nothing_is_drawn_again_unless_it_reads_differently() {
    let mut model = dashboard(80, 24);
    let later = |seconds| overview().at + SignedDuration::from_secs(seconds);
    model.changed = false;
    let mut again = overview();
    again.at = later(2);
    update(&mut model, Msg::Overview(again));
    assert!(!model.changed, "the same services");
    press(&mut model, KeyCode::F(9));
    assert!(!model.changed, "a key without a meaning");
    update(&mut model, Msg::Tick(later(3)));
    assert!(model.changed, "`jellyfin` is starting for 7 s");
}

#[test]
fn a_tick_that_moves_no_age_draws_nothing() {
    let mut seen = overview();
    seen.services.retain(|service| service.name.as_str() == "caddy");
    let mut model = dashboard(80, 24);
    update(&mut model, Msg::Overview(seen.clone()));
    model.changed = false;
    update(&mut model, Msg::Tick(seen.at + SignedDuration::from_secs(1)));
    assert!(!model.changed);
    update(&mut model, Msg::Tick(seen.at + SignedDuration::from_hours(1)));
    assert!(model.changed);
}

#[test]
fn services_that_were_not_looked_at_for_long_say_so() {
    let mut model = dashboard(80, 24);
    update(&mut model, Msg::Tick(overview().at + SignedDuration::from_secs(30)));
    assert!(drawn(&model).to_string().contains("! as of 30 s ago"));
    let mut fresh = overview();
    fresh.at += SignedDuration::from_secs(31);
    update(&mut model, Msg::Overview(fresh));
    assert!(!drawn(&model).to_string().contains("as of"));
}
