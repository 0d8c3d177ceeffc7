//! Backups that keep the stop short: frozen copies, and a hot pass before the cold one.

use std::sync::{Arc, Mutex};

use svc_core::code::Code;
use svc_core::config::{Freeze, Quiesce};
use svc_core::docker::ContainerHealth;
use svc_core::plan::{BackupStep, Pass, Plan, Step};
use svc_core::restic::fake::{Call, Fault};
use svc_core::restic::{Restic as _, ResticFailure, Verb};
use svc_core::testing::DockerVerb;

use crate::house::{DB, House, WEB, backup, backup_to, noon, repository};
use crate::tap::Mishap;

fn backups<'a>(plan: &'a Plan, name: &'a str) -> impl Iterator<Item = &'a BackupStep> {
    let of = plan.services.iter().filter(move |plan| plan.service.as_str() == name);
    of.flat_map(|plan| &plan.steps).filter_map(|planned| match &planned.step {
        Step::Backup(step) => Some(step),
        _ => None,
    })
}

fn reasons(plan: &Plan) -> String {
    let all = plan.services.iter().flat_map(|service| &service.steps);
    all.map(|step| step.reason.clone()).collect::<Vec<_>>().join("\n")
}

fn frozen(plan: &Plan) -> bool {
    plan.services
        .iter()
        .flat_map(|service| &service.steps)
        .any(|planned| matches!(planned.step, Step::Freeze(_)))
}

#[tokio::test(start_paused = true)]
async fn a_frozen_service_runs_again_before_anything_is_uploaded() {
    let house = House::new();
    house.can_freeze();
    let before = house.running();
    let seen: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (docker, notes) = (house.docker.clone(), seen.clone());
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            let runs = |name| docker.state(name) == Some(svc_core::docker::ContainerState::Running);
            notes.lock().unwrap().push(runs(DB) && runs(WEB));
        }
    });
    let outcome = house.run(&backup_to(&["local", "remote"], &["paperless"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(*seen.lock().unwrap(), [true, true]);
    assert_eq!(house.running(), before);
    assert_eq!(house.left_over(), Vec::<String>::new());
    // One subvolume holds both volumes; both repositories read the same copies.
    let calls = house.freezer.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("freeze")).count(), 2, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upload_does_not_wait_until_a_frozen_service_is_healthy() {
    for (later, expected) in [(ContainerHealth::Healthy, 0), (ContainerHealth::Unhealthy, 5)] {
        let house = House::new();
        house.can_freeze();
        let docker = house.docker.clone();
        let starting = move || docker.set_health(WEB, ContainerHealth::Starting);
        house.docker.on_done(DockerVerb::Start, WEB, starting);
        let docker = house.docker.clone();
        house.tap.watch(move |call| {
            if call.starts_with("restic backup") {
                docker.set_health(WEB, later);
            }
        });
        let outcome = house.run(&backup(&["paperless"])).await;
        assert_eq!(outcome.code(), expected, "{}", outcome.messages("paperless"));
        assert_eq!(house.restic.snapshots(&repository("local")).await.unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_is_what_was_there_when_it_was_frozen() {
    let house = House::new();
    house.can_freeze();
    let path = house.path("srv/paperless/media/page");
    house.tap.watch(move |call| {
        // The service is up again and writes.
        if call.starts_with("restic backup") {
            std::fs::write(&path, "written much later").unwrap();
        }
    });
    let page = house.path("srv/paperless/media/page");
    let frozen = std::fs::metadata(&page).unwrap().len();
    house.run(&backup(&["paperless"])).await;
    let id = house.saved("local")[0].id.clone();
    let counts = house.restic.contents(&repository("local"), &id, &[page]).await;
    assert_eq!(counts.unwrap()[0].unwrap().bytes, frozen);
}

#[tokio::test(start_paused = true)]
async fn what_lies_behind_a_link_is_frozen_where_it_is_and_saved_as_it_is_declared() {
    let mut house = House::new();
    std::os::unix::fs::symlink(house.path("lib"), house.path("link")).unwrap();
    house.service("notes").backup.paths = vec![house.path("link/notes")];
    house.can_freeze();
    let live = house.path("lib/notes/notes.db");
    let frozen = std::fs::metadata(&live).unwrap().len();
    house.tap.watch(move |call| {
        if call.starts_with("restic backup") {
            std::fs::write(&live, "written much later").unwrap();
        }
    });
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("notes"));
    let step = backups(&outcome.plan, "notes").next().unwrap();
    assert_eq!(step.binds[0].to, house.path("lib/notes"));
    assert_eq!(step.sources[0], house.path("link/notes"));
    let id = house.saved("local")[0].id.clone();
    let saved = house.path("link/notes/notes.db");
    let counts = house.restic.contents(&repository("local"), &id, &[saved]).await;
    assert_eq!(counts.unwrap()[0].unwrap().bytes, frozen);
}

/// restic has to write to it, and the copy that covers the source can only be read.
#[tokio::test(start_paused = true)]
async fn a_source_that_holds_the_repository_is_not_covered_wherever_that_is_written_down() {
    let place = |house: &House| house.path("lib/notes/backups").display().to_string();
    let direct = |house: &mut House| {
        house.write("secrets/local.env", &format!("RESTIC_REPOSITORY='{}'\n", place(house)));
    };
    let in_file = |house: &mut House| {
        house.write("secrets/where", &format!("{}\n", place(house)));
        let file = house.path("secrets/where").display().to_string();
        house.write("secrets/local.env", &format!("RESTIC_REPOSITORY_FILE={file}\n"));
    };
    for say in [&direct as &dyn Fn(&mut House), &in_file] {
        let mut house = House::new();
        house.can_freeze();
        say(&mut house);
        assert!(!reasons(&house.plan(&backup(&["notes"])).await).contains("svc itself writes"));
        let file = house.path("secrets/local.env");
        house.config.repositories.get_mut(&repository("local")).unwrap().environment_file = Some(file);
        let reasons = reasons(&house.plan(&backup(&["notes"])).await);
        assert!(reasons.contains("svc itself writes"), "{reasons}");
        // A run that does not use it neither writes to it nor asks where it is.
        let other = house.plan(&backup_to(&["remote"], &["notes"])).await;
        assert!(frozen(&other), "{}", self::reasons(&other));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_frozen_backup_finds_nothing_changed() {
    let house = House::new();
    house.can_freeze();
    house.run(&backup(&["paperless"])).await;
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.of("paperless").snapshots[0].added, 0);
    let step = backups(&outcome.plan, "paperless").next().unwrap();
    assert_eq!(step.parent, Some(house.saved("local")[0].id.clone()));
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_why_it_freezes_or_does_not() {
    let mut house = House::new();
    let reasons_of = async |house: &House| reasons(&house.plan(&backup(&["notes"])).await);
    assert!(reasons_of(&house).await.contains("ext4 cannot be frozen, and there is not much of it"));
    house.run(&backup(&["notes"])).await;
    assert!(reasons_of(&house).await.contains("the last backup was short"));
    house.took(&["notes"], 9000);
    assert!(reasons_of(&house).await.contains("the last backup took 9 s"));
    house.freezer.reflink(&house.path("lib"), &house.path("lib"), 1_000_000);
    assert!(reasons_of(&house).await.contains("too many files for reflink copies"));
    house.freezer.reflink(&house.path("lib"), &house.path("lib"), 10);
    assert!(reasons_of(&house).await.contains("reflink copy"));
    house.service("notes").backup.freeze = Freeze::Never;
    assert!(!reasons_of(&house).await.contains("reflink copy"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_frozen_for_what_is_not_stopped_unless_it_is_required() {
    let mut house = House::new();
    house.can_freeze();
    house.service("notes").backup.quiesce = Quiesce::None;
    let plan = house.plan(&backup(&["notes"])).await;
    assert!(!plan.services[0].steps.iter().any(|step| matches!(step.step, Step::Freeze(_))));
    house.service("notes").backup.freeze = Freeze::Require;
    let plan = house.plan(&backup(&["notes"])).await;
    assert!(plan.services[0].steps.iter().any(|step| matches!(step.step, Step::Freeze(_))));
}

#[tokio::test(start_paused = true)]
async fn what_must_be_frozen_and_cannot_is_refused_before_anything_stops() {
    let mut house = House::new();
    house.service("notes").backup.freeze = Freeze::Require;
    let before = house.running();
    let outcome = house.run(&backup(&["notes"])).await;
    assert_eq!(outcome.code(), 20);
    assert!(outcome.messages("notes").contains("ext4 cannot be frozen"), "{}", outcome.messages("notes"));
    assert_eq!(house.running(), before);
    assert!(house.saved("local").is_empty() && house.tap.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_part_that_cannot_be_frozen_keeps_the_whole_service_from_it() {
    let house = House::new();
    house.can_freeze();
    let below = house.path("srv/paperless/media/scratch");
    house.freezer.part(&below, Err("tmpfs cannot be frozen".to_owned()), 0);
    let plan = house.plan(&backup(&["paperless"])).await;
    assert!(reasons(&plan).contains("tmpfs cannot be frozen"));
}

#[tokio::test(start_paused = true)]
async fn fault_51_what_is_mounted_below_a_source_after_the_plan_is_never_dropped() {
    let house = House::new();
    house.can_freeze();
    let before = house.running();
    let plan = house.plan(&backup(&["paperless"])).await;
    house.freezer.mount(&house.path("srv/paperless/media/later"));
    let outcome = house.run_plan(plan).await;
    assert_eq!(outcome.code(), 20, "{}", outcome.messages("paperless"));
    assert_eq!(house.running(), before);
    assert_eq!(house.left_over(), Vec::<String>::new());
    assert!(house.saved("local").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failing_freeze_leaves_the_service_as_it_was() {
    let house = House::new();
    house.can_freeze();
    house.freezer.fail();
    let before = house.running();
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 4, "{}", outcome.messages("paperless"));
    assert_eq!(house.running(), before);
    assert_eq!(house.left_over(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_come_back_is_5_and_its_frozen_data_is_saved_all_the_same() {
    let house = House::new();
    house.can_freeze();
    house.tap.always("docker start paperless-web-1", Mishap::Refused);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 5, "{}", outcome.messages("paperless"));
    assert_eq!(house.saved("local").len(), 1);
    assert_eq!(house.left_over(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_stays_is_named_and_the_snapshot_is_good() {
    let house = House::new();
    house.can_freeze();
    house
        .tap
        .always(&format!("files remove {}", house.path("srv/paperless/media").display()), Mishap::Refused);
    let outcome = house.run(&backup(&["paperless"])).await;
    assert_eq!(outcome.code(), 3);
    assert!(outcome.messages("paperless").contains("is left over"), "{}", outcome.messages("paperless"));
    assert_eq!(
        house.record("paperless").backups[&repository("local")].last_good.as_ref().unwrap().code.number(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn two_passes_stop_the_service_only_for_what_has_changed() {
    let house = House::new();
    let goal = backup_to(&["local", "remote"], &["paperless"]);
    house.run(&goal).await;
    house.took(&["paperless"], 9000);
    let first = house.saved("local")[0].id.clone();
    house.tap.clear();
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    let orders = house.tap.orders();
    let stop = orders.iter().position(|order| order.contains(" stop ")).unwrap();
    let hot = orders.iter().filter(|order| order.ends_with("svc-hot:paperless")).count();
    let upload = |order: &String| order.ends_with("svc:paperless");
    assert_eq!((hot, stop), (2, 2), "{orders:#?}");
    assert_eq!(orders.iter().filter(|order| upload(order)).count(), 2);
    // The good one stands on the hot one, which is gone.
    let calls = house.restic.calls();
    let requests: Vec<_> = calls
        .iter()
        .filter_map(|call| match call {
            Call::Backup(name, request) if name.as_str() == "local" => Some(request.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(requests[1].parent, Some(first));
    assert!(requests[2].no_scan && requests[2].parent.is_some() && requests[2].parent != requests[1].parent);
    assert_eq!(house.left_over(), Vec::<String>::new());
    assert_eq!(house.saved("local").len(), 2);
    let record = house.record("paperless");
    assert_eq!(
        record.backups[&repository("local")].last_good.as_ref().unwrap().snapshot,
        Some(house.saved("local")[1].id.clone())
    );
    assert_eq!(outcome.of("paperless").snapshots.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hot_pass_that_fails_everywhere_stops_nothing() {
    let house = House::new();
    let goal = backup_to(&["local", "remote"], &["paperless"]);
    house.run(&goal).await;
    house.took(&["paperless"], 9000);
    for name in ["local", "remote"] {
        house.restic.fault(Verb::Backup, &repository(name), 1, Fault::Fails(ResticFailure::Unreachable));
    }
    house.tap.clear();
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 15, "{}", outcome.messages("paperless"));
    assert!(!house.tap.orders().iter().any(|order| order.contains("stop")), "{:?}", house.tap.orders());
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_fails_the_hot_pass_keeps_no_other_from_its_snapshot() {
    let house = House::new();
    let goal = backup_to(&["local", "remote"], &["paperless"]);
    house.run(&goal).await;
    house.took(&["paperless"], 9000);
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::Fails(ResticFailure::NoSpace));
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 14, "{}", outcome.messages("paperless"));
    assert_eq!((house.saved("local").len(), house.saved("remote").len()), (1, 2));
    assert_eq!(house.left_over(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn hot_snapshots_that_stay_are_forgotten_by_the_next_backup() {
    let house = House::new();
    let goal = backup(&["paperless"]);
    house.run(&goal).await;
    house.took(&["paperless"], 9000);
    house.restic.fault(Verb::Forget, &repository("local"), 1, Fault::Fails(ResticFailure::Unreachable));
    let outcome = house.run(&goal).await;
    assert_eq!(outcome.code(), 3, "{}", outcome.messages("paperless"));
    assert_eq!(house.left_over().len(), 1);
    // It is no backup of anything: neither the parent nor the latest.
    house.took(&["paperless"], 10);
    let plan = house.plan(&goal).await;
    assert!(backups(&plan, "paperless").all(|step| step.pass == Pass::Only));
    assert_eq!(house.run_plan(plan).await.code(), 0);
    assert_eq!(house.left_over(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn two_plans_of_one_second_make_copies_of_their_own() {
    let house = House::new();
    house.can_freeze();
    let goal = backup(&["paperless"]);
    let observed = house.observe(&goal).await;
    let copies = |nanoseconds: i64| {
        let now = noon() + jiff::SignedDuration::from_nanos(nanoseconds);
        let plan = svc_core::plan::plan(&house.config, &observed, &goal, now);
        let freeze = plan.services[0].steps.iter().find_map(|planned| match &planned.step {
            Step::Freeze(step) => Some(step.copies.clone()),
            _ => None,
        });
        freeze.unwrap()
    };
    let (one, other) = (copies(1), copies(2));
    assert!(!one.is_empty());
    assert!(one.iter().all(|copy| other.iter().all(|of_other| of_other.to != copy.to)), "{one:?}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_lacks_something_is_found_when_the_service_runs_and_saved_nowhere() {
    let house = House::new();
    house.can_freeze();
    let before = house.running();
    house.freezer.leave_out(&house.path("data/paperless/new"));
    let outcome = house.run(&backup_to(&["local", "remote"], &["paperless"])).await;
    assert_eq!(outcome.code(), 20, "{}", outcome.messages("paperless"));
    assert_eq!((house.running(), house.left_over()), (before, Vec::new()));
    assert_eq!((house.saved("local").len(), house.saved("remote").len()), (0, 0));
    let record = house.record("paperless");
    let codes =
        ["local", "remote"].map(|name| record.backups[&repository(name)].last_attempt.as_ref().unwrap().code);
    assert_eq!(codes, [Code::Refused, Code::Refused]);
    let calls = house.tap.calls();
    let last = |call: &str| calls.iter().rposition(|one| one.starts_with(call));
    assert!(last("files look") > last("docker start"), "{calls:#?}");
}
