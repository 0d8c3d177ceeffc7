//! Whole readings: a fake engine, and a `journalctl` of our own.

mod house;

use std::time::Duration;

use house::{House, at};

use super::*;
use crate::docker::{OutputStream, Written};
use crate::testing::{DockerCall, DockerVerb, FakeContainer};

fn request() -> LogRequest {
    LogRequest { since: None, tail: None, grep: None, follow: false }
}

#[tokio::test]
async fn units_and_containers_come_in_the_order_of_time() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "web one");
    house.docker.write("shop-db-1", at(2), "db two");
    house.docker.write("shop-web-1", at(4), "web four");
    house.journal(&[(3, "unit three"), (5, "unit five")]);
    let (lines, code) = house.read(&request()).await;
    assert_eq!(lines, ["web web one", "db db two", "shop unit three", "web web four", "shop unit five"]);
    assert_eq!(code, Code::Ok);
}

#[tokio::test]
async fn the_tail_is_of_all_sources_together() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    house.docker.write("shop-web-1", at(4), "four");
    house.docker.write("shop-db-1", at(2), "two");
    house.journal(&[(3, "three")]);
    let tail = |tail| LogRequest { tail: Some(tail), ..request() };
    assert_eq!(house.read(&tail(2)).await.0, ["shop three", "web four"]);
    assert_eq!(house.read(&tail(9)).await.0.len(), 4);
    assert_eq!(house.read(&tail(0)).await.0, [""; 0]);
    let search = LogRequest { grep: Some(Regex::new("o").unwrap()), ..tail(2) };
    // The last two that match, not what matches of the last two.
    assert_eq!(house.read(&search).await.0, ["db two", "web four"]);
}

#[tokio::test]
async fn since_leaves_out_what_is_older() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    house.docker.write("shop-db-1", at(2), "two");
    house.journal(&[(1, "old"), (3, "three")]);
    let (lines, _) = house.read(&LogRequest { since: Some(at(2)), ..request() }).await;
    assert_eq!(lines, ["db two", "shop three"]);
}

#[tokio::test]
async fn without_docker_the_journal_is_shown_and_the_rest_is_named() {
    let house = House::new();
    house.journal(&[(1, "one")]);
    house.docker.set_reachable(false);
    let (lines, code) = house.read(&request()).await;
    assert_eq!(
        lines,
        ["note: Docker cannot be reached at `fake:docker.sock`: the fake is unreachable", "shop one"]
    );
    assert_eq!(code, Code::ManagerUnreachable);
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_does_not_end_the_containers() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    house.break_journal("echo 'Failed to open journal: Bad message' >&2; exit 1");
    let (lines, code) = house.read(&request()).await;
    assert_eq!(code, Code::ManagerUnreachable);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.contains(&"web one".to_owned()), "{lines:?}");
    house.break_journal("echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1");
    assert_eq!(house.read(&request()).await.1, Code::Permission);
    std::fs::remove_file(house.program()).unwrap();
    let (lines, _) = house.read(&request()).await;
    assert!(lines.iter().any(|line| line.contains("is not installed")), "{lines:?}");
}

#[tokio::test]
async fn what_comes_later_is_followed_without_gap_or_double() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    house.journal(&[(2, "two")]);
    let mut reading = house.follow(&request()).await;
    assert_eq!(reading.next(2).await, ["web one", "shop two"]);
    house.docker.write("shop-web-1", at(3), "three");
    assert_eq!(reading.next(1).await, ["web three"]);
    house.journal(&[(4, "four")]);
    assert_eq!(reading.next(1).await, ["shop four"]);
    reading.nothing_more().await;
}

#[tokio::test]
async fn a_container_that_starts_again_is_read_on() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    let mut reading = house.follow(&request()).await;
    assert_eq!(reading.next(1).await, ["web one"]);
    house.docker.exit("shop-web-1", 1);
    // Others go on, and what an ended one still had to say comes with its next start.
    house.docker.write("shop-db-1", at(2), "db");
    assert_eq!(reading.next(1).await, ["db db"]);
    house.docker.write("shop-web-1", at(3), "last words");
    house.docker.start_by_hand("shop-web-1");
    house.docker.write("shop-web-1", at(4), "again");
    assert_eq!(reading.next(2).await, ["web last words", "web again"]);
    reading.nothing_more().await;
}

#[tokio::test]
async fn a_container_made_anew_keeps_its_place_and_a_new_one_gets_its_own() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "old");
    let mut reading = house.follow(&request()).await;
    assert_eq!(reading.next(1).await, ["web old"]);
    house.docker.recreate("shop-web-1");
    house.docker.write("shop-web-1", Timestamp::now(), "new");
    assert_eq!(reading.next(1).await, ["web new"]);
    house.docker.add(FakeContainer::compose("shop", "job"));
    house.docker.add(FakeContainer::compose("other", "web"));
    for name in ["other-web-1", "shop-job-1"] {
        house.docker.start_by_hand(name);
        house.docker.write(name, Timestamp::now(), "hello");
    }
    assert_eq!(reading.next(1).await, ["job hello"]);
    reading.nothing_more().await;
}

#[tokio::test]
async fn an_engine_that_goes_and_comes_back_is_told_once_and_read_on() {
    let house = House::new();
    house.docker.write("shop-web-1", at(1), "one");
    let mut reading = house.follow(&request()).await;
    assert_eq!(reading.next(1).await, ["web one"]);
    house.docker.set_reachable(false);
    let told = reading.next(1).await;
    assert!(told[0].starts_with("note: Docker cannot be reached"), "{told:?}");
    house.docker.write("shop-web-1", at(2), "meanwhile");
    house.docker.set_reachable(true);
    assert_eq!(reading.next(1).await, ["web meanwhile"]);
    reading.nothing_more().await;
}

#[tokio::test]
async fn a_log_that_ends_although_its_container_runs_is_asked_for_again() {
    let house = House::new();
    let mut reading = house.follow(&request()).await;
    house.docker.write("shop-web-1", at(1), "one");
    assert_eq!(reading.next(1).await, ["web one"]);
    house.docker.cut_followers();
    // That it runs is asked when the log has ended.
    let asked = DockerCall::Container(DockerVerb::Inspect, "shop-web-1".to_owned());
    while !house.docker.calls().contains(&asked) {
        tokio::task::yield_now().await;
    }
    house.docker.write("shop-web-1", at(2), "two");
    assert_eq!(reading.next(1).await, ["web two"]);
    reading.nothing_more().await;
}

#[tokio::test]
async fn the_end_of_the_journal_does_not_end_the_containers() {
    let house = House::new();
    house.break_journal("case \" $* \" in *' --follow '*) kill -9 $$ ;; esac");
    let mut reading = house.follow(&request()).await;
    let told = reading.next(1).await;
    assert!(told[0].contains("the journal cannot be read any further"), "{told:?}");
    house.docker.write("shop-web-1", at(1), "one");
    assert_eq!(reading.next(1).await, ["web one"]);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_holds_the_sources_up() {
    let house = House::new();
    let entry = |second| Written {
        at: at(second),
        stream: OutputStream::Stdout,
        bytes: vec![b'x'; 10_000],
        ends: true,
    };
    // 20 MB: what is not read yet stays where it is.
    for second in 0..2000 {
        house.docker.write_entry("shop-web-1", entry(second));
    }
    let mut reading = house.follow(&request()).await;
    // However often the sources get their turn.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let taken = house.docker.taken("shop-web-1");
    assert!((1..500).contains(&taken), "{taken} of 2000 entries were taken");
    assert_eq!(reading.next(2000).await.len(), 2000);
}

#[tokio::test]
async fn reading_ends_when_the_reader_goes() {
    let house = House::new();
    let mut reading = house.follow(&request()).await;
    house.docker.write("shop-web-1", at(1), "one");
    assert_eq!(reading.next(1).await, ["web one"]);
    let task = reading.close();
    house.docker.write("shop-web-1", at(2), "two");
    tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
}
