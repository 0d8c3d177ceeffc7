//! The client against a manager of our own at the other end of a socket.

mod manager;

use manager::{Act, MANAGER, Manager, STRANGER, reply};
use zbus::message::Message;
use zbus::{ObjectPath, Variant};

use super::*;
use crate::systemd::{ActiveState, LoadState};
use crate::testing::unit_name;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);
const OURS: &str = "/org/freedesktop/systemd1/job/7";
const OTHER: &str = "/org/freedesktop/systemd1/job/8";

async fn start(manager: &Manager, limit: Duration) -> Result<(), SystemdError> {
    Bus::new(manager.address()).run_job(JobVerb::Start, &unit_name("a.service"), limit).await
}

fn ended(result: &str) -> SystemdError {
    let (verb, unit) = ("start".to_owned(), "a.service".to_owned());
    SystemdError::JobEnded { verb, unit, result: result.to_owned() }
}

#[tokio::test]
async fn fault_31_every_result_but_done_and_skipped_is_a_failure() {
    for good in ["done", "skipped"] {
        let manager = Manager::with_job(&[Act::Job(OURS), Act::Removed(MANAGER, OURS, good)]);
        assert_eq!(start(&manager, LONG).await, Ok(()), "{good}");
    }
    for bad in [
        "canceled",
        "timeout",
        "failed",
        "dependency",
        "invalid",
        "assert",
        "unsupported",
        "collected",
        "once",
        "frozen",
        "concurrency",
        "hovering",
        "",
    ] {
        let manager = Manager::with_job(&[Act::Job(OURS), Act::Removed(MANAGER, OURS, bad)]);
        assert_eq!(start(&manager, LONG).await, Err(ended(bad)));
    }
}

#[tokio::test]
async fn a_job_removed_before_the_reply_is_not_missed() {
    let manager = Manager::with_job(&[Act::Removed(MANAGER, OURS, "failed"), Act::Job(OURS)]);
    assert_eq!(start(&manager, LONG).await, Err(ended("failed")));
}

#[tokio::test]
async fn other_jobs_and_other_senders_say_nothing_about_ours() {
    let manager = Manager::with_job(&[
        Act::Removed(STRANGER, OURS, "done"),
        Act::Removed(MANAGER, OTHER, "done"),
        Act::Job(OURS),
        Act::Removed(MANAGER, OTHER, "done"),
        Act::Removed(STRANGER, OURS, "done"),
        Act::Removed(MANAGER, OURS, "dependency"),
    ]);
    assert_eq!(start(&manager, LONG).await, Err(ended("dependency")));
}

#[tokio::test]
async fn thousands_of_foreign_jobs_before_the_reply_do_not_stop_the_connection() {
    let mut acts = vec![Act::Removed(MANAGER, OTHER, "done"); 3000];
    acts.extend([Act::Job(OURS), Act::Removed(MANAGER, OURS, "done")]);
    assert_eq!(start(&Manager::with_job(&acts), LONG).await, Ok(()));
}

#[tokio::test]
async fn a_job_that_does_not_end_meets_its_deadline_and_is_left_alone() {
    let endless = async |acts: &[Act]| {
        let manager = Manager::with_job(acts);
        let error = start(&manager, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error, SystemdError::Deadline { action: "start `a.service`".to_owned(), seconds: 1 });
        assert_eq!(manager.calls(), ["Subscribe", "StartUnit"]);
    };
    // One whose job is known, and one whose request is never answered.
    join(endless(&[Act::Job(OURS)]), endless(&[])).await;
}

#[tokio::test]
async fn a_lost_connection_is_told_at_once_and_the_next_call_opens_another() {
    let manager = Manager::new(|member, _| match member {
        "StartUnit" => vec![Act::Job(OURS), Act::Close],
        "StopUnit" => vec![Act::Job(OURS), Act::Removed(MANAGER, OURS, "done")],
        _ => vec![],
    });
    let bus = Bus::new(manager.address());
    let unit = unit_name("a.service");
    let error = bus.run_job(JobVerb::Start, &unit, LONG).await.unwrap_err();
    assert!(matches!(error, SystemdError::Unreachable { .. }), "{error}");
    bus.run_job(JobVerb::Stop, &unit, LONG).await.unwrap();
    assert_eq!(manager.calls(), ["Subscribe", "StartUnit", "Subscribe", "StopUnit"]);
}

#[tokio::test]
async fn one_connection_subscribes_once_for_all_its_jobs() {
    let manager = Manager::with_job(&[Act::Job(OURS), Act::Removed(MANAGER, OURS, "done")]);
    let bus = Bus::new(manager.address());
    for verb in [JobVerb::Start, JobVerb::Stop, JobVerb::Restart] {
        bus.run_job(verb, &unit_name("a.service"), LONG).await.unwrap();
    }
    assert_eq!(manager.calls(), ["Subscribe", "StartUnit", "StopUnit", "RestartUnit"]);
}

#[tokio::test]
async fn refusals_keep_their_meaning() {
    let table = [
        ("org.freedesktop.systemd1.NoSuchUnit", "NoUnit"),
        ("org.freedesktop.systemd1.UnitMasked", "NoUnit"),
        ("org.freedesktop.DBus.Error.AccessDenied", "Denied"),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "Denied"),
        ("org.freedesktop.systemd1.TransactionIsDestructive", "Refused"),
        ("org.freedesktop.systemd1.ShuttingDown", "ShuttingDown"),
        ("org.freedesktop.DBus.Error.ServiceUnknown", "Unreachable"),
        ("com.example.Odd", "Refused"),
    ];
    for (name, kind) in table {
        let manager = Manager::new(move |member, _| match member {
            "StartUnit" => vec![Act::Refuse(name, "because")],
            "Get" => vec![Act::Send(|call| reply(call, &Variant::from("running")))],
            _ => vec![],
        });
        let error = start(&manager, LONG).await.unwrap_err();
        let debug = format!("{error:?}");
        assert!(debug.starts_with(kind), "{name}: {debug}");
        assert!(matches!(kind, "Denied" | "ShuttingDown") || debug.contains("because"), "{debug}");
    }
}

#[tokio::test]
async fn a_destructive_transaction_while_the_manager_stops_means_shutdown() {
    let manager = Manager::new(|member, _| match member {
        "StartUnit" => vec![Act::Refuse("org.freedesktop.systemd1.TransactionIsDestructive", "x")],
        "Get" => vec![Act::Send(|call| reply(call, &Variant::from("stopping")))],
        _ => vec![],
    });
    let error = start(&manager, LONG).await.unwrap_err();
    assert_eq!(error, SystemdError::ShuttingDown { unit: "a.service".to_owned() });
}

#[tokio::test]
async fn a_missing_socket_is_unreachable_and_the_failure_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(format!("unix:path={}/bus", dir.path().display()));
    assert!(matches!(bus.manager_state().await, Err(SystemdError::Unreachable { .. })));
    assert!(matches!(bus.manager_state().await, Err(SystemdError::Unreachable { .. })));
    let nonsense = Bus::new("nonsense").manager_state().await;
    assert!(matches!(nonsense, Err(SystemdError::Unreachable { .. })), "{nonsense:?}");
}

#[tokio::test]
async fn a_socket_that_accepts_and_says_nothing_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(dir.path().join("bus")).unwrap();
    let bus = Bus { connect: SHORT, ..Bus::new(format!("unix:path={}/bus", dir.path().display())) };
    assert!(matches!(bus.manager_state().await, Err(SystemdError::Unreachable { .. })));
}

/// Lists every name asked for, with a path made of its digits; `alias` is known as `real`. Each costs the manager a
/// look-up, so none may come twice.
fn list(call: &Message) -> Message {
    let body = call.body();
    let names: Vec<String> = body.deserialize().unwrap();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    let row = |name: &String| {
        let name = name.replace("alias", "real");
        let digits: String = name.chars().filter(char::is_ascii_digit).collect();
        let path = ObjectPath::try_from(format!("/unit/u{digits}")).unwrap();
        let none = ObjectPath::try_from("/").unwrap();
        (name, "what", "loaded", "active", "running", "", path, 0_u32, "", none)
    };
    reply(call, &names.iter().map(row).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_thousand_names_are_one_call_and_names_are_asked_once() {
    let manager = Manager::new(|member, _| match member {
        "ListUnitsByNames" => vec![Act::Send(list)],
        _ => vec![],
    });
    let bus = Bus::new(manager.address());
    let mut names: Vec<_> = (0..1000).map(|n| unit_name(&format!("u{n}.service"))).collect();
    names.extend(["template@.service", "alias.service", "u3.service"].map(unit_name));
    let units = bus.units(&names).await.unwrap();
    assert_eq!(manager.calls(), ["ListUnitsByNames"]);
    assert_eq!(units.len(), names.len());
    assert_eq!(units[999].object_path, "/unit/u999");
    assert_eq!((units[1000].load, units[1000].active), (LoadState::NotFound, ActiveState::Inactive));
    assert_eq!(units[1001].name.as_str(), "real.service");
    assert_eq!(units[1002], units[3]);
    assert_eq!(bus.units(&[]).await, Ok(vec![]));
    assert_eq!(manager.calls().len(), 1);
}

#[tokio::test]
async fn guesses_are_two_questions_at_once_and_an_alias_is_a_third() {
    // Nothing is answered before both questions are in.
    let waiting = std::sync::Mutex::new(Vec::new());
    let manager = Manager::new(move |member, call| {
        if member == "ListUnitsByNames" {
            return vec![Act::Send(lists)];
        }
        let mut waiting = waiting.lock().unwrap();
        waiting.push(call.clone());
        if waiting.len() < 2 { vec![] } else { waiting.drain(..).map(Act::Answer).collect() }
    });
    let names =
        ["docker-a.service", "docker-b.service", "docker-c.service", "docker-d.service"].map(unit_name);
    let units = Bus::new(manager.address()).guessed(&names, &["docker-*.service"]).await.unwrap();
    let seen: Vec<_> = units.iter().map(|unit| (unit.name.as_str(), unit.load, unit.active)).collect();
    let expected = [
        ("docker-a.service", LoadState::Loaded, ActiveState::Inactive),
        ("real.service", LoadState::Loaded, ActiveState::Active),
        ("docker-c.service", LoadState::Loaded, ActiveState::Active),
        ("docker-d.service", LoadState::NotFound, ActiveState::Inactive),
    ];
    assert_eq!((seen.as_slice(), manager.calls().len()), (expected.as_slice(), 3));
}

/// A manager's lists: `docker-a` is only a file, `docker-b` another name of `real`, and `docker-c` is in its memory.
fn lists(call: &Message) -> Message {
    let none = ObjectPath::try_from("/").unwrap();
    let row =
        |name| vec![(name, "", "loaded", "active", "running", "", none.clone(), 0_u32, "", none.clone())];
    match call.header().member().map(ToString::to_string).unwrap_or_default().as_str() {
        "ListUnitsByNames" => reply(call, &row("real.service")),
        "ListUnitsByPatterns" => reply(call, &row("docker-c.service")),
        _ => reply(call, &vec![("/etc/docker-a.service", "disabled"), ("/etc/docker-b.service", "alias")]),
    }
}

fn unit(number: usize) -> Unit {
    Unit {
        name: unit_name(&format!("u{number}.service")),
        description: String::new(),
        load: LoadState::Loaded,
        active: ActiveState::Active,
        sub: "exited".to_owned(),
        object_path: format!("/unit/u{number}"),
    }
}

/// The answer to a `Get`.
fn property(call: &Message) -> Message {
    let body = call.body();
    let (_, name): (&str, &str) = body.deserialize().unwrap();
    let value: Variant<'_> = match name {
        "Type" => "oneshot".into(),
        "RemainAfterExit" => true.into(),
        "FreezerState" => "running".into(),
        _ => 1_000_000_u64.into(),
    };
    reply(call, &value)
}

fn properties(call: &Message) -> Message {
    let body = call.body();
    match call.header().member().map(ToString::to_string).unwrap_or_default().as_str() {
        "Get" => return property(call),
        "GetAll" => {}
        _ => return lists(call),
    }
    let interface: &str = body.deserialize().unwrap();
    let values: std::collections::HashMap<&str, Variant<'_>> = if interface.ends_with("Service") {
        [("Type", "oneshot".into()), ("RemainAfterExit", true.into())].into()
    } else {
        let path = call.header().path().map(ToString::to_string).unwrap_or_default();
        [("UnitFileState", path.into())].into()
    };
    reply(call, &values)
}

#[tokio::test]
async fn details_are_asked_for_all_at_once_and_come_in_order() {
    // Nothing is answered before the last question is in: whoever waits for the first answer waits for ever.
    let (units, waiting) = (40, Arc::new(std::sync::Mutex::new(Vec::new())));
    let manager = Manager::new(move |member, call| {
        let mut waiting = waiting.lock().unwrap();
        assert_eq!(member, "GetAll");
        waiting.push(call.clone());
        if waiting.len() < 2 * units { vec![] } else { waiting.drain(..).map(Act::Answer).collect() }
    });
    let asked: Vec<_> = (0..units).map(unit).collect();
    let details = Bus::new(manager.address()).details(&asked).await.unwrap();
    assert_eq!(manager.calls().len(), 2 * units);
    for (number, details) in details.iter().enumerate() {
        assert!(details.remains_after_exit);
        assert_eq!(details.file_state, format!("/unit/u{number}"));
    }
}

#[tokio::test]
async fn a_glance_asks_for_little_all_at_once() {
    // A running service, one that only remains, a timer; nothing is answered before the last question is in.
    let mut asked = [unit(0), unit(1), unit(2)];
    "running".clone_into(&mut asked[0].sub);
    asked[2].name = unit_name("u2.timer");
    let questions = 2 + 3 + 2;
    let waiting = std::sync::Mutex::new(Vec::new());
    let manager = Manager::new(move |member, call| {
        let mut waiting = waiting.lock().unwrap();
        assert_eq!(member, "Get");
        waiting.push(call.clone());
        if waiting.len() < questions { vec![] } else { waiting.drain(..).map(Act::Answer).collect() }
    });
    let seen = Bus::new(manager.address()).glance(&asked).await.unwrap();
    assert_eq!(manager.calls().len(), questions);
    assert_eq!(seen.iter().map(|unit| unit.remains_after_exit).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(seen.iter().map(|unit| unit.since.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(seen.iter().map(|unit| unit.timer.next.is_some()).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test]
async fn units_are_found_by_a_glob_in_one_call() {
    let rows = |call: &Message| {
        let body = call.body();
        let (states, globs): (Vec<String>, Vec<String>) = body.deserialize().unwrap();
        assert_eq!((states.len(), globs), (0, vec!["svc-*.timer".to_owned()]));
        let none = ObjectPath::try_from("/").unwrap();
        let row = ("svc-a.timer", "what", "loaded", "active", "waiting", "", none.clone(), 0_u32, "", none);
        reply(call, &vec![row])
    };
    let manager = Manager::new(move |_, _| vec![Act::Send(rows)]);
    let units = Bus::new(manager.address()).matching("svc-*.timer").await.unwrap();
    assert_eq!(units.iter().map(|unit| unit.name.as_str()).collect::<Vec<_>>(), ["svc-a.timer"]);
}

#[tokio::test]
async fn no_more_calls_are_unanswered_than_the_system_bus_allows() {
    let manager = Manager::new(|_, _| vec![]);
    let bus = Bus { query: Duration::from_secs(1), ..Bus::new(manager.address()) };
    let asked: Vec<_> = (0..200).map(unit).collect();
    let error = bus.details(&asked).await.unwrap_err();
    assert!(matches!(error, SystemdError::Deadline { .. }), "{error}");
    assert_eq!(manager.calls().len(), 120);
}

#[tokio::test]
async fn a_unit_that_vanished_has_empty_details_and_a_hanging_manager_a_deadline() {
    let manager = Manager::new(|member, call| match (member, call.header().path().unwrap().as_str()) {
        ("GetAll", "/unit/u0") => vec![Act::Refuse("org.freedesktop.DBus.Error.UnknownObject", "gone")],
        ("GetAll", "/unit/u1") => vec![Act::Send(properties)],
        _ => vec![],
    });
    let bus = Bus { query: Duration::from_secs(1), ..Bus::new(manager.address()) };
    let details = bus.details(&[unit(0), unit(1)]).await.unwrap();
    assert_eq!(details.iter().map(|d| d.remains_after_exit).collect::<Vec<_>>(), [false, true]);
    let error = bus.details(&[unit(2)]).await.unwrap_err();
    assert!(matches!(error, SystemdError::Deadline { seconds: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_unit_is_frozen_and_thawed_by_one_call_each() {
    let manager = Manager::new(|member, _| match member {
        "FreezeUnit" | "ThawUnit" => vec![Act::Send(|call| reply(call, &()))],
        _ => vec![],
    });
    let bus = Bus::new(manager.address());
    bus.freeze(&unit_name("a.service")).await.unwrap();
    bus.thaw(&unit_name("a.service")).await.unwrap();
    assert_eq!(manager.calls(), ["FreezeUnit", "ThawUnit"]);
}
