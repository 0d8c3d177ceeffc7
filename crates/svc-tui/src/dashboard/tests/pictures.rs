use crossterm::event::KeyCode;
use insta::assert_snapshot;
use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier};

use super::{dashboard, drawn, overview, press, typed};
use crate::dashboard::keys::KEYS;
use crate::dashboard::model::{Mode, Model};
use crate::dashboard::update::{Msg, update};

#[test]
fn eighty_columns_show_the_list_and_the_selected_service_in_short() {
    let mut model = dashboard(80, 24);
    typed(&mut model, "jjj");
    assert_snapshot!(drawn(&model), @r#"
    " svc  13 services  ✗ 1 unhealthy  ✗ 1 failed  ✗ 1 backup failed  ◐ 1 partial    "
    "────────────────────────────────────────────────────────────────────────────────"
    "  service             state            since   local     remote    next         "
    "  caddy               ● running        12 d    ✓ 6 h     ✓ 5 h     in 18 h      "
    "  immich              ◐ partial (3/4)  2 d     ✓ 6 h     ✓ 5 h     in 18 h      "
    "  jellyfin            ↑ starting       4 s     –         –                      "
    "▌ music               · data only              ✓ 6 h     ✗ 3 d     in 18 h      "
    "  nextcloud           ✗ unhealthy      40 min  ✓ 6 h     ✓ 5 h     in 18 h      "
    "  notes               ✗ failed         2 min   ! 30 h    ✓ 5 h     in 18 h      "
    "  paperless           ● running        3 d     ✓ 6 h     ✓ 5 h     in 18 h      "
    "  postgresql          ● running        12 d    ✓ 6 h     ! never   in 18 h      "
    "  testing-playground  ○ stopped        9 d     –         –                      "
    "  vaultwarden         ◆ by hand                ✓ 6 h     ✓ 5 h     in 18 h      "
    "  watchtower          ⊘ masked         30 d    –         –                      "
    "  wiki                ‖ paused         3 h     ✓ 6 h     ✓ 5 h     in 18 h      "
    "  zigbee2mqtt         ? unknown                ✓ 6 h     –         in 18 h      "
    "                                                                                "
    "                                                                                "
    "────────────────────────────────────────────────────────────────────────────────"
    "  music   Files only, 40 000 of them                                            "
    "  state     · data only                                                         "
    "  local     ✓ 6 h ago   77aa01cd, 2026-11-20 03:00   40,213 files, 310.0 GiB    "
    "  remote    ✗ wrong password, 5 h ago   ! 3 d ago, overdue                      "
    " enter detail   j ↓ down   k ↑ up   / filter   ? help   q quit          4 of 13 "
    "#);
}

#[test]
fn from_a_hundred_columns_on_the_detail_stands_beside_the_list() {
    let mut model = dashboard(100, 18);
    typed(&mut model, "jjjjj");
    assert_snapshot!(drawn(&model), @r#"
    " svc  13 services  ✗ 1 unhealthy  ✗ 1 failed  ✗ 1 backup failed  ◐ 1 partial  ◆ 1 by hand           "
    "──────────────────────────────────────────────────────────┬─────────────────────────────────────────"
    "  service             state            local     remote   │ notes                                   "
    "  caddy               ● running        ✓ 6 h     ✓ 5 h    │ Notes of everyone                       "
    "  immich              ◐ partial (3/4)  ✓ 6 h     ✓ 5 h    │                                         "
    "  jellyfin            ↑ starting       –         –        │ state     ✗ failed                      "
    "  music               · data only      ✓ 6 h     ✗ 3 d    │           `notes.service`: exit code 1  "
    "  nextcloud           ✗ unhealthy      ✓ 6 h     ✓ 5 h    │ since     2 min ago, 2026-11-20 08:58   "
    "▌ notes               ✗ failed         ! 30 h    ✓ 5 h    │                                         "
    "  paperless           ● running        ✓ 6 h     ✓ 5 h    │ local     ! 30 h ago, overdue           "
    "  postgresql          ● running        ✓ 6 h     ! never  │           c0ffee12, 2026-11-19 03:00    "
    "  testing-playground  ○ stopped        –         –        │           812 files, 41.0 MiB           "
    "  vaultwarden         ◆ by hand        ✓ 6 h     ✓ 5 h    │           31.0 MiB new, took 32 s       "
    "  watchtower          ⊘ masked         –         –        │                                         "
    "  wiki                ‖ paused         ✓ 6 h     ✓ 5 h    │ remote    ✓ 5 h ago                     "
    "  zigbee2mqtt         ? unknown        ✓ 6 h     –        │           c0ffee13, 2026-11-20 04:00    "
    "                                                          │           812 files, 41.0 MiB           "
    " j ↓ down   k ↑ up   / filter   ? help   q quit                                             6 of 13 "
    "#);
}

#[test]
fn a_wide_terminal_has_room_for_descriptions() {
    assert_snapshot!(drawn(&dashboard(190, 10)), @r#"
    " svc  13 services  ✗ 1 unhealthy  ✗ 1 failed  ✗ 1 backup failed  ◐ 1 partial  ◆ 1 by hand  ‖ 1 paused  ? 1 unknown  ! 1 backup overdue  ! 1 backup missing  ↑ 1 starting  ● 3 running         "
    "──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┬───────────────────────────────────────────────────────────────────────"
    "  service             state            health     since   local     remote    next                                    │ caddy                                                                 "
    "▌ caddy               ● running        healthy    12 d    ✓ 6 h     ✓ 5 h     in 18 h    Reverse proxy                │ Reverse proxy                                                         "
    "  immich              ◐ partial (3/4)  healthy    2 d     ✓ 6 h     ✓ 5 h     in 18 h    Photos and videos of the fa… │                                                                       "
    "  jellyfin            ↑ starting       starting   4 s     –         –                    Films and series             │ state     ● running                                                   "
    "  music               · data only                         ✓ 6 h     ✗ 3 d     in 18 h    Files only, 40 000 of them   │ health    ✓ healthy                                                   "
    "  nextcloud           ✗ unhealthy      unhealthy  40 min  ✓ 6 h     ✓ 5 h     in 18 h    Files, calendars and contac… │ since     12 d ago, 2026-11-08 09:00                                  "
    "  notes               ✗ failed                    2 min   ! 30 h    ✓ 5 h     in 18 h    Notes of everyone            │                                                                       "
    " j ↓ down   k ↑ up   / filter   ? help   q quit                                                                                                                                       1 of 13 "
    "#);
}

#[test]
fn two_hundred_columns_and_fifty_lines_show_everything_in_line() {
    let screen = drawn(&dashboard(200, 50)).to_string();
    let head: Vec<&str> = screen.lines().skip(2).take(4).collect();
    assert_snapshot!(head.join("\n"), @r#"
    "  service              state             health      since    local      remote     next                                        │ caddy                                                                 "
    "▌ caddy                ● running         healthy     12 d     ✓ 6 h      ✓ 5 h      in 18 h     Reverse proxy                   │ Reverse proxy                                                         "
    "  immich               ◐ partial (3/4)   healthy     2 d      ✓ 6 h      ✓ 5 h      in 18 h     Photos and videos of the family │                                                                       "
    "  jellyfin             ↑ starting        starting    4 s      –          –                      Films and series                │ state     ● running                                                   "
    "#);
    let columns = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
    for heading in ["state", "health", "since", "local", "remote", "next"] {
        let at = columns(head[0], heading).unwrap();
        let begins = |line: &&str| line.chars().nth(at - 1) == Some(' ');
        assert!(screen.lines().skip(2).take(14).all(|line| begins(&line)), "`{heading}` in\n{screen}");
    }
}

#[test]
fn forty_columns_show_state_and_the_worst_backup() {
    assert_snapshot!(drawn(&dashboard(40, 12)), @r#"
    " svc  13 services  ✗ 1 unhealthy        "
    "────────────────────────────────────────"
    "  service      state            backup  "
    "▌ caddy        ● running        ✓ 6 h   "
    "  immich       ◐ partial (3/4)  ✓ 6 h   "
    "  jellyfin     ↑ starting       –       "
    "  music        · data only      ✗ 3 d   "
    "  nextcloud    ✗ unhealthy      ✓ 6 h   "
    "  notes        ✗ failed         ! 30 h  "
    "  paperless    ● running        ✓ 6 h   "
    "  postgresql   ● running        ! never "
    " / filter   ? help   q quit     1 of 13 "
    "#);
}

#[test]
fn enter_opens_the_service_on_a_narrow_terminal() {
    let mut model = dashboard(60, 20);
    typed(&mut model, "jjj");
    press(&mut model, KeyCode::Enter);
    assert_snapshot!(drawn(&model), @r#"
    " svc  13 services  ✗ 1 unhealthy  ✗ 1 failed  ◐ 1 partial   "
    "────────────────────────────────────────────────────────────"
    " music                                                      "
    " Files only, 40 000 of them                                 "
    "                                                            "
    " state     · data only                                      "
    "                                                            "
    " local     ✓ 6 h ago                                        "
    "           77aa01cd, 2026-11-20 03:00                       "
    "           40,213 files, 310.0 GiB                          "
    "           0 B new, took 1 min 1 s                          "
    "                                                            "
    " remote    ✗ wrong password, 5 h ago                        "
    "           ! 3 d ago, overdue                               "
    "           0b9cfe11, 2026-11-17 09:00                       "
    "           40,198 files, 310.0 GiB                          "
    "           31.0 MiB new, took 32 s                          "
    "                                                            "
    " next      in 18 h, 2026-11-21 03:00                        "
    " j ↓ down   k ↑ up   / filter   ? help   q quit     4 of 13 "
    "#);
}

#[test]
fn a_filter_is_typed_in_the_last_line() {
    let mut model = dashboard(80, 10);
    typed(&mut model, "/pa");
    assert_snapshot!(drawn(&model), @r#"
    " svc  13 services  ✗ 1 unhealthy  ✗ 1 failed  ✗ 1 backup failed  ◐ 1 partial    "
    "────────────────────────────────────────────────────────────────────────────────"
    "  service             state            since   local     remote    next         "
    "▌ immich              ◐ partial (3/4)  2 d     ✓ 6 h     ✓ 5 h     in 18 h      "
    "  paperless           ● running        3 d     ✓ 6 h     ✓ 5 h     in 18 h      "
    "  vaultwarden         ◆ by hand                ✓ 6 h     ✓ 5 h     in 18 h      "
    "  wiki                ‖ paused         3 h     ✓ 6 h     ✓ 5 h     in 18 h      "
    "                                                                                "
    "                                                                                "
    " /pa▏   enter keep   esc clear                                           1 of 4 "
    "#);
    typed(&mut model, "xyz");
    assert!(drawn(&model).to_string().contains("nothing has `paxyz` in it"));
}

#[test]
fn the_help_and_the_hint_line_come_from_the_table_of_keys() {
    let mut model = dashboard(100, 24);
    let hints = drawn(&model).to_string().lines().last().unwrap().to_owned();
    for key in &KEYS {
        assert_eq!(
            hints.contains(&key.hint.map_or("\0".to_owned(), |hint| format!("{} {hint}", key.written))),
            key.hint.is_some()
        );
    }
    press(&mut model, KeyCode::Char('?'));
    let help = drawn(&model).to_string();
    assert!(KEYS.iter().all(|key| help.contains(key.help) && help.contains(key.written)), "{help}");
    assert!(help.contains("◆ by hand") && help.contains("? unknown"), "{help}");
}

#[test]
fn before_the_first_look_and_without_services_that_is_said() {
    let mut model = Model::new((60, 8), TimeZone::UTC, overview().at);
    assert!(drawn(&model).to_string().contains("svc   looking …"));
    let none = svc_core::overview::Overview { services: Vec::new(), ..overview() };
    update(&mut model, Msg::Overview(none));
    assert!(drawn(&model).to_string().contains("no service is configured"));
}

#[test]
fn words_are_coloured_and_the_cursor_is_seen_without_colour() {
    let backend = drawn(&dashboard(80, 24));
    let buffer = backend.buffer();
    // The cursor is a mark and bold; `running` is green, `failed` red, ages are dim.
    assert_eq!(buffer[(0, 3)].symbol(), "▌");
    assert!(buffer[(2, 3)].modifier.contains(Modifier::BOLD));
    assert_eq!((buffer[(22, 3)].symbol(), buffer[(22, 3)].fg), ("●", Color::Green));
    assert_eq!((buffer[(22, 8)].symbol(), buffer[(22, 8)].fg), ("✗", Color::Red));
    assert!(buffer[(39, 4)].modifier.contains(Modifier::DIM));
    assert_eq!(buffer[(47, 8)].fg, Color::Yellow);
}

#[test]
fn no_text_from_outside_steers_the_terminal() {
    let mut seen = overview();
    seen.services[0].description = Some("a\x1b[2Jb\u{202e}c".to_owned());
    seen.services[0].state.detail = Some("x\ny\u{9b}".to_owned());
    let mut model = Model::new((160, 24), TimeZone::UTC, seen.at);
    update(&mut model, Msg::Overview(seen));
    let text = drawn(&model).to_string();
    assert!(text.contains("a\\u{1b}[2Jb\\u{202e}c") && text.contains("x\\ny\\u{9b}"), "{text}");
}

#[test]
fn no_size_is_too_small_to_draw_on() {
    for columns in [0, 1, 2, 7, 20, 39, 40, 79, 99, 100, 101, 240] {
        for lines in [0, 1, 2, 3, 4, 5, 9, 24] {
            let mut model = dashboard(columns, lines);
            for mode in [Mode::Browse, Mode::Open, Mode::Filter, Mode::Help] {
                model.mode = mode;
                drawn(&model);
            }
        }
    }
}
