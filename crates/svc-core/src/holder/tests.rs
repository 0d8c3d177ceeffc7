use super::*;

const HOST: &str = "home";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn lock(host: &str, pid: u32, minute: i64) -> Lock {
    Lock { time: at(minute), exclusive: false, host: host.to_owned(), pid }
}

fn own(pid: u32) -> Own {
    Own { pid, from: at(0), until: Some(at(10)) }
}

fn verdict(locks: &[Lock], own: &[Own], now: i64, alive: &[u32]) -> Verdict {
    judge(locks, HOST, own, at(now), |pid| alive.contains(&pid))
}

fn is_held(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Held(_))
}

#[test]
fn only_a_lock_of_a_dead_process_that_svc_started_is_stale() {
    assert_eq!(verdict(&[], &[], 0, &[]), Verdict::Free);
    assert_eq!(verdict(&[lock(HOST, 7, 5)], &[own(7)], 11, &[]), Verdict::Stale);
    assert!(is_held(&verdict(&[lock(HOST, 7, 5)], &[], 11, &[])), "nobody knows whose it was");
    assert!(is_held(&verdict(&[lock(HOST, 7, 5)], &[own(8)], 11, &[])), "another process was svc's");
    assert!(matches!(verdict(&[lock(HOST, 7, 5)], &[own(7)], 11, &[7]), Verdict::Busy(_)));
    assert!(is_held(&verdict(&[lock(HOST, 7, 5)], &[own(6)], 11, &[7])), "it lives, and is none of svc's");
    assert!(
        is_held(&verdict(&[lock("vault", 7, 5)], &[own(7)], 11, &[])),
        "the id is one of another machine"
    );
}

#[test]
fn a_lock_that_its_process_cannot_have_written_is_anothers() {
    assert!(is_held(&verdict(&[lock(HOST, 7, 30)], &[own(7)], 31, &[])), "written after it had died");
    assert!(is_held(&verdict(&[lock(HOST, 7, -30)], &[own(7)], 1, &[])), "written before it began");
}

#[test]
fn one_that_is_held_keeps_all_from_being_removed() {
    let locks = [lock(HOST, 7, 5), lock(HOST, 9, 5)];
    assert!(is_held(&verdict(&locks, &[own(7)], 11, &[])));
    let locks = [lock(HOST, 7, 5), lock("vault", 9, 5)];
    assert!(is_held(&verdict(&locks, &[own(7)], 11, &[])));
}

#[test]
fn one_that_was_not_refreshed_for_half_an_hour_and_more_is_nobodys() {
    for host in [HOST, "vault"] {
        assert!(is_held(&verdict(&[lock(host, 7, 0)], &[], 34, &[7])), "{host}");
        assert_eq!(verdict(&[lock(host, 7, 0)], &[], 36, &[7]), Verdict::Stale, "{host}");
    }
}
