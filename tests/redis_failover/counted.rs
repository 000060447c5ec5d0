//! Calls that must not run twice: the counter of all servers together is never above the number of
//! calls that reported success or that they may have run.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{Cmd, Value, cmd};
use tokio::{task::JoinSet, time::sleep};
use tower::ServiceExt;
use tower_failover::{
    failover::{MayHaveRun, Repeat, Repeats},
    redis::Commands,
};

use crate::{
    fleet::{Fleet, Redis, SOON, Site, ask, get},
    support::{Direction, Flow, Scope, wait_for, wait_for_async},
};

const CALLERS: usize = 8;
const ROUNDS: usize = 6;
const PAUSE: Duration = Duration::from_millis(1);

/// What its callers were told.
#[derive(Debug, Default)]
struct Told {
    done: AtomicU64,
    may_have_run: AtomicU64,
}

/// What came of it all.
#[derive(Debug)]
struct Account {
    counter: u64,
    done: u64,
    may_have_run: u64,
    /// Of them, by the fault that struck.
    kills: u64,
    pauses: u64,
    cuts: u64,
    /// Connections that were cut off in the middle of a reply.
    cut: u64,
}

async fn count<R>(redis: Redis<R>, stop: Arc<AtomicBool>, told: Arc<Told>)
where
    R: Repeats<Cmd> + Clone + Send + Sync + 'static,
{
    while !stop.load(Relaxed) {
        match redis.clone().oneshot(cmd("INCR").arg("counter").clone()).await {
            Ok(Value::Int(_)) => told.done.fetch_add(1, Relaxed),
            Ok(other) => panic!("{other:?}"),
            Err(error) if error.is::<MayHaveRun>() => told.may_have_run.fetch_add(1, Relaxed),
            Err(_) => {
                sleep(PAUSE).await;
                continue;
            }
        };
    }
}

async fn is_left<R>(fleet: &Fleet<R>)
where
    R: Repeats<Cmd> + Clone + Send + Sync + 'static,
{
    wait_for_async(SOON, "another site serves", async || {
        matches!(ask(&fleet.redis, &get()).await.as_deref(), Ok("second" | "third"))
    })
    .await;
}

/// Counts while the first site is killed, paused, and cut off in the middle of its replies.
async fn account<R>(repeat: R) -> Account
where
    R: Repeats<Cmd> + Clone + Send + Sync + 'static,
{
    let mut fleet = Fleet::start(repeat, &["first", "second", "third"]).await;
    fleet.is_home().await;
    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Told::default()));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(count(fleet.redis.clone(), stop.clone(), told.clone()));
    }
    let (mut kills, mut pauses, mut cuts, mut seen) = (0, 0, 0, 0);
    let mut more = || {
        let all = told.may_have_run.load(Relaxed);
        all - mem::replace(&mut seen, all)
    };
    for _ in 0..ROUNDS {
        fleet.first().server.kill();
        is_left(&fleet).await;
        fleet.first().server.restart().await;
        fleet.is_home().await;
        kills += more();

        fleet.first().server.pause();
        is_left(&fleet).await;
        fleet.first().server.resume();
        fleet.is_home().await;
        pauses += more();

        let Site { network, .. } = fleet.first();
        let cut = network.counts().cut;
        network.set(Direction::ToClient, Flow::CutAfter(2), Scope::All);
        wait_for(SOON, "a reply is cut", || network.counts().cut > cut).await;
        is_left(&fleet).await;
        fleet.first().network.heal().await;
        fleet.is_home().await;
        cuts += more();
    }
    stop.store(true, Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let counter = fleet.counters().await.iter().sum();
    let cut = fleet.first().network.counts().cut;
    fleet.end().await;
    let (done, may_have_run) = (told.done.load(Relaxed), told.may_have_run.load(Relaxed));
    Account { counter, done, may_have_run, kills, pauses, cuts, cut }
}

#[tokio::test]
async fn failover_promise_1_an_incr_that_may_have_run_is_reported_and_not_repeated() {
    let account = account(Commands::new()).await;
    let Account { counter, done, may_have_run, kills, pauses, cuts, cut } = account;
    assert!(done > 1000 && kills > 0 && pauses > 0 && cuts > 0 && cut > 0, "{account:?}");
    assert!(counter <= done + may_have_run, "counted twice: {account:?}");
    assert!(counter >= done, "what was done is lost: {account:?}");
}

/// The twin: who repeats whatever happened counts twice.
#[tokio::test]
async fn an_incr_that_is_always_repeated_is_counted_twice() {
    let account = account(Repeat::Always).await;
    let Account { counter, done, may_have_run, cut, .. } = account;
    assert!(done > 1000 && may_have_run == 0 && cut > 0, "{account:?}");
    assert!(counter > done, "{account:?}");
}
