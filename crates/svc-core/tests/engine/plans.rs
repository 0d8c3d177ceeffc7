//! What the plans say, step by step.

use insta::assert_snapshot;
use svc_core::docker::ContainerState;
use svc_core::goal::Goal;
use svc_core::observe::Free;
use svc_core::plan::{Plan, plan};
use svc_core::restic::ResticFailure;
use svc_core::restic::fake::FakeRepository;
use svc_core::systemd::ActiveState;
use svc_core::testing::{FakeContainer, FakeUnit};

use crate::house::{
    DB, House, STACK, WEB, backup, backup_to, noon, repository, restart, restore, service, start, stop,
};
use crate::show;
use crate::tap::Mishap;

async fn shown(house: &House, goal: &Goal) -> String {
    show::plan(house, &house.plan(goal).await)
}

fn refusals(plan: &Plan, name: &str) -> Vec<u8> {
    let service = plan.services.iter().find(|service| service.service.as_str() == name).unwrap();
    service.refused.iter().map(|failure| failure.code.number()).collect()
}

fn has_steps(plan: &Plan, name: &str) -> bool {
    !plan.services.iter().find(|service| service.service.as_str() == name).unwrap().steps.is_empty()
}

#[tokio::test]
async fn a_backup_of_every_kind_of_service_stops_only_what_runs_and_must() {
    let house = House::new();
    let goal = backup(&["paperless", "notes", "x", "music", "archive", "caddy"]);
    assert_snapshot!(shown(&house, &goal).await);
}

#[tokio::test]
async fn a_backup_to_two_repositories_stops_once() {
    let house = House::new();
    assert_snapshot!(shown(&house, &backup_to(&["local", "remote"], &["notes"])).await);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_snapshot_is_the_parent() {
    let house = House::new();
    house.run(&backup(&["music"])).await;
    let first = house.saved("local")[0].id.clone();
    let text = shown(&house, &backup(&["music"])).await;
    assert!(text.contains(&format!("parent {}", first.short())), "{text}");
}

#[tokio::test]
async fn a_stack_of_which_a_part_runs_stops_and_resumes_that_part() {
    let house = House::new();
    house.docker.exit(WEB, 1);
    assert_snapshot!(shown(&house, &backup(&["paperless"])).await);
}

#[tokio::test]
async fn what_is_going_down_by_itself_is_waited_for_and_left_off() {
    let house = House::new();
    house.systemd.change("notes.service", |unit| unit.in_state(ActiveState::Deactivating));
    let text = shown(&house, &backup(&["notes"])).await;
    assert!(text.contains("stop notes.service"), "{text}");
    assert!(!text.contains("resume"), "{text}");
}

#[tokio::test]
async fn a_missing_path_refuses_its_service_and_no_other() {
    let house = House::new();
    house.remove("srv/music");
    let plan = house.plan(&backup(&["music", "notes"])).await;
    assert_eq!(refusals(&plan, "music"), [4]);
    assert!(!has_steps(&plan, "music") && has_steps(&plan, "notes"));
}

#[tokio::test]
async fn a_service_that_declares_nothing_is_refused_before_it_is_stopped() {
    let mut house = House::new();
    house.service("notes").backup.paths.clear();
    let plan = house.plan(&backup(&["notes"])).await;
    assert_eq!(refusals(&plan, "notes"), [4]);
    assert!(!has_steps(&plan, "notes"));
}

#[tokio::test]
async fn a_unit_that_does_not_exist_is_no_reason_to_believe_that_nothing_runs() {
    let mut house = House::new();
    house.service("notes").units = vec!["notse.service".parse().unwrap()];
    let plan = house.plan(&backup(&["notes"])).await;
    assert_eq!(refusals(&plan, "notes"), [17]);
    assert!(!has_steps(&plan, "notes"));
}

#[tokio::test]
async fn without_docker_only_services_without_volumes_and_stop_are_saved() {
    let house = House::new();
    house.docker.set_reachable(false);
    let plan = house.plan(&backup(&["paperless", "caddy", "music"])).await;
    assert_eq!(refusals(&plan, "paperless"), [18]);
    assert_eq!(refusals(&plan, "caddy"), [18]);
    assert!(refusals(&plan, "music").is_empty() && has_steps(&plan, "music"));
}

#[tokio::test]
async fn an_unusable_repository_refuses_with_its_own_code() {
    for (closed, code) in [
        (FakeRepository::new("1d").closed(ResticFailure::WrongPassword), 12),
        (FakeRepository::new("1d").closed(ResticFailure::Locked), 11),
        (FakeRepository::new("1d").closed(ResticFailure::Unreachable), 15),
        (FakeRepository::absent(), 10),
    ] {
        let house = House::new();
        house.restic.change(&repository("local"), |repository| *repository = closed);
        let plan = house.plan(&backup(&["paperless"])).await;
        assert_eq!(refusals(&plan, "paperless"), [code]);
        assert!(!plan.has_steps(), "{code}");
    }
}

#[tokio::test]
async fn another_repository_at_the_pinned_place_is_refused() {
    let mut house = House::new();
    house.config.repositories.get_mut(&repository("local")).unwrap().id = Some("other".to_owned());
    let plan = house.plan(&backup(&["notes"])).await;
    assert_eq!(refusals(&plan, "notes"), [20]);
    assert!(!plan.has_steps());
}

#[tokio::test]
async fn starting_heeds_what_is_up_already() {
    let house = House::new();
    assert_snapshot!("starting_what_runs", shown(&house, &start(&["paperless", "music"])).await);
    house.docker.exit(DB, 1);
    house.docker.exit(WEB, 0);
    assert_snapshot!("starting_containers_of_an_active_unit", shown(&house, &start(&["paperless"])).await);
    house.systemd.change(STACK, FakeUnit::inactive);
    assert_snapshot!("starting_an_inactive_unit", shown(&house, &start(&["paperless"])).await);
}

#[tokio::test]
async fn a_masked_unit_that_is_off_is_not_started_and_one_that_is_up_needs_nothing() {
    let house = House::new();
    house.systemd.change("notes.service", FakeUnit::masked);
    let plan = house.plan(&start(&["notes"])).await;
    assert!(refusals(&plan, "notes").is_empty() && !has_steps(&plan, "notes"));
    house.systemd.change("notes.service", FakeUnit::inactive);
    assert_eq!(refusals(&house.plan(&start(&["notes"])).await, "notes"), [17]);
}

#[tokio::test]
async fn a_unit_that_is_up_proves_nothing_when_docker_is_silent() {
    let house = House::new();
    house.docker.set_reachable(false);
    let plan = house.plan(&start(&["paperless", "notes"])).await;
    assert_eq!(refusals(&plan, "paperless"), [18]);
    assert!(refusals(&plan, "notes").is_empty());
    house.systemd.change(STACK, FakeUnit::inactive);
    assert_eq!(refusals(&house.plan(&stop(&["paperless"])).await, "paperless"), [18]);
}

#[tokio::test]
async fn stopping_goes_through_units_and_finds_containers_started_by_hand() {
    let house = House::new();
    let goal = stop(&["paperless", "notes", "archive", "music"]);
    assert_snapshot!("stopping_what_runs", shown(&house, &goal).await);
    house.systemd.change(STACK, FakeUnit::inactive);
    assert_snapshot!("stopping_containers_by_hand", shown(&house, &stop(&["paperless"])).await);
}

#[tokio::test]
async fn a_restart_ends_with_everything_up() {
    let house = House::new();
    let goal = restart(&["paperless", "notes", "x", "archive", "music"], false);
    assert_snapshot!("restarting", shown(&house, &goal).await);
    house.docker.exit(WEB, 1);
    assert_snapshot!("restarting_a_part", shown(&house, &restart(&["paperless"], false)).await);
}

#[tokio::test]
async fn a_restart_that_recreates_goes_through_the_unit() {
    let house = House::new();
    assert_snapshot!(shown(&house, &restart(&["paperless", "x"], true)).await);
}

#[tokio::test(start_paused = true)]
async fn a_restore_stages_while_the_service_runs_and_has_a_way_back() {
    let house = House::new();
    house.run(&backup(&["paperless", "music"])).await;
    let text = shown(&house, &restore(&["paperless", "music"])).await;
    assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn a_restore_without_room_is_refused_before_anything_is_written() {
    let house = House::new();
    house.run(&backup(&["music"])).await;
    for free in [Free { bytes: 10, inodes: 1000 }, Free { bytes: 1 << 30, inodes: 1 }] {
        let mut observed = house.observe(&restore(&["music"])).await;
        let seen = observed.services.get_mut(&service("music")).unwrap();
        seen.restore.as_mut().unwrap().as_mut().unwrap().free.values_mut().for_each(|room| *room = free);
        let plan = plan(&house.config, &observed, &restore(&["music"]), noon());
        assert_eq!(refusals(&plan, "music"), [14]);
        assert!(!plan.has_steps());
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_the_snapshot_lacks_refuses_the_restore() {
    let mut house = House::new();
    house.run(&backup(&["music"])).await;
    let podcasts = house.path("srv/podcasts");
    house.service("music").restore.paths.push(podcasts);
    let plan = house.plan(&restore(&["music"])).await;
    assert_eq!(refusals(&plan, "music"), [4]);
    assert!(!plan.has_steps());
}

#[tokio::test(start_paused = true)]
async fn a_target_below_another_is_restored_with_it_and_not_swapped_twice() {
    let mut house = House::new();
    house.write("srv/music/deep/three.flac", "three");
    house.run(&backup(&["music"])).await;
    let (deep, same) = (house.path("srv/music/deep"), house.path("srv/music"));
    house.service("music").restore.paths.extend([deep, same]);
    assert_snapshot!(shown(&house, &restore(&["music"])).await);
}

#[tokio::test]
async fn containers_of_compose_run_and_of_others_are_left_alone() {
    let house = House::new();
    house.docker.add(FakeContainer::compose("paperless", "shell").oneoff().running());
    house.docker.add(FakeContainer::new("stranger").running());
    let text = shown(&house, &backup(&["paperless"])).await;
    assert!(!text.contains("shell") && !text.contains("stranger"), "{text}");
    house.docker.add(FakeContainer::compose("paperless", "made").in_state(ContainerState::Created));
    assert!(!shown(&house, &backup(&["paperless"])).await.contains("paperless-made"));
}

#[tokio::test]
async fn a_unit_of_which_nothing_more_is_told_is_not_guessed_at() {
    let house = House::new();
    house.tap.always("systemd details docker-compose-paperless.service", Mishap::Unreachable);
    let plan = house.plan(&backup(&["paperless"])).await;
    assert_eq!(refusals(&plan, "paperless"), [18]);
}
