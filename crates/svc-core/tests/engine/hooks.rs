//! Hooks: before, after, on failure; and after a death what clears up runs all the same.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use svc_core::cancel::Cancel;
use svc_core::code::Code;
use svc_core::config::{Hook, HookAction, HookPlace, Hooks, Period, Quiesce};
use svc_core::event::{Body, Event};
use svc_core::observe::hook_warnings;
use svc_core::plan::Step;
use svc_core::records::{Attempt, Doubts};
use svc_core::restic::Restic as _;
use svc_core::standing::is_unfinished;
use svc_core::systemd::fake::{SystemdCall, SystemdFault};
use svc_core::systemd::{ActiveState, JobVerb, Value};
use svc_core::testing::When;

use crate::house::{DB, House, Outcome, backup, repository};

fn hook(program: &str) -> Hook {
    Hook {
        action: HookAction::Command(vec![program.to_owned(), "$HOME".to_owned()]),
        place: HookPlace::Host,
        timeout: Period::seconds(60),
        env: [("COLOUR".to_owned(), "red".to_owned())].into(),
        env_file: None,
    }
}

/// A house where `notes` has two hooks before, two after and one on failure.
fn hooked() -> House {
    let mut house = House::new();
    house.service("notes").backup.hooks = Hooks {
        pre: vec![hook("dump"), hook("lock")],
        post: vec![hook("clear"), hook("unlock")],
        on_failure: vec![hook("mail")],
    };
    house
}

/// The hooks that ran, and what else matters, in order.
fn story(house: &House) -> Vec<String> {
    let word = |call: String| {
        if let Some(unit) = call.strip_prefix("systemd transient svc-hook-20261120T120001-1-notes-") {
            return Some(unit.trim_end_matches(".service").to_owned());
        }
        call.split(' ').nth(1).filter(|word| ["stop", "start", "backup"].contains(word)).map(str::to_owned)
    };
    house.tap.calls().into_iter().filter_map(word).collect()
}

/// The hook that an event announces.
fn begun(event: &Event) -> Option<String> {
    match &event.body {
        Body::StepStarted { step: Step::Hook(hook), .. } => {
            Some(format!("{}-{}", hook.kind.as_str(), hook.index))
        }
        _ => None,
    }
}

fn fail(house: &House, hook: &str, fault: SystemdFault) {
    house.systemd.fault(
        JobVerb::Start,
        &format!("svc-hook-20261120T120001-1-notes-{hook}.service"),
        When::Always,
        fault,
    );
}

#[tokio::test(start_paused = true)]
async fn hooks_run_around_the_backup_and_after_the_service_is_back() {
    let house = hooked();
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    assert_eq!(story(&house), ["pre-0", "pre-1", "stop", "backup", "start", "post-0", "post-1"]);
}

#[tokio::test(start_paused = true)]
async fn fault_35_a_pre_hook_that_fails_stops_nothing_and_only_what_ran_is_cleared_up() {
    let house = hooked();
    fail(&house, "pre-0", SystemdFault::Job("failed"));
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 16, "{}", outcome.messages("notes"));
    assert_eq!(story(&house), ["pre-0", "post-0", "onfailure-0"]);
}

#[tokio::test(start_paused = true)]
async fn fault_36_a_hook_that_hangs_is_ended_in_time() {
    let house = hooked();
    let unit = "svc-hook-20261120T120001-1-notes-pre-1.service";
    house.systemd.fault(JobVerb::Start, unit, When::Always, SystemdFault::Late("failed"));
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 16);
    assert!(outcome.messages("notes").contains("`lock` did not end within 60 s"));
    assert_eq!(story(&house), ["pre-0", "pre-1", "post-0", "post-1", "onfailure-0"]);
}

#[tokio::test(start_paused = true)]
async fn fault_37_after_a_post_hook_that_fails_the_snapshot_is_good_and_the_run_partial() {
    let house = hooked();
    fail(&house, "post-0", SystemdFault::Job("failed"));
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 3);
    assert_eq!(outcome.of("notes").snapshots[0].code.number(), 0);
    assert_eq!(story(&house), ["pre-0", "pre-1", "stop", "backup", "start", "post-0", "post-1"]);
    // Whoever asks how things stand must hear of it: what it clears up is as it was in the backup.
    let record = house.record("notes").backups.swap_remove(&repository("local")).unwrap();
    let code = |attempt: Option<Attempt>| attempt.map(|attempt| attempt.code);
    assert_eq!((code(record.last_attempt), code(record.last_good)), (Some(Code::Partial), Some(Code::Ok)));
    assert_eq!(record.doubts, Doubts::default());
}

#[tokio::test(start_paused = true)]
async fn what_clears_up_runs_also_after_the_death_of_the_run() {
    for nth in 0.. {
        let house = hooked();
        let plan = house.plan(&backup(&["notes"])).await;
        let Some(run) = house.run_and_die(plan, |event| event.seq == nth).await else { break };
        let log = svc_core::history::log(&house.scope.runs_dir(), &run);
        let begun: Vec<String> = svc_core::run_log::read(&log).unwrap().iter().filter_map(begun).collect();
        house.recover(&run, |_| false).await.unwrap();
        let ran = story(&house);
        for index in ["0", "1"].iter().filter(|index| begun.contains(&format!("pre-{index}"))) {
            assert!(ran.contains(&format!("post-{index}")), "after event {nth}: {ran:?}");
        }
        let is_hooked = begun.iter().any(|hook| hook.starts_with("pre"));
        assert!(is_hooked || !ran.iter().any(|hook| hook.starts_with("post")), "after event {nth}: {ran:?}");
    }
}

/// Of the `pre` hooks that a log says began, those without whose `post` the service stays as they left it.
fn not_cleared_up(house: &House, events: &[Event]) -> Vec<String> {
    let begun: Vec<String> = events.iter().filter_map(begun).collect();
    let ran = story(house);
    let indices = ["0", "1"].into_iter().filter(|index| begun.contains(&format!("pre-{index}")));
    indices.map(|index| format!("post-{index}")).filter(|post| !ran.contains(post)).collect()
}

/// A backup of the hooked service that is cancelled once or twice when this happens.
async fn cancelled(house: &House, signals: usize, is_time: impl Fn(&Event) -> bool) -> Outcome {
    let plan = house.plan(&backup(&["notes"])).await;
    let cancel = house.cancel();
    let watch = |event: &Event, cancel: &Cancel| {
        for _ in 0..if is_time(event) { signals } else { 0 } {
            cancel.request(Code::Terminated);
        }
    };
    house.run_watched(plan, cancel, watch).await
}

#[tokio::test(start_paused = true)]
async fn what_clears_up_runs_after_a_cancel_at_any_event() {
    let told = hooked().run(&backup(&["notes"])).await.told;
    let is_last = |event: &Event| begun(event).is_some_and(|hook| hook == "post-0");
    let posts = told.iter().find(|event| is_last(event)).unwrap().seq;
    for at in 0..told.len() as u64 {
        for signals in [1, 2] {
            let house = hooked();
            let before = house.running();
            let outcome = cancelled(&house, signals, |event| event.seq == at).await;
            let when = format!("{signals} at event {at}: {:?}", story(&house));
            assert_eq!(not_cleared_up(&house, &outcome.events), [""; 0], "{when}");
            assert_eq!(house.running(), before, "{when}");
            assert!(outcome.code() == 143 || at + 3 >= posts, "{when}: {}", outcome.messages("notes"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_clears_up_runs_after_a_cancel_at_any_call() {
    let rehearsal = hooked();
    let plan = rehearsal.plan(&backup(&["notes"])).await;
    rehearsal.tap.clear();
    rehearsal.run_plan(plan).await;
    for at in 0..rehearsal.tap.calls().len() {
        let house = hooked();
        let plan = house.plan(&backup(&["notes"])).await;
        let (seen, cancel) = (AtomicUsize::new(0), house.cancel());
        house.tap.watch(move |_| {
            if seen.fetch_add(1, Ordering::Relaxed) == at {
                cancel.request(Code::Interrupted);
            }
        });
        let outcome = house.run_plan(plan).await;
        let when = format!("at call {at}: {:?}", story(&house));
        assert_eq!(not_cleared_up(&house, &outcome.events), [""; 0], "{when}");
    }
}

/// These calls, in the order in which they came.
fn order(house: &House, wanted: &[&str]) -> Vec<String> {
    house.tap.calls().into_iter().filter(|call| wanted.contains(&&**call)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_first_signal_ends_what_prepares_and_no_signal_ends_what_clears_up() {
    let calls = |hook: &str| {
        ["transient", "stop"]
            .map(|word| format!("systemd {word} svc-hook-20261120T120001-1-notes-{hook}.service"))
    };
    let ([pre, no_pre], [post, no_post]) = (calls("pre-0"), calls("post-0"));
    let is_begun = |hook: &'static str| move |event: &Event| begun(event).is_some_and(|begun| begun == hook);

    let house = hooked();
    fail(&house, "pre-0", SystemdFault::Slow(Duration::from_hours(1)));
    let outcome = cancelled(&house, 1, is_begun("pre-0")).await;
    assert_eq!(outcome.code(), 143, "{}", outcome.messages("notes"));
    assert_eq!(order(&house, &[&no_pre, &post]), [no_pre.clone(), post.clone()]);
    assert!(story(&house).contains(&"onfailure-0".to_owned()));

    let house = hooked();
    fail(&house, "post-0", SystemdFault::Slow(Duration::from_secs(30)));
    let outcome = cancelled(&house, 2, is_begun("post-0")).await;
    assert_eq!(order(&house, &[&pre, &post, &no_post]), [pre, post]);
    assert_eq!((outcome.code(), outcome.code_of("notes")), (143, 0), "{}", outcome.messages("notes"));

    let house = hooked();
    let outcome = cancelled(&house, 2, is_begun("pre-0")).await;
    assert_eq!(outcome.code(), 143);
    assert!(!story(&house).contains(&"onfailure-0".to_owned()), "{:?}", story(&house));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_outlives_its_run_is_ended_before_what_clears_up_begins() {
    for hook in ["pre-0", "pre-1", "post-0", "post-1"] {
        let house = hooked();
        let before = house.running();
        let unit = format!("svc-hook-20261120T120001-1-notes-{hook}.service");
        let fault = SystemdFault::Slow(Duration::from_secs(30));
        house.systemd.fault(JobVerb::Start, &unit, When::Nth(1), fault);
        let plan = house.plan(&backup(&["notes"])).await;
        let run = house.run_for(plan, Duration::from_secs(20)).await;
        assert_eq!(house.systemd.active(&unit), Some(ActiveState::Activating), "it did not outlive its run");
        let variables = |house: &House| {
            let files = std::fs::read_dir(house.scope.runs_dir().join("20261120T120001-1"))
                .unwrap()
                .map(|file| file.unwrap().path());
            files.filter(|file| file.extension().is_some_and(|end| end == "env")).count()
        };
        house.tap.clear();
        // As a process that is killed leaves it.
        std::fs::write(house.scope.runs_dir().join(format!("20261120T120001-1/{unit}.env")), "COLOUR=red")
            .unwrap();
        let report = house.recover(&run, |_| false).await.unwrap();
        let calls = house.tap.calls();
        let place = |wanted: String| calls.iter().position(|call| *call == wanted);
        let ended = place(format!("systemd stop {unit}"));
        let clears_up = if hook == "pre-0" { "post-0" } else { "post-1" };
        let begun = place(format!("systemd transient svc-hook-20261120T120001-1-notes-{clears_up}.service"));
        assert!(ended.is_some() && begun > ended, "{hook}: {calls:?}");
        let again = place(format!("systemd transient {unit}"));
        assert!(hook.starts_with("pre") || again > ended, "{hook} is not done anew: {calls:?}");
        let is_clear = report.services[0].failures.iter().all(|failure| failure.message.contains("died"));
        assert!(is_clear, "{hook}: {report:?}");
        assert_eq!((house.systemd.active(&unit), variables(&house)), (None, 0), "{hook}");
        assert_eq!(house.running(), before, "{hook}");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_50_what_clears_up_and_cannot_run_while_the_machine_goes_down_runs_after_it_is_up_again() {
    let mut house = hooked();
    house.service("notes").backup.quiesce = Quiesce::None;
    let systemd = house.systemd.clone();
    let outcome = cancelled(&house, 1, |event| {
        let is_time = begun(event).is_some_and(|hook| hook == "pre-1");
        if is_time {
            systemd.set_stopping(true);
        }
        is_time
    })
    .await;
    assert_eq!(outcome.code(), 5, "{}", outcome.messages("notes"));
    let (runs, run) = (house.scope.runs_dir(), outcome.events[0].run.clone());
    assert!(is_unfinished(&runs, &run));
    house.systemd.set_stopping(false);
    house.tap.clear();
    let report = house.recover(&run, |_| false).await.unwrap();
    assert_ne!(report.code, Code::NotResumed, "{report:?}");
    assert_eq!(story(&house), ["post-0", "post-1", "onfailure-0"]);
    assert!(!is_unfinished(&runs, &run));
}

#[tokio::test(start_paused = true)]
async fn what_clears_up_and_has_no_place_of_its_own_is_left_out_when_a_pre_hook_failed() {
    let mut house = hooked();
    house.service("notes").backup.hooks.pre.truncate(1);
    fail(&house, "pre-0", SystemdFault::Job("failed"));
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 16);
    assert_eq!(story(&house), ["pre-0", "post-0", "onfailure-0"]);
}

/// Some property of the unit that runs the first hook.
fn property(house: &House, name: &str) -> Option<Value> {
    let calls = house.systemd.calls();
    let unit = calls.iter().find_map(|call| match call {
        SystemdCall::Transient(unit) => Some(unit),
        _ => None,
    });
    unit.unwrap().properties.iter().find(|(property, _)| *property == name).map(|(_, value)| value.clone())
}

#[tokio::test(start_paused = true)]
async fn a_hook_in_a_container_is_run_by_the_engine_that_is_configured() {
    let mut house = hooked();
    house.service("notes").backup.hooks.pre[0].place = HookPlace::Container(DB.parse().unwrap());
    house.run(&backup(&["notes"])).await;
    let Some(Value::Command(argv)) = property(&house, "ExecStart") else { panic!("no command") };
    assert_eq!(argv[..4], ["/usr/bin/env", "--", "docker", "exec"]);
    let Some(Value::Texts(variables)) = property(&house, "Environment") else { panic!("no variables") };
    let address = format!("DOCKER_HOST=unix://{}", house.scope.engine_socket.display());
    assert!(variables.contains(&address), "{variables:?}");
    assert!(!argv.contains(&"--env=DOCKER_HOST".to_owned()), "it is no matter of the container: {argv:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_gets_to_know_is_in_a_file_of_roots_and_not_in_the_unit() {
    let house = hooked();
    let runs = house.scope.runs_dir();
    let file = runs.join("20261120T120001-1/svc-hook-20261120T120001-1-notes-pre-0.service.env");
    let seen = Arc::new(Mutex::new(None));
    let (saw, path) = (Arc::clone(&seen), file.clone());
    house.tap.watch(move |call| {
        if call == "systemd transient svc-hook-20261120T120001-1-notes-pre-0.service" {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            *saw.lock().unwrap() = Some((mode, std::fs::read_to_string(&path).unwrap()));
        }
    });
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    assert_eq!(seen.lock().unwrap().take(), Some((0o600, "COLOUR=\"red\"\n".to_owned())));
    let files = Value::EnvironmentFiles(vec![file.to_string_lossy().into_owned()]);
    assert_eq!(property(&house, "EnvironmentFiles"), Some(files));
    assert!(!format!("{:?}", house.systemd.calls()).contains("red"));
    assert!(!file.exists());
}

#[tokio::test(start_paused = true)]
async fn fault_47_variables_that_others_can_read_keep_a_backup_from_beginning() {
    for (mode, code) in [(0o644, 20), (0o620, 20), (0o640, 0), (0o600, 0)] {
        let mut house = hooked();
        house.write("hook.env", "PASSWORD=x");
        let file = house.path("hook.env");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        house.service("notes").backup.hooks.post[1].env_file = Some(file.clone());
        let warnings = hook_warnings(&house.config, &backup(&["notes"]), None);
        assert_eq!(warnings.len(), usize::from(mode == 0o640), "{mode:o}");
        let outcome = house.run(&backup(&["notes"])).await;
        assert_eq!(outcome.code(), code, "{mode:o}: {}", outcome.messages("notes"));
        assert!(code == 0 || story(&house).is_empty(), "{mode:o}: {:?}", story(&house));
        // One that became so since then, too.
        let mut house = hooked();
        house.service("notes").backup.hooks.pre[0].env_file = Some(file.clone());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let plan = house.plan(&backup(&["notes"])).await;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(house.run_plan(plan).await.code(), code, "{mode:o}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_a_unit_of_its_own_with_a_deadline_and_no_shell() {
    let house = hooked();
    house.run(&backup(&["notes"])).await;
    let argv = ["/usr/bin/env", "--", "dump", "$HOME"].map(str::to_owned);
    assert_eq!(property(&house, "ExecStart"), Some(Value::Command(argv.into())));
    assert_eq!(property(&house, "TimeoutStartUSec"), Some(Value::Number(60_000_000)));
    assert_eq!(property(&house, "KillMode"), Some(Value::Text("control-group".to_owned())));
    let Some(Value::Texts(variables)) = property(&house, "Environment") else { panic!("no variables") };
    assert!(variables.contains(&"PATH=/usr/bin:/bin".to_owned()), "{variables:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dump_is_saved_with_the_rest_and_an_empty_one_fails_the_run_before_anything_stops() {
    let mut house = hooked();
    let dump = house.path("var/dump.sql");
    house.service("notes").backup.dumps = vec![dump.clone()];
    house.write("var/dump.sql", "");
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 4, "{}", outcome.messages("notes"));
    assert!(outcome.messages("notes").contains("dump.sql` is empty"), "{}", outcome.messages("notes"));
    assert_eq!(story(&house), ["pre-0", "pre-1", "post-0", "post-1", "onfailure-0"]);
    house.write("var/dump.sql", "insert");
    assert_eq!(house.run(&backup(&["notes"])).await.code(), 0);
    let id = house.saved("local").last().unwrap().id.clone();
    let counts = house.restic.contents(&repository("local"), &id, &[dump]).await.unwrap();
    assert_eq!(counts[0].map(|counts| counts.bytes), Some(6));
}
