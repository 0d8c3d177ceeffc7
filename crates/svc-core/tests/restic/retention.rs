//! restic's policy, asked of the real one, of the fake and of what svc expects.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use svc_core::config::Policy;
use svc_core::names::SnapshotId;
use svc_core::restic::fake::{FakeRepository, FakeRestic};
use svc_core::restic::{ForgetQuestion, Restic, ResticError, ResticFailure, Snapshot, Weighed};
use svc_core::retention::{Owner, Protected, decide, expect, sort};

use crate::bench::{Bench, programs};

const HOST: &str = "home";

fn question(tags: &[&str], policy: &Policy) -> ForgetQuestion {
    let tags = tags.iter().map(ToString::to_string).collect();
    ForgetQuestion { tags, host: HOST.to_owned(), policy: policy.clone() }
}

fn policies() -> Vec<Policy> {
    let none = Policy::default();
    vec![
        Policy { last: Some(3), ..none.clone() },
        Policy { hourly: Some(4), ..none.clone() },
        Policy { daily: Some(3), ..none.clone() },
        Policy { weekly: Some(2), monthly: Some(2), ..none.clone() },
        Policy { daily: Some(100), ..none.clone() },
        Policy { last: Some(1), daily: Some(2), weekly: Some(2), monthly: Some(2), yearly: Some(2), ..none },
    ]
}

/// The moments of a restic's snapshots by what becomes of them, with reasons.
fn told(weighed: &[Weighed]) -> BTreeSet<(Timestamp, Vec<String>)> {
    weighed.iter().map(|one| (one.snapshot.time, one.reasons.clone())).collect()
}

/// A fake with the same snapshots.
fn like(bench: &Bench, listed: &[Snapshot]) -> FakeRestic {
    let mut repository = FakeRepository::new("1d");
    for one in listed {
        let tags: Vec<&str> = one.tags.iter().map(String::as_str).collect();
        // The fake's clock stands in Greenwich: it is given what a clock on the wall said.
        let time = one.wall_clock().to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        repository = repository.snapshot(time, &one.host, &tags, &one.paths, Vec::new());
    }
    FakeRestic::new().repository(&bench.name, repository)
}

#[tokio::test]
async fn the_fake_and_what_svc_expects_weigh_as_restic_does() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let source = [bench.source(b"plain")];
        // Around midnight, the turn of the year and the change of the clocks, in Berlin.
        let times = [
            "2025-10-25 23:30:00",
            "2025-10-26 01:30:00",
            "2025-10-26 05:30:00",
            "2025-12-28 00:10:00",
            "2025-12-29 00:10:00",
            "2025-12-31 23:50:00",
            "2026-01-01 00:10:00",
            "2026-01-01 00:40:00",
            "2026-01-04 12:00:00",
            "2026-01-05 00:30:00",
        ];
        for (index, time) in times.into_iter().enumerate() {
            let own: &[&str] = if index % 3 == 0 { &["a"] } else { &["svc:a", "a"] };
            bench.save_at(time, HOST, own, &source);
        }
        bench.save_at("2026-01-05 10:00:00", HOST, &["svc:b"], &source);
        bench.save_at("2026-01-05 10:00:00", "other", &["svc:a"], &source);
        let listed = restic.snapshots(&bench.name).await.unwrap();
        let fake = like(&bench, &listed);
        for policy in policies() {
            for tags in [&["svc:a"][..], &["svc:a", "a"], &["svc:b"], &["nobody"]] {
                let question = question(tags, &policy);
                let real = restic.forget_preview(&bench.name, &question).await.unwrap();
                let faked = fake.forget_preview(&bench.name, &question).await.unwrap();
                let reasons =
                    |weighed: &[Weighed]| weighed.iter().map(|one| one.reasons.clone()).collect::<Vec<_>>();
                assert_eq!(reasons(&real), reasons(&faked), "{policy} of {tags:?}");
                let own: Vec<Snapshot> = real.iter().map(|one| one.snapshot.clone()).collect();
                assert_eq!(told(&expect(&own, &policy, None)), told(&real), "{policy} of {tags:?}");
            }
        }
        assert_eq!(restic.snapshots(&bench.name).await.unwrap(), listed);
    }
}

#[tokio::test]
async fn exactly_the_named_snapshots_go_and_one_that_is_gone_is_no_error() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let source = [bench.source(b"plain")];
        let mut ids: Vec<SnapshotId> = Vec::new();
        for _ in 0..3 {
            ids.push(bench.backup(&restic, &source).await.unwrap().snapshot);
        }
        restic.forget(&bench.name, &[]).await.unwrap();
        restic.forget(&bench.name, &[ids[0].clone(), "0".repeat(64).parse().unwrap()]).await.unwrap();
        restic.forget(&bench.name, &ids[..2]).await.unwrap();
        let left: Vec<_> =
            restic.snapshots(&bench.name).await.unwrap().into_iter().map(|one| one.id).collect();
        assert_eq!(left, ids[2..]);
    }
}

#[tokio::test]
async fn a_server_that_only_appends_does_not_pass_for_one_that_forgets() {
    let Some(server) = std::env::var_os("SVC_TEST_REST_SERVER") else {
        eprintln!("SKIPPED: SVC_TEST_REST_SERVER names no restic-rest-server");
        return;
    };
    for program in programs() {
        let bench = Bench::new(&program);
        let local = bench.restic();
        local.init(&bench.name).await.unwrap();
        let id = bench.backup(&local, &[bench.source(b"plain")]).await.unwrap().snapshot;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut running = std::process::Command::new(&server)
            .args(["--append-only", "--no-auth", "--path"])
            .arg(bench.path(""))
            .arg(format!("--listen=127.0.0.1:{port}"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let remote = bench.restic_with(&format!("rest:http://127.0.0.1:{port}/repo/"), "right", |_| {});
        let refused = remote.forget(&bench.name, std::slice::from_ref(&id)).await;
        running.kill().unwrap();
        running.wait().unwrap();
        let is_told = matches!(&refused, Err(ResticError::Failed { kind: ResticFailure::Denied, .. }));
        assert!(is_told, "{refused:?}");
        assert_eq!(local.snapshots(&bench.name).await.unwrap().len(), 1);
    }
}

/// The newest of each of the last days, and the newest of each of the last weeks, worked out from the calendar alone.
fn policy_says(nights: &[Date], daily: usize, weekly: usize) -> BTreeSet<Date> {
    let mut kept: BTreeSet<Date> = nights.iter().rev().take(daily).copied().collect();
    let mut weeks: Vec<(i16, i8)> = Vec::new();
    for night in nights.iter().rev() {
        let week = night.iso_week_date();
        let week = (week.year(), week.week());
        if !weeks.contains(&week) && weeks.len() < weekly {
            weeks.push(week);
            kept.insert(*night);
        }
    }
    if weeks.len() < weekly {
        kept.extend(nights.first());
    }
    kept
}

#[tokio::test]
async fn forty_nights_with_changing_tags_and_paths_leave_exactly_what_the_policy_says() {
    for program in programs() {
        let bench = Bench::new(&program);
        let restic = bench.restic();
        restic.init(&bench.name).await.unwrap();
        let policy = Policy { daily: Some(5), weekly: Some(3), ..Policy::default() };
        let nights: Vec<Date> = date(2026, 9, 10).series(jiff::Span::new().days(1)).take(40).collect();
        let neighbours = [bench.source(b"neighbour")];
        bench.save_at("2026-09-01 02:00:00", HOST, &["svc:b", "shared", "b"], &neighbours);
        for (night, day) in nights.iter().enumerate() {
            // Another path every ten nights, another tag every third; the first ones are from before svc.
            let source = [bench.path(format!("data-{}", night / 10))];
            fs::create_dir_all(&source[0]).unwrap();
            fs::write(source[0].join("night"), night.to_string()).unwrap();
            let extra = format!("release-{}", night / 3);
            let tags: &[&str] = if night < 8 { &["a"] } else { &["svc:a", "a", "shared", &extra] };
            bench.save_at(&format!("{day} 02:30:00"), HOST, tags, &source);
            forget_once(&bench, &policy, &["a".to_owned()], *day).await;
        }
        let left = restic.snapshots(&bench.name).await.unwrap();
        let (neighbours, own): (Vec<_>, Vec<_>) = left.iter().partition(|one| one.has_tag("svc:b"));
        let days: BTreeSet<Date> = own.iter().map(|one| one.wall_clock().date()).collect();
        assert_eq!(days, policy_says(&nights, 5, 3));
        assert_eq!((own.len(), neighbours.len()), (days.len(), 1));
    }
}

/// What a run does about retention after a good backup.
async fn forget_once(bench: &Bench, policy: &Policy, tags: &[String], day: Date) {
    let restic = bench.restic();
    let owner = Owner {
        service: "a".parse().unwrap(),
        host: HOST.to_owned(),
        old_tag: Some("a".to_owned()),
        tags: tags.to_vec(),
        shared_with: None,
        foreign: vec!["b".to_owned()],
    };
    let now = day.at(3, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let listed = sort(&owner, &restic.snapshots(&bench.name).await.unwrap());
    assert_eq!(listed.left, []);
    let shown =
        decide(&owner, &expect(&listed.own, policy, None), policy, &Protected::default(), now).unwrap();
    if shown.forget.is_empty() {
        return;
    }
    let tags: Vec<&str> = listed.tags.iter().map(String::as_str).collect();
    let weighed = restic.forget_preview(&bench.name, &question(&tags, policy)).await.unwrap();
    let decision = decide(&owner, &weighed, policy, &Protected::default(), now).unwrap();
    let ids =
        |judged: &[svc_core::retention::Judged]| judged.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&decision.forget), ids(&shown.forget));
    restic.forget(&bench.name, &ids(&decision.forget)).await.unwrap();
}
