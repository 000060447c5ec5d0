//! Outages as the callers see them.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_failover::{
    Backoff,
    failover::{Failover, Policy, Recovery, Repeat, Trigger},
    health,
};

use crate::support::{Fault, Site, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_five_times_slower_than_usual_is_left_within_ten_seconds() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().health(health))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(SECOND / 100));
    sleep(60 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    eu.set(Fault::Slow(SECOND / 20));
    let slowed = Instant::now();
    while call(&mut failover).await.unwrap() == "eu" {
        sleep(SECOND / 100).await;
    }
    let took = slowed.elapsed();
    assert!(took <= 10 * SECOND, "{took:?}");
    let last = failover.control().history().last().unwrap().clone();
    assert_eq!((line(&last).as_str(), last.success()), ("eu→us degradation", Some(true)));
    eu.set(Fault::Slow(SECOND / 100));
    let healed = Instant::now();
    while call(&mut failover).await.unwrap() == "us" {
        assert!(healed.elapsed() < 60 * SECOND);
        sleep(SECOND / 100).await;
    }
    assert!(healed.elapsed() >= 8 * SECOND, "not before the delay");
}

#[tokio::test(start_paused = true)]
async fn a_degraded_backend_serves_while_there_is_no_other() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().health(health))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(SECOND / 100));
    sleep(60 * SECOND).await;
    eu.set(Fault::Slow(SECOND / 10));
    sleep(20 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    us.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "eu", "slow is better than nothing");
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_under_way_move_with_one_switch() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(SECOND / 2));
    let calls = futures::future::join_all((0..1_000).map(|_| failover.clone().oneshot(1)));
    let calls = tokio::spawn(calls);
    sleep(SECOND / 4).await;
    // It dies with all of them: what a site runs is decided at the end.
    eu.set(Fault::Dropped);
    let answers = calls.await.unwrap();
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == "us"), "0 failed");
    assert_eq!((eu.calls(), us.calls(), eu.in_flight()), (1_000, 1_000, 0));
    let lines: Vec<_> = failover.control().history().iter().map(line).collect();
    assert_eq!(lines, ["none→eu start", "eu→us connection"]);
}

#[tokio::test(start_paused = true)]
async fn trials_of_one_that_hangs_cost_few_callers_one_attempt() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let recovery = Recovery::new().delay(Backoff::fixed(30 * SECOND));
    let policy = Policy::new().recovery(recovery).attempt_timeout(SECOND / 2);
    let failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(policy)
            .build(),
    );
    eu.set(Fault::Hangs);
    let (mut late, mut calls) = (0, 0);
    let began = Instant::now();
    while began.elapsed() < 300 * SECOND {
        let called = Instant::now();
        // Others go on meanwhile.
        let (one, two) = tokio::join!(failover.clone().oneshot(1), failover.clone().oneshot(1));
        assert_eq!((one.unwrap(), two.unwrap()), ("us", "us"));
        calls += 2;
        late += usize::from(called.elapsed() >= SECOND / 4);
        assert!(called.elapsed() <= SECOND / 2, "{:?}", called.elapsed());
        sleep(SECOND / 100).await;
    }
    assert!(calls > 10_000 && (5..=20).contains(&late), "{late} of {calls}");
    let history = failover.control().history();
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1].trigger(), Trigger::Timeout);
}
