use std::path::Path;
use std::sync::Arc;

use super::*;

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn request(sources: &[&str]) -> BackupRequest {
    let sources = sources.iter().map(PathBuf::from).collect();
    BackupRequest { sources, tags: vec!["svc:a".into()], host: "home".into(), ..BackupRequest::default() }
}

fn file(path: &str, text: &str) -> (PathBuf, Vec<u8>) {
    (path.into(), text.into())
}

fn fake() -> FakeRestic {
    FakeRestic::new()
        .repository(&name("local"), FakeRepository::new("1d"))
        .source("/data", vec![file("a", "one"), file("sub/b", "two!")])
}

async fn save(fake: &FakeRestic, sources: &[&str]) -> Result<BackupSummary, ResticError> {
    let progress = watch::Sender::new(Progress::default());
    fake.backup(&name("local"), &request(sources), &progress, &CancellationToken::new()).await
}

async fn write(
    fake: &FakeRestic,
    snapshot: SnapshotId,
    include: &str,
    target: &Path,
) -> Result<(), ResticError> {
    let request = RestoreRequest { snapshot, include: vec![include.into()], target: target.to_owned() };
    let progress = watch::Sender::new(Progress::default());
    fake.restore(&name("local"), &request, &progress, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_backup_is_listed_counted_and_restored() {
    let fake = fake();
    let summary = save(&fake, &["/data"]).await.unwrap();
    assert_eq!(summary.counts, Counts { files: 2, bytes: 7 });
    let listed = fake.snapshots(&name("local")).await.unwrap();
    assert_eq!(listed[0].id, summary.snapshot);
    assert_eq!(listed[0].counts, Some(summary.counts));
    let paths = ["/data/sub".into(), "/gone".into()];
    let counts = fake.contents(&name("local"), &summary.snapshot, &paths).await.unwrap();
    assert_eq!(counts, [Some(Counts { files: 1, bytes: 4 }), None]);
    let target = tempfile::tempdir().unwrap();
    write(&fake, summary.snapshot, "/data/sub", target.path()).await.unwrap();
    assert_eq!(std::fs::read(target.path().join("data/sub/b")).unwrap(), b"two!");
    assert!(!target.path().join("data/a").exists());
}

#[tokio::test]
async fn real_files_are_read_where_none_were_declared() {
    let real = tempfile::tempdir().unwrap();
    std::fs::write(real.path().join("f"), "12345").unwrap();
    let summary = save(&fake(), &["/data", real.path().to_str().unwrap()]).await.unwrap();
    assert_eq!(summary.counts, Counts { files: 3, bytes: 12 });
}

#[tokio::test]
async fn absent_things_are_treated_as_badly_as_restic_does() {
    let fake = fake();
    let one_of_two = save(&fake, &["/data", "/does/not/exist"]).await.unwrap();
    assert!(!one_of_two.partial);
    assert!(matches!(save(&fake, &["/does/not/exist"]).await, Err(ResticError::Failed { .. })));
    let target = tempfile::tempdir().unwrap();
    write(&fake, one_of_two.snapshot, "/other", target.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_scripted_call_fails_and_no_other() {
    let fake = fake();
    fake.fault(Verb::Backup, &name("local"), 2, Fault::Fails(ResticFailure::Signal(9)));
    fake.fault(Verb::Backup, &name("local"), 3, Fault::Unreadable(vec!["/data/a".into()]));
    fake.fault(Verb::Backup, &name("local"), 4, Fault::NoSnapshotId);
    assert!(!save(&fake, &["/data"]).await.unwrap().partial);
    let killed = save(&fake, &["/data"]).await.unwrap_err();
    assert!(matches!(killed, ResticError::Failed { kind: ResticFailure::Signal(9), .. }));
    assert!(save(&fake, &["/data"]).await.unwrap().partial);
    assert!(matches!(save(&fake, &["/data"]).await, Err(ResticError::Output { .. })));
    assert_eq!(fake.saved(&name("local")).len(), 2);
    assert_eq!(fake.count(Verb::Backup), 4);
}

#[tokio::test]
async fn a_closed_or_absent_repository_says_so_every_time() {
    let fake = fake()
        .repository(&name("shut"), FakeRepository::new("2").closed(ResticFailure::WrongPassword))
        .repository(&name("none"), FakeRepository::absent());
    for (repository, kind) in [
        ("shut", ResticFailure::WrongPassword),
        ("none", ResticFailure::NoRepository),
        ("new", ResticFailure::NoRepository),
    ] {
        let error = fake.repository_id(&name(repository)).await.unwrap_err();
        assert!(matches!(error, ResticError::Failed { kind: k, .. } if k == kind), "{repository}: {error}");
    }
    let id = fake.init(&name("none")).await.unwrap();
    assert_eq!(fake.repository_id(&name("none")).await, Ok(id));
    assert!(fake.init(&name("none")).await.is_err());
}

#[tokio::test]
async fn a_hanging_backup_ends_when_it_is_cancelled() {
    let fake = Arc::new(fake());
    fake.fault(Verb::Backup, &name("local"), 1, Fault::Hangs);
    let cancel = CancellationToken::new();
    let task = tokio::spawn({
        let (fake, cancel) = (fake.clone(), cancel.clone());
        async move {
            let progress = watch::Sender::new(Progress::default());
            fake.backup(&name("local"), &request(&["/data"]), &progress, &cancel).await
        }
    });
    fake.begun(Verb::Backup, 1).await;
    cancel.cancel();
    assert_eq!(task.await.unwrap(), Err(ResticError::Cancelled { verb: "backup" }));
    assert_eq!(fake.saved(&name("local")), []);
}

#[tokio::test]
async fn unchanged_files_are_not_added_again() {
    let fake = fake();
    assert_eq!(save(&fake, &["/data"]).await.unwrap().added, 7);
    fake.set_source("/data", vec![file("a", "one"), file("sub/b", "three")]);
    let second = save(&fake, &["/data"]).await.unwrap();
    assert_eq!((second.added, second.changed_files), (5, 1));
    let saved = fake.saved(&name("local"));
    assert!(saved[0].time < saved[1].time && saved[1].id == second.snapshot);
}

#[tokio::test]
async fn a_restore_can_leave_files_out_and_claim_success() {
    let fake = fake();
    let snapshot = save(&fake, &["/data"]).await.unwrap().snapshot;
    fake.fault(Verb::Restore, &name("local"), 1, Fault::RestoresOnly(1));
    let target = tempfile::tempdir().unwrap();
    write(&fake, snapshot, "/data", target.path()).await.unwrap();
    assert!(target.path().join("data/a").exists() && !target.path().join("data/sub/b").exists());
}
