//! How restic is ended before it would end by itself.

use std::io::Read as _;
use std::time::Duration;

use super::*;
use crate::restic::ResticFailure;

/// Notes SIGTERM as restic does when it gives its lock back.
const RELEASES: &str = r#"trap 'echo yes > "$HOME/released"; exit 130' TERM; "#;

/// A connection that failed and is tried again.
const REFUSED: &str =
    "echo 'Stat(<config/>) returned error, retrying after 1s: dial tcp: connect: connection refused' >&2; ";

/// A server whose disk is full; 0.18 tries it for a quarter of an hour.
const FULL: &str = "echo 'Save(<data/1>) returned error, retrying after 1s: unexpected HTTP response (507): 507 \
    Insufficient Storage' >&2; ";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test]
async fn a_cancelled_backup_is_asked_to_end_and_gives_its_lock_back() {
    let wire = wire(&format!("{RELEASES} hang"));
    assert_eq!(wire.cancelled_backup().await, Err(ResticError::Cancelled { verb: "backup" }));
    assert_eq!(wire.file("released"), "yes\n");
}

#[tokio::test]
async fn one_that_was_complete_when_it_was_cancelled_counts() {
    let wire = wire(&format!("trap 'summary {ID}; exit 0' TERM; hang"));
    assert_eq!(wire.cancelled_backup().await.unwrap().snapshot.as_str(), ID);
}

#[tokio::test]
async fn one_that_does_not_heed_is_killed() {
    let script = "trap '' TERM; echo $$ > \"$HOME/pid\"; status 1; while :; do sleep 0.01; done";
    let wire = wire(script).limits(|limits| limits.kill_after = millis(50));
    assert_eq!(wire.cancelled_backup().await, Err(ResticError::Cancelled { verb: "backup" }));
    let pid = wire.file("pid");
    assert!(!pid.is_empty() && !Path::new("/proc").join(pid.trim()).exists());
}

#[tokio::test]
async fn nothing_is_started_for_a_request_that_is_cancelled_already() {
    let mut wire = wire("exit 0");
    let link = wire.home.path().join("restic");
    std::os::unix::fs::symlink(&wire.restic.settings.program, &link).unwrap();
    wire.restic.settings.program.clone_from(&link);
    wire.restic.version().await.unwrap();
    // From here on a start would fail.
    std::fs::remove_file(link).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let progress = watch::Sender::new(Progress::default());
    let result = wire.restic.backup(&local(), &request(), &progress, &cancel).await;
    assert_eq!(result, Err(ResticError::Cancelled { verb: "backup" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_dropped_is_asked_to_end() {
    let wire = wire(r#"trap 'echo yes > "$HOME/pipe"; exit 1' TERM; hang"#);
    let pipe = wire.home.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let progress = watch::Sender::new(Progress::default());
    let mut told = progress.subscribe();
    let (cancel, request, local) = (CancellationToken::new(), request(), local());
    tokio::select! {
        result = wire.restic.backup(&local, &request, &progress, &cancel) => panic!("{result:?}"),
        change = told.changed() => change.unwrap(),
    }
    let heard = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::fs::File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(tokio::time::timeout(millis(20_000), heard).await.unwrap().unwrap(), "yes\n");
}

#[tokio::test]
async fn a_deadline_ends_it_in_good_order() {
    let wire = wire(&format!("{RELEASES} hang")).limits(|limits| limits.deadline = Some(millis(1500)));
    let error = wire.restic.repository_id(&local()).await.unwrap_err();
    assert_eq!(error, ResticError::Deadline { verb: "cat", repository: "local".to_owned(), seconds: 1 });
    assert_eq!(wire.file("released"), "yes\n");
}

#[tokio::test]
async fn a_server_that_refuses_twice_is_not_waited_for() {
    let wire = wire(&format!("{RELEASES} {REFUSED} {REFUSED} hang"));
    assert_eq!(kind_of(wire.restic.repository_id(&local()).await), ResticFailure::Unreachable);
    assert_eq!(wire.file("released"), "yes\n");
}

#[tokio::test]
async fn a_deadline_during_a_retry_is_the_connections_fault() {
    let wire = wire(&format!("{REFUSED} hang")).limits(|limits| limits.deadline = Some(millis(1500)));
    assert_eq!(kind_of(wire.restic.repository_id(&local()).await), ResticFailure::Unreachable);
}

#[tokio::test]
async fn a_backup_goes_on_over_retries_unless_the_disk_is_full() {
    let patient = wire(&format!("{REFUSED} {REFUSED} summary {ID}"));
    assert!(patient.backup().await.is_ok());
    let full = wire(&format!("{RELEASES} {FULL} {FULL} hang"));
    assert_eq!(kind_of(full.backup().await), ResticFailure::NoSpace);
    assert_eq!(full.file("released"), "yes\n");
}

#[tokio::test]
async fn fault_16_one_that_stands_still_is_ended() {
    let wire = wire(&format!("{RELEASES} hang"))
        .limits(|limits| (limits.stall, limits.stall_look) = (millis(1500), millis(100)));
    let error = wire.backup().await.unwrap_err();
    assert_eq!(error, ResticError::Stalled { verb: "backup", repository: "local".to_owned(), seconds: 1 });
    assert_eq!(wire.file("released"), "yes\n");
}
