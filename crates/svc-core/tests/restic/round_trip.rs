//! What goes in comes out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use svc_core::restic::{BackupRequest, Counts, Progress, Restic as _, ResticError, ResticFailure};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, below, kind_of, programs, request, tree};

/// Names that something along the way could take for something else.
const ODD: [&[u8]; 12] = [
    b"plain",
    b"new\nline",
    b"-dash",
    b"[br]ack*t?",
    b"back\\slash",
    b" lead",
    b"trail ",
    b"uni-\xc3\xa9",
    b"bad-\xff\xe2\x82",
    b"$HOME",
    b"#!{},\"'",
    b"cr\r",
];

#[tokio::test]
async fn odd_names_survive_backup_contents_and_restore() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        let sources: Vec<_> = ODD.iter().map(|name| bench.source(name)).collect();
        fs::write(sources[0].join("x.log"), "left out").unwrap();
        restic.init(&bench.name).await.unwrap();
        let summary = bench.backup(&restic, &sources).await.unwrap();
        let all = ODD.len() as u64;
        assert_eq!(summary.counts, Counts { files: 2 * all, bytes: 15 * all });
        assert!(!summary.partial, "{:?}", summary.unreadable);
        fs::remove_file(sources[0].join("x.log")).unwrap();

        let mut paths = sources.clone();
        paths.extend([bench.path("gone"), "/".into(), sources[1].join(OsStr::from_bytes(ODD[1]))]);
        let mut expected = vec![Some(Counts { files: 2, bytes: 15 }); sources.len()];
        expected.extend([None, Some(summary.counts), Some(Counts { files: 1, bytes: 5 })]);
        assert_eq!(restic.contents(&bench.name, &summary.snapshot, &paths).await.unwrap(), expected);

        for source in &sources {
            let target = bench.restore(&restic, &summary.snapshot, std::slice::from_ref(source)).await;
            assert_eq!(tree(&below(&target, source)), tree(source), "{source:?}");
            let siblings = fs::read_dir(below(&target, &bench.path("data"))).unwrap().count();
            assert_eq!(siblings, 1, "{source:?}");
        }
        let target = bench.restore(&restic, &summary.snapshot, &["/".into()]).await;
        assert_eq!(tree(&below(&target, &bench.path("data"))), tree(&bench.path("data")));
    }
}

#[tokio::test]
async fn a_repository_is_made_found_and_listed() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        let source = bench.source(b"plain");
        assert_eq!(kind_of(restic.repository_id(&bench.name).await), ResticFailure::NoRepository);
        assert_eq!(
            kind_of(bench.backup(&restic, std::slice::from_ref(&source)).await),
            ResticFailure::NoRepository
        );
        let id = restic.init(&bench.name).await.unwrap();
        assert_eq!(restic.repository_id(&bench.name).await, Ok(id));
        assert!(matches!(restic.init(&bench.name).await, Err(ResticError::Failed { .. })));
        assert_eq!(restic.snapshots(&bench.name).await, Ok(vec![]));

        let first = bench.backup(&restic, std::slice::from_ref(&source)).await.unwrap();
        let again =
            BackupRequest { parent: Some(first.snapshot.clone()), ..request(std::slice::from_ref(&source)) };
        let progress = watch::Sender::new(Progress::default());
        let second = restic.backup(&bench.name, &again, &progress, &CancellationToken::new()).await.unwrap();
        assert_eq!((first.changed_files, second.changed_files), (2, 0));
        let listed = restic.snapshots(&bench.name).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|snapshot| snapshot.id.clone()).collect();
        assert_eq!(ids, [first.snapshot, second.snapshot]);
        assert!(listed[0].has_tag("svc:a") && listed[0].has_tag("other"));
        assert_eq!((listed[0].host.as_str(), &listed[0].paths), ("home", &vec![source]));
        assert_eq!(listed[0].counts, Some(Counts { files: 2, bytes: 15 }));
    }
}
