//! The run log: on disk before anything happens, complete, and enough to know what a run owes.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use svc_core::cancel::Cancel;
use svc_core::event::{Body, Event};
use svc_core::goal::Goal;
use svc_core::plan::{Step, Target};
use svc_core::run_log;
use svc_core::view::View;

use crate::house::{CACHE, DB, House, WEB, backup, backup_to, noon, restart, restore, service, start, stop};

/// Whether a step announces this call.
fn announces(step: &Step, call: &str) -> bool {
    let (Some(system), Some(verb), Some(object)) =
        (call.split(' ').next(), call.split(' ').nth(1), call.split(' ').nth(2))
    else {
        return false;
    };
    let names = |targets: &Vec<Target>| targets.iter().any(|target| target.to_string() == object);
    match step {
        Step::Stop { targets } => verb == "stop" && names(targets),
        Step::Resume { targets } | Step::Start { targets } => verb == "start" && names(targets),
        Step::Restart { targets } => verb == "restart" && names(targets),
        Step::Revert { stop, start, .. } => {
            (verb == "stop" && stop.iter().any(names)) || (verb == "start" && start.iter().any(names))
        }
        Step::Backup(step) => system == "restic" && verb == "backup" && step.repository.as_str() == object,
        Step::Stage(step) => system == "restic" && verb == "restore" && step.repository.as_str() == object,
        _ => false,
    }
}

/// The steps that a log says are under way.
fn open_steps(events: &[Event]) -> Vec<Step> {
    let mut open = Vec::new();
    for event in events {
        match &event.body {
            Body::StepStarted { service, index, step } => open.push((service.clone(), *index, step.clone())),
            Body::StepFinished { service, index, .. } => {
                open.retain(|(other, at, _)| (other, at) != (service, index));
            }
            _ => {}
        }
    }
    open.into_iter().map(|(.., step)| step).collect()
}

/// Runs, and lists the orders that no line on disk announced at the moment they were given.
async fn unannounced(house: &House, goal: &Goal) -> Vec<String> {
    let plan = house.plan(goal).await;
    house.tap.clear();
    let log = house.next_log();
    let missing: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&missing);
    house.tap.watch(move |call| {
        let verb = call.split(' ').nth(1).unwrap();
        if !["stop", "start", "restart", "backup", "restore"].contains(&verb) {
            return;
        }
        let events = run_log::read(&log).unwrap();
        if !open_steps(&events).iter().any(|step| announces(step, call)) {
            found.lock().unwrap().push(call.to_owned());
        }
    });
    house.run_plan(plan).await;
    assert!(!house.tap.orders().is_empty());
    let missing = missing.lock().unwrap();
    missing.clone()
}

#[tokio::test(start_paused = true)]
async fn every_order_is_on_disk_before_it_is_given() {
    for goal in [
        backup_to(&["local", "remote"], &["paperless", "notes", "x", "caddy"]),
        restart(&["paperless", "notes"], false),
        restart(&["paperless", "x"], true),
        stop(&["paperless", "notes"]),
        start(&["archive"]),
    ] {
        let house = House::new();
        assert_eq!(unannounced(&house, &goal).await, Vec::<String>::new(), "{}", goal.verb());
    }
}

#[tokio::test(start_paused = true)]
async fn every_order_of_a_restore_and_of_its_way_back_is_on_disk_before_it_is_given() {
    let house = House::new();
    house.run(&backup(&["paperless"])).await;
    assert_eq!(unannounced(&house, &restore(&["paperless"])).await, Vec::<String>::new());
    house.docker.fault(
        svc_core::testing::DockerVerb::Start,
        DB,
        svc_core::testing::When::Nth(3),
        svc_core::testing::DockerFault::Exits(1),
    );
    assert_eq!(unannounced(&house, &restore(&["paperless"])).await, Vec::<String>::new());
    assert_eq!(house.tap.orders().iter().filter(|order| *order == "docker stop paperless-web-1").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_prior_state_is_on_disk_before_the_first_stop() {
    let house = House::new();
    let log = house.next_log();
    let seen: Arc<Mutex<Option<Vec<Event>>>> = Arc::default();
    let first = Arc::clone(&seen);
    house.tap.watch(move |call| {
        if call.starts_with("docker stop") {
            first.lock().unwrap().get_or_insert_with(|| run_log::read(&log).unwrap());
        }
    });
    house.run(&backup(&["paperless"])).await;
    let events = seen.lock().unwrap().take().unwrap();
    let prior = events.iter().find_map(|event| match &event.body {
        Body::PriorState { prior, .. } => Some(prior.running.clone()),
        _ => None,
    });
    let names: BTreeSet<String> = prior.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, [CACHE, DB, WEB].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_during_the_backup_tells_what_is_down() {
    let house = House::new();
    let log = house.next_log();
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let there = Arc::clone(&seen);
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            *there.lock().unwrap() = run_log::read(&log).unwrap();
        }
    });
    house.run(&backup(&["paperless"])).await;
    let view = View::of(seen.lock().unwrap().iter());
    let paperless = &view.services[&service("paperless")];
    let down: BTreeSet<String> = paperless.down.iter().map(ToString::to_string).collect();
    assert_eq!(down, [CACHE, DB, WEB].map(str::to_owned).into());
    assert!(paperless.down_since.is_some() && view.report.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_exchange_is_announced_before_and_confirmed_after() {
    let house = House::new();
    house.run(&backup(&["music"])).await;
    let outcome = house.run(&restore(&["music"])).await;
    let at = |is: fn(&Body) -> bool| outcome.events.iter().position(|event| is(&event.body)).unwrap();
    let begun = at(|body| matches!(body, Body::StepStarted { step: Step::Exchange { .. }, .. }));
    let done = at(|body| matches!(body, Body::Exchanged { .. }));
    assert!(begun < done);
}

#[tokio::test(start_paused = true)]
async fn events_are_numbered_without_gaps_and_all_but_crowded_progress_is_on_disk() {
    let house = House::new();
    let goal = backup_to(&["local", "remote"], &["paperless", "notes", "music"]);
    let outcome = house.run(&goal).await;
    let numbers: Vec<u64> = outcome.told.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (0..outcome.told.len() as u64).collect::<Vec<_>>());
    let logged: BTreeSet<u64> = outcome.events.iter().map(|event| event.seq).collect();
    let missing = outcome.told.iter().filter(|event| !logged.contains(&event.seq));
    assert!(missing.into_iter().all(|event| matches!(event.body, Body::Progress { .. })));
    assert!(outcome.events.is_sorted_by_key(|event| event.seq));
}

/// One run of each kind, a failing one among them.
async fn recordings() -> Vec<Vec<Event>> {
    let house = House::new();
    let all = ["paperless", "notes", "x", "music", "archive", "caddy"];
    let mut told = vec![house.run(&backup_to(&["local", "remote"], &all)).await.told];
    house.tap.mishap("restic backup local svc:notes", 2, crate::tap::Mishap::Refused);
    told.push(house.run(&backup(&["notes"])).await.told);
    for goal in [restore(&["paperless"]), restart(&["notes"], true), stop(&all), start(&all)] {
        told.push(house.run(&goal).await.told);
    }
    told
}

#[tokio::test(start_paused = true)]
async fn events_come_back_from_json_as_they_went() {
    for told in recordings().await {
        for event in told {
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_view_from_the_disk_is_the_one_that_was_shown() {
    let house = House::new();
    let outcome = house.run(&backup_to(&["local", "remote"], &["paperless", "notes"])).await;
    let (shown, read) = (View::of(&outcome.told), View::of(&outcome.events));
    assert_eq!(shown, read);
    assert_eq!(read.report, Some(outcome.report));
    assert_eq!(read.finished().count(), 2);
    assert!(read.services.values().all(|service| service.down.is_empty() && service.step.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_torn_log_is_a_shorter_run() {
    let house = House::new();
    let outcome = house.run(&backup(&["paperless"])).await;
    let text = std::fs::read(&outcome.log).unwrap();
    for cut in (0..text.len()).step_by(41) {
        let events = run_log::parse(&text[..cut]);
        assert_eq!(events, outcome.events[..events.len()], "cut at {cut}");
        assert!(View::of(&events).report.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_is_for_its_owner_and_group_only() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let outcome = house.run(&backup(&["music"])).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&outcome.log) & 0o037, 0);
    assert_eq!(mode(outcome.log.parent().unwrap()) & 0o027, 0);
}

static WRITABLE: AtomicU64 = AtomicU64::new(u64::MAX);

thread_local! {
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Ends the recorder's thread after so many events, as a broken disk would end its writing.
fn breaking_clock() -> Timestamp {
    SEEN.set(SEEN.get() + 1);
    if SEEN.get() > WRITABLE.load(Ordering::SeqCst) {
        // Without a word on the screen.
        std::panic::resume_unwind(Box::new("the test breaks the log"));
    }
    noon()
}

#[tokio::test(start_paused = true)]
async fn when_the_log_breaks_nothing_new_begins_and_what_is_owed_is_paid_back() {
    let goal = backup_to(&["local", "remote"], &["paperless"]);
    let clean = House::new().run(&goal).await.told;
    let saves = |event: &Event| matches!(event.body, Body::StepStarted { step: Step::Backup(_), .. });
    let last_save = clean.iter().rposition(saves).unwrap();
    for writable in 0..clean.len() as u64 {
        let house = House::new();
        let before = house.running();
        let plan = house.plan(&goal).await;
        house.tap.clear();
        WRITABLE.store(writable, Ordering::SeqCst);
        let outcome = house.run_clocked(plan, Cancel::default(), breaking_clock, |_, _| {}).await;
        assert_eq!(house.running(), before, "after {writable} events");
        if writable == 0 {
            assert!(house.tap.orders().is_empty(), "{:?}", house.tap.orders());
        }
        // When all is saved, only news of the way back may be lost.
        assert!(outcome.code() == 14 || writable > last_save as u64, "{} after {writable}", outcome.code());
        assert_eq!(outcome.told.len() as u64, writable);
    }
}
