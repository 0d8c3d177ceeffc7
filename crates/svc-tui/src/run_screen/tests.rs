use insta::assert_snapshot;
use jiff::SignedDuration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use svc_core::dispatch::dispatch;
use svc_core::event::Event;
use svc_core::renderer::Renderer;

use super::RunScreen;

fn recorded(text: &str) -> Vec<Event> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same runs go through every renderer of svc.
fn backup() -> Vec<Event> {
    recorded(include_str!("../../../svc-cli/tests/data/backup.jsonl"))
}

fn restore() -> Vec<Event> {
    recorded(include_str!("../../../svc-cli/tests/data/restore.jsonl"))
}

fn screen(columns: u16, lines: u16) -> RunScreen<TestBackend> {
    RunScreen::new(Terminal::new(TestBackend::new(columns, lines)).unwrap())
}

/// The picture half a second after what happened in these first seconds.
fn picture(run: &[Event], seconds: i64, (columns, lines): (u16, u16)) -> String {
    let mut screen = screen(columns, lines);
    let end = run[0].at + SignedDuration::from_secs(seconds);
    for event in run.iter().filter(|event| event.at <= end) {
        screen.render(event).unwrap();
    }
    screen.tick(end + SignedDuration::from_millis(500)).unwrap();
    screen.terminal.backend().to_string()
}

#[test]
fn a_backup_shows_its_bars_above_and_its_past_below() {
    assert_snapshot!(picture(&backup(), 15, (80, 14)), @r#"
    " Backup of 3 services to remote                   2 of 3 done · 1 failed · 15 s "
    "────────────────────────────────────────────────────────────────────────────────"
    "  ⠴ paperless   backing up  ━━──────   33 %  95.6 MiB/s  21 s left    down 13 s "
    "  ✗ music       failed  `/srv/music` is gone                                    "
    "  – watchtower  skipped  none of these repositories takes it                    "
    "────────────────────────────────────────────────────────────────────────────────"
    "    music       failed: `/srv/music` is gone                                    "
    "    music       failed after 0.0 s                                              "
    "    watchtower  skipped: none of these repositories takes it                    "
    "    paperless   stopped `paperless-web` in 2.0 s                                "
    "    paperless   stopped `paperless-db`, `paperless-broker` in 1.3 s             "
    "    paperless   backing up to remote                                            "
    "    paperless   33 %, 955.7 MiB of 2.8 GiB, 95.6 MiB/s, 21 s left               "
    "                                                                                "
    "#);
    assert_snapshot!(picture(&backup(), 15, (40, 10)), @r#"
    " Backup…  2 of 3 done · 1 failed · 15 s "
    "────────────────────────────────────────"
    "  ⠴ paperless   backing up   33 %       "
    "  ✗ music       failed  `/srv/music` i… "
    "  – watchtower  skipped  none of these… "
    "────────────────────────────────────────"
    "    paperless   stopped `paperless-web`…"
    "    paperless   stopped `paperless-db`,…"
    "    paperless   backing up to remote    "
    "    paperless   33 %, 955.7 MiB of 2.8 …"
    "#);
}

#[test]
fn the_end_of_a_run_stays_on_the_screen() {
    let mut screen = screen(100, 20);
    for event in restore() {
        screen.render(&event).unwrap();
    }
    screen.finish().unwrap();
    assert_snapshot!(screen.terminal.backend(), @r#"
    " Restore of paperless from local: the latest good snapshot                       1 of 1 done · 31 s "
    "────────────────────────────────────────────────────────────────────────────────────────────────────"
    "  ✓ paperless  ok  31 s  down 5.0 s                                                                 "
    "────────────────────────────────────────────────────────────────────────────────────────────────────"
    "    paperless  staging snapshot 4f1c9a2b from local                                                 "
    "    paperless  49 %, 1.4 GiB of 2.8 GiB, 143 MiB/s, 11 s left                                       "
    "    paperless  100 %, 2.8 GiB of 2.8 GiB, 143 MiB/s, 0 s left                                       "
    "    paperless  staged 2.8 GiB in 21 s                                                               "
    "    paperless  verified in 0.7 s                                                                    "
    "    paperless  stopped `docker-paperless.service` in 3.1 s                                          "
    "    paperless  the restored data is in place                                                        "
    "    paperless  started `docker-paperless.service` in 1.8 s                                          "
    "    paperless  works after 4.4 s                                                                    "
    "    paperless  ok after 31 s, down for 5.0 s                                                        "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "                                                                                                    "
    "#);
}

#[test]
fn failures_are_red_and_names_are_bold() {
    use ratatui::style::{Color, Modifier};
    let mut screen = screen(80, 14);
    for event in backup() {
        screen.render(&event).unwrap();
    }
    screen.finish().unwrap();
    let buffer = screen.terminal.backend().buffer();
    assert_eq!(buffer[(2, 2)].symbol(), "✓");
    assert_eq!(buffer[(2, 2)].fg, Color::Green);
    assert_eq!((buffer[(2, 3)].symbol(), buffer[(2, 3)].fg), ("✗", Color::Red));
    assert!(buffer[(4, 3)].modifier.contains(Modifier::BOLD));
}

#[tokio::test]
async fn the_dispatch_shows_a_run_on_it() {
    let (events, seen) = tokio::sync::mpsc::unbounded_channel();
    let run = async move {
        for event in backup() {
            events.send(event).unwrap();
        }
    };
    let screen: Box<dyn Renderer> = Box::new(screen(80, 14));
    dispatch(run, seen, vec![screen], jiff::Timestamp::now, std::future::pending()).await;
}
