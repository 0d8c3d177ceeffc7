use indicatif::{InMemoryTerm, ProgressDrawTarget};
use insta::assert_snapshot;
use jiff::SignedDuration;
use svc_core::event::Event;
use svc_core::renderer::Renderer;

use super::{Paper, backup, restore};
use crate::render::Look;
use crate::render::pretty::{Bars, Pretty};

/// A terminal of 20 lines in memory: stderr's bars on it, stdout apart.
struct Screen {
    terminal: InMemoryTerm,
    paper: Paper,
    pretty: Pretty<Paper>,
}

impl Screen {
    fn new(columns: u16, colour: bool) -> Self {
        let (terminal, paper) = (InMemoryTerm::new(20, columns), Paper::default());
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let look = Look { width: columns.into(), colour, glyphs: true };
        let bars = Bars::new(target, colour, move || columns.into());
        let pretty = Pretty::new(Some(paper.clone()), look, bars);
        Self { terminal, paper, pretty }
    }

    /// Shows the first events of a run, and the bars as they are half a second later.
    fn play(&mut self, run: &[Event]) -> String {
        for event in run {
            self.pretty.render(event).unwrap();
        }
        let now = run.last().unwrap().at + SignedDuration::from_millis(500);
        self.pretty.tick(now).unwrap();
        self.terminal.contents()
    }
}

fn until(run: Vec<Event>, seconds: i64) -> Vec<Event> {
    let end = run[0].at + SignedDuration::from_secs(seconds);
    run.into_iter().filter(|event| event.at <= end).collect()
}

#[test]
fn a_bar_has_phase_percent_pace_time_left_and_downtime() {
    assert_snapshot!(Screen::new(120, false).play(&until(backup(), 15)), @r"
    ⠋ paperless   backing up  ━━━━━━━━━─────────────────────   33 %  95.6 MiB/s  21 s left    down 12 s
    ✗ music       failed  `/srv/music` is gone
    – watchtower  skipped  none of these repositories takes it
    2 of 3 done · 1 failed · 15 s
    ");
    assert_snapshot!(Screen::new(80, false).play(&until(backup(), 15)), @r"
    ⠋ paperless   backing up  ━━───────   33 %  95.6 MiB/s  21 s left    down 12 s
    ✗ music       failed  `/srv/music` is gone
    – watchtower  skipped  none of these repositories takes it
    2 of 3 done · 1 failed · 15 s
    ");
    assert_snapshot!(Screen::new(40, false).play(&until(backup(), 15)), @r"
    ⠋ paperless   backing up   33 %
    ✗ music       failed  `/srv/music` is…
    – watchtower  skipped  none of these …
    2 of 3 done · 1 failed · 15 s
    ");
}

#[test]
fn stopping_and_waiting_are_named_with_what_they_are_about() {
    assert_snapshot!(Screen::new(80, false).play(&until(backup(), 3)), @r"
    ⠼ paperless   stopping  paperless-db, paperless-broker  1 s  down 1 s
    ✗ music       failed  `/srv/music` is gone
    – watchtower  skipped  none of these repositories takes it
    2 of 3 done · 1 failed · 3 s
    ");
    assert_snapshot!(Screen::new(80, false).play(&until(restore(), 27)), @r"
    ⠴ paperless  waiting for health  docker-paperless.service  0 s
    0 of 1 done · 27 s
    ");
}

#[test]
fn the_end_wipes_the_bars_and_prints_the_results() {
    let mut screen = Screen::new(100, false);
    screen.play(&backup());
    screen.pretty.finish().unwrap();
    assert_eq!(
        screen.terminal.contents(),
        "note: paperless: container `paperless-web` was restarted by its own policy"
    );
    assert_snapshot!(screen.paper.text(), @r"
    Backup of 3 services to remote

      service     plan
      paperless   stop 3, save to remote (last 2.8 GiB), start 3 again
      music       save to remote (for the first time)
      watchtower  nothing: none of these repositories takes it


      service     result     snapshot   files     size     added  downtime   took
      paperless   ✓ ok       4f1c9a2b  12,400  2.8 GiB  31.0 MiB      39 s   48 s
      music       ✗ failed                                                  0.0 s
      watchtower  – skipped                                                        none of these
                                                                                   repositories takes it

    3 services: 1 ok, 1 failed, 1 skipped, in 48 s
    ");
}

#[test]
fn bars_have_colours_and_the_same_words_without() {
    let mut coloured = Screen::new(80, true);
    let mut bare = Screen::new(80, false);
    let run = until(backup(), 15);
    assert_eq!(coloured.play(&run), bare.play(&run));
    let bytes = |screen: &Screen| String::from_utf8(screen.terminal.contents_formatted()).unwrap();
    assert!(bytes(&coloured).contains("\x1b[31;1m✗"), "{:?}", bytes(&coloured));
    assert!(!bytes(&bare).contains("\x1b[31"));
}

#[test]
fn among_many_services_only_those_at_work_have_a_bar() {
    let mut run = until(backup(), 15);
    if let svc_core::event::Body::RunStarted { plan, .. } = &mut run[0].body {
        let mut extra = plan.services[2].clone();
        for number in 0..40 {
            extra.service = format!("extra-{number}").parse().unwrap();
            plan.services.push(extra.clone());
        }
    }
    let text = Screen::new(80, false).play(&run);
    assert!(text.lines().count() <= 15, "{text}");
    assert!(text.contains("✗ music  failed  `/srv/music` is gone"), "{text}");
    assert!(text.contains("paperless  backing up"), "{text}");
    assert!(text.contains("2 of 43 done · 1 failed"), "{text}");
}

#[test]
fn a_renderer_that_is_dropped_leaves_no_bars_behind() {
    let mut screen = Screen::new(80, false);
    assert!(screen.play(&until(backup(), 15)).contains("backing up"));
    let terminal = screen.terminal.clone();
    drop(screen.pretty);
    assert_eq!(terminal.contents(), "");
}
