//! Codes, texts and messages that restic ends with.

use super::*;
use crate::config::Location;
use crate::restic::ResticFailure;

#[tokio::test]
async fn every_code_has_its_kind() {
    for (script, kind) in [
        ("exit 1", ResticFailure::Code(1)),
        ("exit 3", ResticFailure::Code(3)),
        ("exit 10", ResticFailure::NoRepository),
        ("exit 11", ResticFailure::Locked),
        ("exit 12", ResticFailure::WrongPassword),
        ("exit 77", ResticFailure::Code(77)),
        ("exit 130", ResticFailure::Code(130)),
        ("kill -KILL $$", ResticFailure::Signal(9)),
        ("kill -PIPE $$", ResticFailure::Signal(13)),
        ("echo 'unexpected HTTP response (401): 401 Unauthorized' >&2; exit 1", ResticFailure::Denied),
        ("echo 'x: no space left on device' >&2; exit 1", ResticFailure::NoSpace),
        ("echo 'x: no space left on device' >&2; exit 12", ResticFailure::WrongPassword),
    ] {
        let wire = wire(script);
        assert_eq!(kind_of(wire.restic.repository_id(&local()).await), kind, "{script}");
        assert_eq!(kind_of(wire.backup().await), kind, "{script}");
        assert_eq!(wire.file("calls"), "version\ncat\nbackup\n");
    }
}

#[tokio::test]
async fn a_backup_is_good_only_with_a_snapshot_id() {
    let good = wire(&format!("status 5; summary {ID}")).backup().await.unwrap();
    assert_eq!((good.snapshot.as_str(), good.partial, good.counts.files), (ID, false, 1));
    let unended = wire(&format!("printf %s \"$(summary {ID})\"")).backup().await.unwrap();
    assert_eq!(unended.snapshot.as_str(), ID);
    for script in ["exit 0", "json '{\"message_type\":\"summary\"}'", "summary abc", "status 5"] {
        let result = wire(script).backup().await;
        assert!(matches!(result, Err(ResticError::Output { .. })), "{script}: {result:?}");
    }
}

#[tokio::test]
async fn code_3_is_partial_with_a_snapshot_and_a_failure_without() {
    let error = r#"json '{"message_type":"error","error":{"message":"open /x: denied"},"item":"/x"}' >&2"#;
    let partial = wire(&format!("{error}; summary {ID}; exit 3")).backup().await.unwrap();
    assert_eq!((partial.partial, partial.unreadable), (true, vec!["open /x: denied".to_owned()]));
    let without = wire("json '{\"message_type\":\"summary\"}'; exit 3").backup().await;
    assert_eq!(kind_of(without), ResticFailure::Code(3));
}

#[tokio::test]
async fn a_source_that_was_passed_over_makes_it_partial_though_the_code_is_0() {
    let script = format!("echo '/gone does not exist, skipping' >&2; summary {ID}");
    let partial = wire(&script).backup().await.unwrap();
    assert_eq!(
        (partial.partial, partial.unreadable),
        (true, vec!["/gone does not exist, skipping".to_owned()])
    );
}

#[tokio::test]
async fn another_code_is_a_failure_even_with_a_snapshot_id() {
    assert_eq!(kind_of(wire(&format!("summary {ID}; exit 130")).backup().await), ResticFailure::Code(130));
}

#[tokio::test]
async fn rubbish_and_unknown_messages_are_passed_over() {
    let script = format!(
        r#"json '{{"message_type":"hologram"}}'; json '{{"message_type":"sta'; echo plain; printf '\377\n\0\n'
           json '{{"message_type":"status","bytes_done":"many"}}'; summary {ID}; json '{{"message_type":"after"}}'"#
    );
    assert_eq!(wire(&script).backup().await.unwrap().snapshot.as_str(), ID);
}

#[tokio::test]
async fn ten_megabytes_of_stderr_are_cut_and_the_reason_is_found() {
    let exit = r#"{"message_type":"exit_error","code":1,"message":"Fatal: x: no space left on device"}"#;
    let wire =
        wire(&format!("json '{exit}' >&2; yes canary-password and more | head -c 10000000 >&2; exit 1"));
    let Err(ResticError::Failed { kind, text, .. }) = wire.backup().await else { panic!() };
    assert_eq!(kind, ResticFailure::NoSpace);
    assert!(text.len() <= 64 * 1024 && text.contains("*** and more\n"), "{}", text.len());
    assert!(!text.contains("canary-password"));
}

#[tokio::test]
async fn the_id_and_the_list_are_read() {
    let wire = wire(&format!(
        r#"case $1 in
           cat) printf '{{\n "version": 2,\n "id": "{ID}"\n}}\n' ;;
           init) json '{{"message_type":"initialized","id":"{ID}"}}' ;;
           snapshots) echo '[{{"id":"{ID}","time":"2026-11-20T09:00:00Z"}}]' ;;
           esac"#
    ));
    assert_eq!(wire.restic.repository_id(&local()).await.unwrap(), ID);
    assert_eq!(wire.restic.init(&local()).await.unwrap(), ID);
    assert_eq!(wire.restic.snapshots(&local()).await.unwrap()[0].id.as_str(), ID);
    assert_eq!(wire.file("calls"), "version\ncat\ninit\nsnapshots\n");
}

#[tokio::test]
async fn a_snapshot_that_was_left_out_is_told_and_the_others_are_kept() {
    let script = format!(
        r#"echo 'Ignoring "ab": failed to load snapshot ab: LoadRaw: invalid data returned' >&2
           echo '[{{"id":"{ID}","time":"2026-11-20T09:00:00Z"}}]'"#
    );
    let error = wire(&script).restic.snapshots(&local()).await.unwrap_err();
    let ResticError::DamagedSnapshots { unreadable, readable, .. } = error else { panic!("{error}") };
    assert_eq!((unreadable.len(), readable[0].id.as_str()), (1, ID));
}

#[tokio::test]
async fn a_long_listing_is_counted_to_its_last_line() {
    let node = r#"{"message_type":"node","type":"file","path":"/data/f","size":2}"#;
    let wire = wire(&format!("yes '{node}' | head -n 300000; printf %s '{node}'"));
    let paths = ["/data".into(), "/gone".into()];
    let counts = wire.restic.contents(&local(), &ID.parse().unwrap(), &paths).await.unwrap();
    assert_eq!(counts, [Some(Counts { files: 300_001, bytes: 600_002 }), None]);
}

#[tokio::test]
async fn a_restore_believes_the_code_and_not_the_summary() {
    let full = r#"
        json '{"message_type":"error","error":{"message":"write /s/x: no space left on device"},"item":"/x"}' >&2
        json '{"message_type":"exit_error","code":1,"message":"Fatal: There were 1 errors\n"}' >&2
        json '{"message_type":"summary","total_files":60,"files_restored":60}'; exit 1"#;
    let wire = wire(full);
    let request = RestoreRequest { snapshot: ID.parse().unwrap(), include: vec![], target: "/s".into() };
    let progress = watch::Sender::new(Progress::default());
    let result = wire.restic.restore(&local(), &request, &progress, &CancellationToken::new()).await;
    assert_eq!(kind_of(result), ResticFailure::NoSpace);
}

#[tokio::test]
async fn a_disk_without_room_keeps_a_backup_out_and_nobody_who_is_to_make_room() {
    // Nothing is ever free there.
    let full = |repository: &mut Repository| repository.location = Some(Location::Repository("/proc".into()));
    let script = format!("[ $1 = cat ] && echo '{{\"id\": \"{ID}\"}}'");
    let wire = wire_with(&script, full, &[]);
    let refused = wire.restic.knock(&local(), Purpose::Save).await.unwrap_err();
    let failure = crate::failure::Failure::from(&refused);
    assert_eq!(failure.message, "there is no space left for repository `local`");
    assert_eq!(failure.causes, ["0 B are free, and restic needs 20.0 MiB at the least"]);
    assert_eq!(wire.restic.knock(&local(), Purpose::Forget).await.as_deref(), Ok(ID));
}
