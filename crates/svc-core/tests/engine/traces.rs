//! By what restic knows the files of frozen copies again.

use svc_core::freeze::fake::FakeFreezer;
use svc_core::restic::fake::Call;

use crate::house::{House, backup};

/// Whether restic compared inodes and times of change in the last backup.
fn compares_all(house: &House) -> bool {
    let calls = house.restic.calls();
    let asked = calls.iter().rev().find_map(|call| match call {
        Call::Backup(_, request) => Some(request.clone()),
        _ => None,
    });
    !asked.unwrap().ignore_inode
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
        assert!(!compares_all(&house), "reflink copies have inodes of their own");
        hide(&house.freezer);
        house.run(&goal).await;
        assert!(compares_all(&house), "{name}: a change would be lost");
    }
}
