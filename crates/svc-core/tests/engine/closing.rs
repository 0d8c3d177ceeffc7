//! The end of a run: what needs a repository alone waits for nobody, and nobody waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use svc_core::code::Code;
use svc_core::config::Policy;
use svc_core::lock::held_by;
use svc_core::restic::fake::{Call, Fault};
use svc_core::restic::{ResticFailure, Verb};
use tokio_util::sync::CancellationToken;

use crate::house::{House, Outcome, backup, noon, repository, service};

const BOTH: [&str; 2] = ["paperless", "music"];

/// Both keep two snapshots, of which there are two, and `paperless` is saved in two passes. Whoever comes to restic first
/// takes as long as `goes_on` is not cancelled.
async fn beside_a_long_backup(goes_on: &CancellationToken) -> House {
    let mut house = House::new();
    let policy = Policy { last: Some(2), ..Policy::default() };
    for name in BOTH {
        house.service(name).backup.policy = Some(policy.clone());
    }
    house.restic.set_now(noon());
    for _ in 0..2 {
        assert_eq!(house.run(&backup(&BOTH)).await.code(), 0);
    }
    house.took(&["paperless"], 9000);
    house.restic.fault(Verb::Backup, &repository("local"), 1, Fault::WaitsFor(goes_on.clone()));
    house
}

fn of_service(house: &House, name: &str) -> usize {
    house.saved("local").iter().filter(|snapshot| snapshot.has_tag(&format!("svc:{name}"))).count()
}

/// Runs; what takes long goes on after an hour, when nobody holds the other one any more.
async fn run_an_hour(house: &House, goes_on: CancellationToken) -> Outcome {
    let plan = house.plan(&backup(&BOTH)).await;
    let look = async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        let is_held = |name: &&str| held_by(&house.scope.locks_dir(), &service(name)).is_some();
        let held = BOTH.iter().filter(|name| is_held(name)).count();
        goes_on.cancel();
        held
    };
    let (outcome, held) = tokio::join!(house.run_plan(plan), look);
    assert_eq!(held, 1);
    outcome
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_is_let_go_and_forgets_when_the_others_are_saved_too() {
    let goes_on = CancellationToken::new();
    let house = beside_a_long_backup(&goes_on).await;
    let outcome = run_an_hour(&house, goes_on).await;
    assert_eq!(outcome.code(), 0, "{}", outcome.messages("paperless"));
    assert_eq!(house.left_over(), Vec::<String>::new());
    assert_eq!((of_service(&house, "paperless"), of_service(&house, "music")), (2, 2));
    let mut forgets: BTreeMap<&str, usize> = BTreeMap::new();
    let calls = house.restic.calls();
    for call in &calls {
        match call {
            Call::Forget(..) => *forgets.entry("forget").or_default() += 1,
            Call::Other(verb, _) => *forgets.entry(verb.as_str()).or_default() += 1,
            _ => {}
        }
    }
    // Of each service the one that its policy does not keep, and the hot one; nothing was tried in vain.
    assert_eq!(forgets, BTreeMap::from([("forget", 3)]));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_while_others_are_saved_forgets_only_what_shortened_a_stop() {
    let goes_on = CancellationToken::new();
    let house = beside_a_long_backup(&goes_on).await;
    let plan = house.plan(&backup(&BOTH)).await;
    let cancel = house.cancel();
    let end = async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        cancel.request(Code::Terminated);
    };
    let (outcome, ()) = tokio::join!(house.run_plan(plan), end);
    assert_eq!(outcome.code(), 143);
    assert_eq!(house.left_over(), Vec::<String>::new());
    let mut ends = BOTH.map(|name| (outcome.code_of(name), of_service(&house, name)));
    ends.sort_unstable();
    assert_eq!(ends, [(0, 3), (143, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_forgotten_at_the_end_is_the_services_own_failure() {
    let goes_on = CancellationToken::new();
    let house = beside_a_long_backup(&goes_on).await;
    // After the hot one and what `paperless` does not keep: a question and an order each.
    house.restic.fault(Verb::Forget, &repository("local"), 5, Fault::Fails(ResticFailure::Unreachable));
    let outcome = run_an_hour(&house, goes_on).await;
    let codes = (outcome.code(), outcome.code_of("music"), outcome.code_of("paperless"));
    assert_eq!(codes, (15, 15, 0), "{}", outcome.messages("music"));
    assert!(outcome.messages("music").contains("the new snapshot is good"), "{}", outcome.messages("music"));
}
