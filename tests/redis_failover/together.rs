//! What callers see of a failover: through typed commands, and when all servers are gone.

use std::time::Duration;

use redis::{AsyncCommands, RedisError, pipe};
use tokio::time::{Instant, sleep};
use tower_failover::{
    failover::{MayHaveRun, NoBackend},
    redis::{Commands, Stack, Unavailable, Verdict},
};

use crate::{
    fleet::{BACK_WITHIN, Fleet, PASSWORD, SLACK, SOON, ask, get},
    support::{Direction, Flow, Scope, wait_for_async},
};

#[tokio::test]
async fn typed_commands_and_pipelines_run_through_a_failover() {
    let mut fleet = Fleet::start(Commands::new(), &["first", "second"]).await;
    let mut redis = Stack::new(fleet.redis.clone());
    assert_eq!(redis.get::<_, String>("site").await.unwrap(), "first");

    fleet.first().server.kill();
    let sites: (String, Option<u64>) =
        pipe().get("site").get("counter").query_async(&mut redis).await.unwrap();
    assert_eq!(sites, ("second".to_owned(), None));
    assert_eq!(redis.get::<_, String>("site").await.unwrap(), "second");
    assert_eq!(redis.incr::<_, _, u64>("counter", 1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_reported_and_not_repeated() {
    let mut fleet = Fleet::start(Commands::new(), &["first", "second"]).await;
    let mut redis = Stack::new(fleet.redis.clone());
    fleet.is_home().await;
    fleet.first().network.set(Direction::ToClient, Flow::CutAfter(0), Scope::All);

    let mut transaction = pipe();
    transaction.atomic().incr("counter", 1).incr("counter", 1);
    let lost: Result<(u64, u64), RedisError> = transaction.query_async(&mut redis).await;
    let error = lost.expect_err("its answer is lost");
    let doubtful = Stack::refusal::<MayHaveRun>(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(doubtful.backend().as_str(), "first");
    assert!(Unavailable::may_have_run(&error));
    assert_eq!(Verdict::of(&error), Verdict::Unavailable);

    assert_eq!(fleet.counters().await, [2, 0]);
}

#[tokio::test]
async fn when_all_are_gone_the_caller_is_told_why_of_each_until_the_first_is_back() {
    let mut fleet = Fleet::start(Commands::new(), &["first", "second"]).await;
    fleet.is_home().await;
    for site in &mut fleet.sites {
        site.server.kill();
    }
    let mut told = 0;
    wait_for_async(SOON, "it is known that all are gone", async || {
        let error = ask(&fleet.redis, &get()).await.expect_err("nobody is there");
        let Some(nobody) = error.downcast_ref::<NoBackend>() else { return false };
        told += 1;
        let names: Vec<_> = nobody.reasons().map(|(name, _)| name).collect();
        assert_eq!(names, ["first", "second"]);
        for text in [format!("{nobody}"), format!("{nobody:?}")] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        nobody.reasons().all(|(_, why)| why.contains("unhealthy")) && nobody.retry_after().is_some()
    })
    .await;
    assert!(told > 0);

    fleet.sites[1].server.restart().await;
    let back = Instant::now();
    while ask(&fleet.redis, &get()).await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    let after = back.elapsed();
    assert!(after <= 2 * BACK_WITHIN + SLACK, "back after {after:?}");
    assert_eq!(ask(&fleet.redis, &get()).await.unwrap(), "second");
    fleet.first().server.restart().await;
    fleet.is_home().await;
}
