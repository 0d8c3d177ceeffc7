//! Hooks: before, after, on failure; and after a death what clears up runs all the same.

use svc_core::config::{Hook, HookAction, HookPlace, Hooks, Period};
use svc_core::event::{Body, Event};
use svc_core::plan::Step;
use svc_core::restic::Restic as _;
use svc_core::systemd::fake::{SystemdCall, SystemdFault};
use svc_core::systemd::{JobVerb, TransientUnit, Value};
use svc_core::testing::When;

use crate::house::{House, backup, repository};

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
        if let Some(unit) = call.strip_prefix("systemd transient svc-hook-r1-notes-") {
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
    house.systemd.fault(JobVerb::Start, &format!("svc-hook-r1-notes-{hook}.service"), When::Always, fault);
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
    let unit = "svc-hook-r1-notes-pre-1.service";
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

#[tokio::test(start_paused = true)]
async fn a_hook_is_a_unit_of_its_own_with_a_deadline_and_no_shell() {
    let house = hooked();
    house.run(&backup(&["notes"])).await;
    let calls = house.systemd.calls();
    let unit = calls.iter().find_map(|call| match call {
        SystemdCall::Transient(unit) => Some(unit),
        _ => None,
    });
    let value = |unit: &TransientUnit, name: &str| {
        unit.properties.iter().find(|(property, _)| *property == name).map(|(_, value)| value.clone())
    };
    let unit = unit.unwrap();
    let argv = ["/usr/bin/env", "--", "dump", "$HOME"].map(str::to_owned);
    assert_eq!(value(unit, "ExecStart"), Some(Value::Command(argv.into())));
    assert_eq!(value(unit, "TimeoutStartUSec"), Some(Value::Number(60_000_000)));
    assert_eq!(value(unit, "KillMode"), Some(Value::Text("control-group".to_owned())));
    let Some(Value::Texts(variables)) = value(unit, "Environment") else { panic!("no variables") };
    assert!(variables.contains(&"COLOUR=red".to_owned()), "{variables:?}");
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
