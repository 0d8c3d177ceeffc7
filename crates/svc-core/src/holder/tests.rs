use super::*;

const HOST: &str = "home";
/// When svc's own processes were started.
const BORN: u64 = 4711;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn lock(host: &str, pid: u32, minute: i64) -> Lock {
    Lock { time: at(minute), exclusive: false, host: host.to_owned(), pid }
}

fn own(pid: u32) -> Own {
    Own { pid, born: Some(BORN), from: at(0), until: Some(at(10)) }
}

fn verdict(locks: &[Lock], own: &[Own], now: i64, alive: &[u32]) -> Verdict {
    judge(
        locks,
        HOST,
        own,
        at(now),
        |pid| if alive.contains(&pid) { Life::Lives(Some(BORN)) } else { Life::Gone },
    )
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
fn a_process_id_of_ours_that_another_program_has_by_now_is_waited_for_until_the_lock_is_old() {
    let (locks, from_before) = ([lock(HOST, 7, 5)], Own { born: None, ..own(7) });
    for (own, life) in [
        (own(7), Life::Lives(Some(BORN + 1))),
        // One that cannot be looked at may be anybody's, and so may one whose start nobody wrote down.
        (own(7), Life::Lives(None)),
        (from_before.clone(), Life::Lives(Some(BORN))),
        (from_before, Life::Lives(None)),
    ] {
        let own = [own];
        let judged = |minute| judge(&locks, HOST, &own, at(minute), |_| life);
        let Verdict::Held(who) = judged(40) else { panic!("{own:?} {life:?}: {:?}", judged(40)) };
        assert!(who.contains("its process id 7 is another program's by now"), "{who}");
        assert!(who.contains(&moment(at(40)).to_string()), "{who}");
        assert_eq!(judged(41), Verdict::Stale, "{own:?} {life:?}");
    }
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
