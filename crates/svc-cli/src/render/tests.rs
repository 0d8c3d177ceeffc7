//! One recorded run goes through every renderer.

mod bars;
mod choice;
mod glance;
mod json;
mod lost;
mod messages;
mod plain;
mod plan;
mod tables;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use svc_core::event::Event;
use svc_core::plan::Plan;
use svc_core::renderer::Renderer;
use svc_core::report::Report;
use svc_core::view::View;

/// The events of a recorded run.
fn recorded(text: &str) -> Vec<Event> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A backup of three services: one good, one failed, one skipped.
fn backup() -> Vec<Event> {
    recorded(include_str!("../../tests/data/backup.jsonl"))
}

/// A restore of one service.
fn restore() -> Vec<Event> {
    recorded(include_str!("../../tests/data/restore.jsonl"))
}

fn plan_of(run: &[Event]) -> Plan {
    View::of(run).plan.unwrap()
}

fn report_of(run: &[Event]) -> Report {
    View::of(run).report.unwrap()
}

/// Shows a whole run.
fn show(run: &[Event], renderer: &mut dyn Renderer) {
    for event in run {
        renderer.render(event).unwrap();
    }
    renderer.finish().unwrap();
}

fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(svc_tui::text::width(line) <= width, "wider than {width}: {line}");
        assert_eq!(line.trim_end(), line, "ends with blanks");
    }
}

/// What was written, readable while the renderer still holds its end.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
