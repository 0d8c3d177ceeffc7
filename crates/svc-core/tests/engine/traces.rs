//! By what restic knows the files of frozen copies again.

use jiff::SignedDuration;
use svc_core::event::{Body, Event};
use svc_core::freeze::fake::FakeFreezer;
use svc_core::restic::fake::Call;

use crate::house::{House, backup, backup_to, repository, service};

/// Whether restic compared inodes and times of change in the last backup to this repository.
fn compares_all_in(house: &House, name: &str) -> bool {
    let calls = house.restic.calls();
    let asked = calls.iter().rev().find_map(|call| match call {
        Call::Backup(of, request) if *of == repository(name) => Some(request.clone()),
        _ => None,
    });
    !asked.unwrap().ignore_inode
}

fn compares_all(house: &House) -> bool {
    compares_all_in(house, "local")
}

#[tokio::test(start_paused = true)]
async fn beside_reflink_copies_only_times_and_sizes_are_compared_unless_a_change_hides_from_these() {
    for (name, hide) in [
        ("notes", FakeFreezer::hide_changes as fn(&FakeFreezer)),
        ("paperless", FakeFreezer::hide_changes),
        ("paperless", FakeFreezer::hide_changes_in_snapshots),
    ] {
        let (house, goal) = (House::new(), backup(&[name]));
        house.can_freeze();
        house.run(&goal).await;
        assert!(compares_all(&house), "there is no snapshot that is known");
        house.run(&goal).await;
        assert!(!compares_all(&house), "reflink copies have inodes of their own");
        hide(&house.freezer);
        let outcome = house.run(&goal).await;
        assert!(compares_all(&house), "{name}: a change would be lost");
        let says_so = |event: &Event| matches!(&event.body, Body::Note { text, .. } if text.contains("anew"));
        assert!(outcome.events.iter().any(says_so), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_restic_chooses_what_it_compares_with_it_compares_all() {
    let (house, both) = (House::new(), backup_to(&["local", "remote"], &["notes"]));
    house.can_freeze();
    house.run(&backup(&["notes"])).await;
    house.run(&both).await;
    assert!(!compares_all(&house) && compares_all_in(&house, "remote"));
    house.run(&both).await;
    assert!(!compares_all_in(&house, "remote"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_from_the_future_says_nothing_of_what_changed_since() {
    let (house, goal) = (House::new(), backup(&["notes"]));
    house.can_freeze();
    house.run(&goal).await;
    let mut record = house.record("notes");
    let tomorrow = house.now() + SignedDuration::from_hours(24);
    for backups in record.backups.values_mut() {
        let run = format!("{}-1", tomorrow.strftime("%Y%m%dT%H%M%S"));
        backups.last_good.as_mut().unwrap().run = run.parse().unwrap();
        backups.last_attempt = backups.last_good.clone();
    }
    record.save(&house.scope.records_dir(), &service("notes"), house.now()).unwrap();
    house.run(&goal).await;
    assert!(compares_all(&house));
}

#[tokio::test(start_paused = true)]
async fn what_is_read_where_it_is_beside_reflink_copies_must_not_hide_a_change_either() {
    let (mut house, goal) = (House::new(), backup(&["notes"]));
    house.can_freeze();
    let dump = house.path("var/dump.sql");
    house.write("var/dump.sql", "insert");
    house.service("notes").backup.dumps = vec![dump.clone()];
    for _ in 0..2 {
        house.run(&goal).await;
    }
    assert!(house.freezer.looked_at().contains(&dump), "{:?}", house.freezer.looked_at());
    house.freezer.hide_changes_in_snapshots();
    house.run(&goal).await;
    assert!(compares_all(&house));
}
