//! Looking after a repository while others are at work there, and what is known of it is not what it was.

use std::time::Duration;

use svc_core::care::{Care, Reading};
use svc_core::code::Code;
use svc_core::holder;
use svc_core::records::{Checked, RepositoryRecord};
use svc_core::restic::fake::FakeRepository;
use svc_core::restic::{Lock, Subset, Verb};
use tokio_util::sync::CancellationToken;

use crate::house::{House, noon, repository};

/// A process that lives and is not svc's holds the repository.
fn held() -> Lock {
    Lock { host: holder::host(), pid: 1, time: noon(), exclusive: true }
}

/// What another process finds out: that a part is damaged.
pub(crate) fn mark(house: &House, subset: Option<Subset>) {
    let check = Checked { at: noon(), subset, code: Code::Damaged, took_ms: 1 };
    let change = |record: &mut RepositoryRecord| record.note(check, "a pack is gone", 12);
    RepositoryRecord::update(&house.scope.records_dir(), &repository("local"), noon(), change).unwrap();
}

async fn care<T>(house: &House, work: impl AsyncFnOnce(Care<'_>) -> T) -> T {
    let (repository, outside) = (repository("local"), house.outside());
    let (config, scope) = (&house.config, &house.scope);
    let (wait, cancel) = (Duration::from_hours(6), CancellationToken::new());
    work(Care { config, scope, outside: &outside, repository: &repository, wait, cancel, now: noon }).await
}

#[tokio::test(start_paused = true)]
async fn a_prune_that_waits_does_not_begin_once_the_repository_is_marked() {
    for is_marked in [false, true] {
        let house = std::sync::Arc::new(House::new());
        house.restic.change(&repository("local"), |local| local.locks.push(held()));
        let inside = std::sync::Arc::downgrade(&house);
        // Whoever held it has found something, and goes.
        house.tap.watch(move |call| {
            let Some(house) = inside.upgrade().filter(|_| call == "restic locks local") else { return };
            if is_marked {
                mark(&house, None);
            }
            house.restic.change(&repository("local"), |local| local.locks.clear());
        });
        let pruned = care(&house, async |care| care.prune().await).await;
        let tries = house.restic.count(Verb::Prune);
        match pruned {
            Ok(_) => assert!(!is_marked && tries == 2, "{tries}"),
            Err(failure) => assert_eq!((is_marked, tries, failure.code), (true, 1, Code::Damaged)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_prune_waits_until_somebody_has_looked_at_a_record_that_could_not_be_read() {
    let house = House::new();
    let file = "state/records/repositories/local.json";
    house.write(file, "{torn");
    let held = care(&house, async |care| care.prune().await).await.unwrap_err();
    assert_eq!((held.code, house.restic.count(Verb::Prune)), (Code::Refused, 0));
    assert!(held.message.contains(file), "{held:?}");
    // A check that begins anew does not make up for it.
    care(&house, async |care| care.check(Reading::Everything).await).await.unwrap();
    let aside = house.path("state/records/repositories/local.json.unreadable-20261120T120000");
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "{torn");
    let held = care(&house, async |care| care.prune().await).await.unwrap_err();
    assert!(held.hint.unwrap().ends_with(&format!("rm {}", aside.display())));
    std::fs::remove_file(aside).unwrap();
    care(&house, async |care| care.prune().await).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn damage_in_one_part_is_held_against_the_repository_until_that_part_is_good() {
    let house = House::new();
    let damage = |part| {
        house.restic.change(&repository("local"), |local: &mut FakeRepository| local.damaged = part);
    };
    let check = async |part| {
        let reading = Reading::Part(Subset { part, of: 12 });
        care(&house, async |care| care.check(reading).await).await.unwrap().code
    };
    damage(Some(3));
    assert_eq!(check(3).await, Code::Damaged);
    damage(Some(7));
    assert_eq!(check(7).await, Code::Damaged);
    damage(Some(3));
    assert_eq!(check(7).await, Code::Ok);
    let held = care(&house, async |care| care.prune().await).await.unwrap_err();
    assert_eq!((held.code, house.restic.count(Verb::Prune)), (Code::Damaged, 0));
    damage(None);
    assert_eq!(check(3).await, Code::Ok);
    care(&house, async |care| care.prune().await).await.unwrap();
}
