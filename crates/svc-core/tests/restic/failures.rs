//! What goes wrong is told for what it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use svc_core::names::SnapshotId;
use svc_core::restic::{Progress, Restic as _, ResticError, ResticFailure};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, kind_of, overwrite, programs, request, tree};

#[tokio::test]
async fn a_wrong_password_and_a_dead_server_are_told_apart_and_soon() {
    for program in programs() {
        let bench = Bench::new(&program);
        bench.restic().init(&bench.name).await.unwrap();
        let place = bench.path("repo").display().to_string();
        let wrong = bench.restic_with(&place, "wrong", |_| {});
        assert_eq!(kind_of(wrong.repository_id(&bench.name).await), ResticFailure::WrongPassword);

        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dead = bench.restic_with(&format!("rest:http://me:canary@127.0.0.1:{port}/"), "right", |_| {});
        let began = Instant::now();
        let error = dead.repository_id(&bench.name).await.unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(kind_of::<()>(Err(error)), ResticFailure::Unreachable);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_source_that_is_gone_is_never_passed_over_in_silence() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let summary = bench.backup(&restic, &[bench.source(b"plain"), bench.path("gone")]).await.unwrap();
        assert!(summary.partial && summary.unreadable.len() == 1, "{summary:?}");
        assert!(matches!(
            bench.backup(&restic, &[bench.path("gone")]).await,
            Err(ResticError::Failed { .. })
        ));
        let target = bench.restore(&restic, &summary.snapshot, &[bench.path("gone")]).await;
        assert_eq!(tree(&target), BTreeSet::new());
    }
}

#[tokio::test]
async fn damage_is_told() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let source = [bench.source(b"plain")];
        let summary = bench.backup(&restic, &source).await.unwrap();
        overwrite(&bench.path("repo/snapshots").join(summary.snapshot.as_str()), b"junk");
        // It holds a good copy.
        fs::remove_dir_all(bench.path("cache")).unwrap();
        let other = bench.backup(&restic, &source).await;
        assert_eq!(kind_of(other), ResticFailure::Damaged);
        let error = restic.snapshots(&bench.name).await.unwrap_err();
        assert!(
            matches!(&error, ResticError::DamagedSnapshots { unreadable, .. } if unreadable.len() == 1),
            "{error}"
        );
        // So short a file makes restic panic, a longer one is told to be damaged, an empty one to be empty.
        for junk in [b"junk".to_vec(), vec![b'x'; 155], Vec::new()] {
            overwrite(&bench.path("repo/config"), &junk);
            assert_eq!(kind_of(restic.repository_id(&bench.name).await), ResticFailure::Damaged);
        }
    }
}

#[tokio::test]
async fn packs_that_are_gone_are_damage_to_a_reader() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let source = [bench.source(b"plain")];
        let summary = bench.backup(&restic, &source).await.unwrap();
        fs::remove_dir_all(bench.path("repo/data")).unwrap();
        fs::remove_dir_all(bench.path("cache")).unwrap();
        let contents = restic.contents(&bench.name, &summary.snapshot, &source).await;
        assert_eq!(kind_of(contents), ResticFailure::Damaged);
        let unknown: SnapshotId = "0".repeat(64).parse().unwrap();
        assert_eq!(kind_of(restic.contents(&bench.name, &unknown, &source).await), ResticFailure::Code(1));
    }
}

#[tokio::test]
async fn a_backup_cancelled_while_it_uploads_leaves_neither_lock_nor_snapshot() {
    for program in programs() {
        let bench = Bench::new(&program);
        bench.restic().init(&bench.name).await.unwrap();
        let source = bench.source(b"plain");
        // Not to be compressed: xorshift.
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        fs::write(source.join("big"), (0..4_000_000).flat_map(|_| next()).collect::<Vec<u8>>()).unwrap();
        let place = bench.path("repo").display().to_string();
        let slow = bench.restic_with(&place, "right", |repository| repository.limit_upload = Some(2000));
        let progress = watch::Sender::new(Progress::default());
        let mut told = progress.subscribe();
        let (cancel, request) = (CancellationToken::new(), request(&[source]));
        let canceller = async {
            told.wait_for(|progress| progress.done.bytes > 1_000_000).await.unwrap();
            assert_eq!(bench.files_of_repository("locks").len(), 1);
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        let result = tokio::select! {
            result = slow.backup(&bench.name, &request, &progress, &cancel) => result,
            () = canceller => unreachable!("it never ends"),
        };
        assert_eq!(result, Err(ResticError::Cancelled { verb: "backup" }));
        assert_eq!(bench.files_of_repository("locks"), Vec::<PathBuf>::new());
        assert_eq!(bench.files_of_repository("snapshots"), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn an_old_restic_is_refused() {
    let Some(program) = std::env::var_os("SVC_TEST_OLD_RESTIC") else {
        eprintln!("SKIPPED: SVC_TEST_OLD_RESTIC names no restic older than 0.17.1");
        return;
    };
    let bench = Bench::new(Path::new(&program));
    let error = bench.restic().snapshots(&bench.name).await.unwrap_err();
    assert!(matches!(error, ResticError::TooOld { .. }), "{error}");
}
