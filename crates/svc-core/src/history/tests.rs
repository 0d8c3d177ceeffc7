use std::fs;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::plan::Target;
use crate::run_log::RunLog;

fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn id(began: Timestamp, pid: u32) -> RunId {
    RunId::new(began, pid)
}

fn event(seq: u64, run: &RunId, body: &serde_json::Value) -> Event {
    let mut event = json!({"seq": seq, "at": "2026-11-20T12:00:00Z", "run": run});
    event.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    serde_json::from_value(event).unwrap()
}

fn started(verb: &str) -> serde_json::Value {
    let goal =
        json!({"verb": verb, "repositories": ["local"], "services": ["notes", "music"], "recreate": false});
    let service = |name: &str| json!({"service": name, "group": 0, "steps": []});
    json!({"event": "runStarted", "version": "1", "pid": 1, "plan": {
        "goal": goal, "madeAt": "2026-11-20T12:00:00Z", "jobs": 1, "services": [service("notes"), service("music")]}})
}

fn finished(code: &str) -> serde_json::Value {
    let service = |name: &str, down: Option<u64>| json!({"service": name, "code": code, "downtimeMs": down, "tookMs": 5});
    json!({"event": "runFinished", "report": {"code": code, "verb": "backup", "tookMs": 9000,
        "services": [service("notes", Some(700)), service("music", None)]}})
}

fn unit(name: &str) -> serde_json::Value {
    json!({"unit": name})
}

/// A log with these events, still held.
fn write(directory: &Path, run: &RunId, bodies: &[serde_json::Value]) -> RunLog {
    let mut log = RunLog::create(directory, run).unwrap();
    for (seq, body) in (0..).zip(bodies) {
        log.append(&event(seq, run, body)).unwrap();
    }
    log
}

/// Waits until files that were held are let go: what another test starts has all files of this process until it has become
/// its program.
fn let_go(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_so() && Instant::now() < end {
        std::thread::yield_now();
    }
}

#[test]
fn a_run_is_at_work_has_ended_or_has_crashed() {
    let directory = tempfile::tempdir().unwrap();
    let run = id(noon(), 1);
    let log = write(directory.path(), &run, &[started("backup")]);
    let seen = summary(directory.path(), &run).unwrap();
    assert_eq!((seen.fate, seen.verb.as_deref(), seen.services.len()), (Fate::Running, Some("backup"), 2));
    drop(log);
    let fate = || summary(directory.path(), &run).unwrap().fate;
    let_go(|| fate() != Fate::Running);
    assert_eq!(fate(), Fate::Crashed);

    let run = id(noon(), 2);
    drop(write(directory.path(), &run, &[started("backup"), finished("partial")]));
    let seen = summary(directory.path(), &run).unwrap();
    assert_eq!(seen.fate, Fate::Ended { code: Code::Partial });
    assert_eq!((seen.took_ms, seen.downtime_ms, seen.repositories.len()), (Some(9000), Some(700), 1));
    assert_eq!(report_of(directory.path(), &run).unwrap().unwrap().services.len(), 2);
}

#[test]
fn a_run_owes_what_its_report_says_is_down_and_in_older_logs_what_its_code_says() {
    let directory = tempfile::tempdir().unwrap();
    let owes = |pid: u32, end: &serde_json::Value| {
        let run = id(noon(), pid);
        drop(write(directory.path(), &run, &[started("backup"), end.clone()]));
        summary(directory.path(), &run).unwrap().owes
    };
    assert!(owes(1, &finished("notResumed")));
    let mut shut_down = finished("terminated");
    assert!(!owes(2, &shut_down));
    shut_down["report"]["services"][0]["down"] = json!([unit("notes.service")]);
    assert!(owes(3, &shut_down));
}

#[test]
fn runs_come_newest_first_and_other_things_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(runs(&directory.path().join("missing")).unwrap(), []);
    let [first, second] = [id(noon(), 1), id(noon() + SignedDuration::from_secs(1), 1)];
    drop(write(directory.path(), &first, &[]));
    drop(write(directory.path(), &second, &[]));
    fs::create_dir(directory.path().join("empty")).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(runs(directory.path()).unwrap(), [second, first]);
}

#[test]
fn a_word_names_a_run_by_its_beginning_if_only_one_begins_so() {
    let runs: Vec<RunId> =
        ["20261120T12-b", "20261120T11-aa", "20261120T11-a"].map(|id| id.parse().unwrap()).into();
    assert_eq!(choose(&runs, "latest"), Ok(&runs[0]));
    assert_eq!(choose(&runs, "20261120T12"), Ok(&runs[0]));
    assert_eq!(choose(&runs, "20261120T11-a"), Ok(&runs[2]));
    assert_eq!(choose(&runs, "2026"), Err(RunWordError::Ambiguous { word: "2026".into(), count: 3 }));
    assert_eq!(choose(&runs, "x"), Err(RunWordError::Unknown { word: "x".into() }));
    assert!(choose(&[], "latest").is_err());
}

#[test]
fn what_a_crashed_run_stopped_is_named_also_when_it_was_about_to() {
    let run = id(noon(), 1);
    let targets = json!([unit("notes.service"), unit("notes-web.service")]);
    let mut bodies = vec![
        started("backup"),
        json!({"event": "serviceStarted", "service": "notes"}),
        json!({"event": "priorState", "service": "notes", "running": targets}),
        json!({"event": "stepStarted", "service": "notes", "index": 1,
            "step": {"do": "stop", "targets": targets}}),
        json!({"event": "stopped", "service": "notes", "target": unit("notes.service")}),
    ];
    let seen = |bodies: &[serde_json::Value]| {
        let events: Vec<Event> = (0..).zip(bodies).map(|(seq, body)| event(seq, &run, body)).collect();
        cut_off(&run, &events)
    };
    let both: Vec<Target> = serde_json::from_value(targets.clone()).unwrap();
    let cut = seen(&bodies);
    assert_eq!(cut.len(), 1, "music was never begun");
    assert_eq!((cut[0].service.as_str(), cut[0].phase.as_deref()), ("notes", Some("stopping")));
    assert_eq!(cut[0].down, both);

    bodies[0] = started("stop");
    assert_eq!(seen(&bodies)[0].down, []);
    bodies[0] = started("backup");
    bodies.push(json!({"event": "stepFinished", "service": "notes", "index": 1, "tookMs": 5}));
    bodies.push(json!({"event": "started", "service": "notes", "target": unit("notes.service")}));
    assert_eq!(seen(&bodies)[0].down, []);
    bodies.push(finished("ok"));
    assert_eq!(seen(&bodies), []);
}

#[test]
fn logs_go_after_90_days_or_200_runs_but_never_what_may_still_matter() {
    let directory = tempfile::tempdir().unwrap();
    let day = |days: i64| noon() - SignedDuration::from_hours(24 * days);
    let make = |began, pid, bodies: &[serde_json::Value]| {
        let run = id(began, pid);
        (run.clone(), write(directory.path(), &run, bodies))
    };
    let ended = [started("backup"), finished("ok")];
    let newest: Vec<RunId> = (0..200).map(|pid| make(day(1), pid, &ended).0).collect();
    let surplus = make(day(2), 1, &ended).0;
    let crashed = make(day(3), 1, &[started("backup")]).0;
    let down = make(day(3), 2, &[started("backup"), finished("notResumed")]).0;
    let (held, _log) = make(day(95), 1, &[started("backup")]);
    let old = make(day(91), 1, &ended).0;
    let old_crashed = make(day(92), 1, &[started("backup")]).0;
    fs::create_dir(directory.path().join("foreign-1")).unwrap();
    fs::write(directory.path().join("foreign-1/log.jsonl"), "").unwrap();

    let_go(|| summary(directory.path(), &old_crashed).unwrap().fate == Fate::Crashed);
    prune(directory.path(), noon());
    let left = runs(directory.path()).unwrap();
    assert!(newest.iter().all(|run| left.contains(run)));
    for (run, kept) in [
        (&surplus, false),
        (&crashed, true),
        (&down, true),
        (&held, true),
        (&old, false),
        (&old_crashed, false),
    ] {
        assert_eq!(left.contains(run), kept, "{run}");
    }
    assert!(left.contains(&"foreign-1".parse().unwrap()));
}

#[test]
fn the_newest_log_stays_however_old_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let run = id(noon() - SignedDuration::from_hours(24 * 400), 1);
    drop(write(directory.path(), &run, &[started("backup"), finished("ok")]));
    prune(directory.path(), noon());
    assert_eq!(runs(directory.path()).unwrap(), [run]);
}

#[test]
fn frozen_copies_are_told_for_as_long_as_they_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join(".svc-frozen-notes-1/0");
    fs::create_dir_all(&copy).unwrap();
    let mut body = started("backup");
    let step = json!({"do": "freeze", "reason": "it is short", "binds": [], "copies": [
        {"how": "btrfs", "from": "/srv/notes", "to": copy}, {"how": "btrfs", "from": "/srv/more", "to": "/srv/gone"}]});
    body["plan"]["services"][0]["steps"] = json!([step.clone()]);
    let run = id(noon(), 1);
    let begun = json!({"event": "stepStarted", "service": "notes", "index": 0, "step": step});
    let mut log = write(directory.path(), &run, &[body.clone(), begun]);
    assert!(frozen_left(directory.path()).unwrap().is_empty(), "it is at work");
    log.append(&event(2, &run, &finished("ok"))).unwrap();
    drop(log);
    let told = || {
        summary(directory.path(), &run).unwrap().frozen.into_iter().map(|copy| copy.to).collect::<Vec<_>>()
    };
    assert_eq!(told(), std::slice::from_ref(&copy));
    assert_eq!(frozen_left(directory.path()).unwrap().len(), 1);
    // One that planned the same and was not let in never made it.
    drop(write(directory.path(), &id(noon(), 2), &[body, finished("busy")]));
    let left: Vec<RunId> = frozen_left(directory.path()).unwrap().into_iter().map(|(run, _)| run).collect();
    assert_eq!(left, std::slice::from_ref(&run));
    fs::remove_dir_all(copy.parent().unwrap()).unwrap();
    assert_eq!(told(), Vec::<PathBuf>::new());
}
