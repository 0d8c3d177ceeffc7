//! Locks, damage and figures.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use svc_core::holder::{self, Own, Verdict, judge};
use svc_core::life::life;
use svc_core::restic::{Purpose, Restic as _, ResticFailure, Subset};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, kind_of, overwrite, programs};

/// How long restic may take to lock a repository.
const LIMIT: Duration = Duration::from_mins(1);

/// Bytes of so many numbers, which nothing makes smaller.
fn noise(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// A backup that uploads slowly and is killed: it leaves its lock. Gives its process id.
fn leave_a_lock(bench: &Bench) -> u32 {
    let source = bench.source(b"slow");
    fs::write(source.join("big"), noise(3_000_000)).unwrap();
    let mut running =
        bench.command(&["backup", "--limit-upload=50", source.to_str().unwrap()]).spawn().unwrap();
    let began = Instant::now();
    // It is written under another name first.
    let is_lock = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 64);
    while !bench.files_of_repository("locks").iter().any(is_lock) {
        assert!(began.elapsed() < LIMIT, "restic takes no lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    running.id()
}

#[tokio::test]
async fn fault_11_a_lock_of_a_dead_process_is_read_judged_and_removed_only_when_it_is_ours() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let pid = leave_a_lock(&bench);
        let locks = restic.locks(&bench.name).await.unwrap();
        assert_eq!(locks.iter().map(|lock| (lock.pid, lock.exclusive)).collect::<Vec<_>>(), [(pid, false)]);
        assert_eq!(locks[0].host, holder::host());
        let now = jiff::Timestamp::now();
        let own = Own { pid, born: None, from: locks[0].time, until: None };
        assert!(matches!(judge(&locks, &holder::host(), &[], now, life), Verdict::Held(_)));
        assert_eq!(judge(&locks, &holder::host(), &[own], now, life), Verdict::Stale);
        let check = restic.check(&bench.name, None, &CancellationToken::new()).await;
        assert_eq!(kind_of(check), ResticFailure::Locked);
        // Beside a lock that is not exclusive a backup goes on.
        restic.knock(&bench.name, Purpose::Save).await.unwrap();
        restic.unlock(&bench.name).await.unwrap();
        assert_eq!(restic.locks(&bench.name).await.unwrap(), []);
        restic.check(&bench.name, None, &CancellationToken::new()).await.unwrap();
    }
}

#[tokio::test]
async fn fault_14_a_lock_that_is_junk_is_damage_and_stays() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let junk = bench.path("repo/locks").join("a".repeat(64));
        fs::write(&junk, "junk").unwrap();
        assert_eq!(kind_of(restic.knock(&bench.name, Purpose::Save).await), ResticFailure::Damaged);
        assert_eq!(kind_of(restic.locks(&bench.name).await), ResticFailure::Damaged);
        assert!(junk.exists());
    }
}

fn packs(bench: &Bench) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(bench.path("repo/data")).into_iter().map(Result::unwrap);
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[tokio::test]
async fn flipped_bytes_are_found_in_their_part_and_a_missing_pack_at_once() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let source = bench.source(b"plain");
        fs::write(source.join("big"), noise(100_000)).unwrap();
        bench.backup(&restic, &[source]).await.unwrap();
        let none = CancellationToken::new();
        assert!(restic.stats(&bench.name).await.unwrap().stored_bytes > 0);
        assert_eq!(restic.stats(&bench.name).await.unwrap().snapshots, 1);
        // The largest: a check reads trees always, and what is in files only where it is told to.
        let pack = packs(&bench).into_iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
        let mut bytes = fs::read(&pack).unwrap();
        bytes[3] ^= 0xff;
        overwrite(&pack, &bytes);
        fs::remove_dir_all(bench.path("cache")).unwrap();
        restic.check(&bench.name, None, &none).await.unwrap();
        // restic sorts packs into parts by the first byte of their names.
        let name = pack.file_name().unwrap().to_str().unwrap();
        let part = u32::from(u8::from_str_radix(&name[..2], 16).unwrap()) % 3 + 1;
        let subset = |part| Some(Subset { part, of: 3 });
        assert_eq!(kind_of(restic.check(&bench.name, subset(part), &none).await), ResticFailure::Damaged);
        restic.check(&bench.name, subset(part % 3 + 1), &none).await.unwrap();
        for pack in packs(&bench) {
            fs::remove_file(pack).unwrap();
        }
        assert_eq!(kind_of(restic.check(&bench.name, None, &none).await), ResticFailure::Damaged);
        assert_eq!(kind_of(restic.prune(&bench.name, &none).await), ResticFailure::Damaged);
    }
}
