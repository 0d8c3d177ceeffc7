use svc_core::event::Event;

use super::{Paper, backup, restore, show};
use crate::render::json::Json;

#[test]
fn every_event_is_one_line_and_comes_back_equal() {
    for run in [backup(), restore()] {
        let paper = Paper::default();
        show(&run, &mut Json::new(paper.clone()));
        let read: Vec<Event> = paper.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, run);
    }
}

#[test]
fn the_lines_are_those_of_the_log_on_disk() {
    let paper = Paper::default();
    show(&backup(), &mut Json::new(paper.clone()));
    let first = |text: &str| serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap();
    assert_eq!(first(&paper.text()), first(include_str!("../../../tests/data/backup.jsonl")));
    assert!(!paper.text().contains('\x1b'));
}
