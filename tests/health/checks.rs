//! Quorums, checks on demand, and when a monitor ends.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tower_failover::health::{Grade, Health, Quorum, WhileUnknown};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Target, Ward, poll_once};

/// How a target is called of whose three probes this many fail.
async fn by_quorum(quorum: Quorum, failing: usize, how: Act) -> (Grade, Duration) {
    let mut builder = Health::builder("three")
        .policy(EXACT.quorum(quorum))
        .probe(Target::new(if failing > 0 { how } else { ANSWERS }));
    for n in 1..3 {
        builder = builder.probe(Target::new(if failing > n { how } else { ANSWERS }));
    }
    let (health, monitor) = builder.monitor();
    let (began, task) = (Instant::now(), tokio::spawn(monitor));
    let grade = health.check_now().await;
    drop(health);
    let took = began.elapsed();
    task.await.unwrap();
    (grade, took)
}

#[tokio::test(start_paused = true)]
async fn all_a_majority_or_any_of_the_probes_make_a_check_good() {
    use Grade::{Healthy, Unhealthy};
    for how in [Act::Fails, Act::Hangs, Act::PanicsWhenCalled] {
        for (quorum, grades) in [
            (Quorum::All, [Healthy, Unhealthy, Unhealthy, Unhealthy]),
            (Quorum::Majority, [Healthy, Healthy, Unhealthy, Unhealthy]),
            (Quorum::Any, [Healthy, Healthy, Healthy, Unhealthy]),
        ] {
            for (failing, expected) in grades.into_iter().enumerate() {
                let (grade, took) = by_quorum(quorum, failing, how).await;
                assert_eq!(grade, expected, "{quorum:?}, {failing} of 3: {how:?}");
                let waits = how == Act::Hangs && grade == Unhealthy;
                assert_eq!(took >= SECOND / 4, waits, "{took:?}, {quorum:?}, {failing}: {how:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn check_now_checks_at_once_and_waits_for_the_end() {
    let ward = Ward::new(Act::Answers(SECOND / 10), EXACT.interval(60 * SECOND));
    ward.checked(1).await;
    sleep(20 * SECOND).await;
    let began = Instant::now();
    assert_eq!(ward.health.check_now().await, Grade::Healthy);
    assert!((SECOND / 10..SECOND / 5).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(ward.target.probes(), 2);
    sleep(59 * SECOND).await;
    assert_eq!(ward.target.probes(), 2, "the schedule goes on from there");
    sleep(2 * SECOND).await;
    assert_eq!(ward.target.probes(), 3);
}

#[tokio::test(start_paused = true)]
async fn check_now_is_not_content_with_a_check_that_began_before_it() {
    let ward = Ward::new(Act::Answers(SECOND / 4), EXACT.interval(60 * SECOND).fall(1));
    ward.target.probed(1).await;
    assert_eq!(ward.target.under_way(), 1);
    ward.target.now(Act::Fails);
    assert_eq!(ward.health.check_now().await, Grade::Unhealthy);
    assert_eq!(ward.diary.grades(), [Grade::Healthy, Grade::Unhealthy]);
    assert_eq!(ward.target.probes(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_share_one_check() {
    let ward = Ward::new(Act::Answers(SECOND / 4), EXACT.interval(60 * SECOND));
    ward.checked(1).await;
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let health = ward.health.clone();
            tokio::spawn(async move { health.check_now().await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Grade::Healthy);
    }
    assert_eq!(ward.target.probes(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_check_and_leaves_has_it_made_all_the_same() {
    let ward = Ward::new(ANSWERS, EXACT.interval(60 * SECOND));
    ward.checked(1).await;
    {
        let mut asks = std::pin::pin!(ward.health.check_now());
        assert!(futures::poll!(asks.as_mut()).is_pending());
    }
    sleep(SECOND).await;
    assert_eq!(ward.target.probes(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_monitor_check_now_says_what_is_known() {
    let health = Health::new("nobody");
    assert!(!health.is_monitored());
    assert_eq!(health.check_now().await, Grade::Unknown);
    health.failed("refused");
    assert_eq!(health.check_now().await, Grade::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_check_is_told_when_the_monitor_is_dropped() {
    let target = Target::new(Act::Hangs);
    let (health, mut monitor) = Health::builder("left").probe(target.clone()).monitor();
    assert!(!poll_once(&mut monitor));
    assert_eq!(target.under_way(), 1);
    let asks = health.clone();
    let asked = tokio::spawn(async move { asks.check_now().await });
    sleep(SECOND).await;
    assert!(!asked.is_finished() && health.is_monitored());
    drop(monitor);
    assert_eq!(timeout(SECOND, asked).await.unwrap().unwrap(), Grade::Unknown);
    assert!(!health.is_monitored());
    assert_eq!(health.snapshot().next_check_in, None);
    assert_eq!(target.under_way(), 0, "its probe is dropped with it");
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_who_is_unhealthy_when_its_monitor_goes_is_not_refused_for_good() {
    let (health, mut monitor) = Health::builder("left").probe(Target::new(Act::Fails)).monitor();
    assert!(!poll_once(&mut monitor));
    assert!(health.refusal().is_some());
    drop(monitor);
    assert_eq!((health.grade(), health.refusal().is_none()), (Grade::Unknown, true));
    health.failed("seen by a caller");
    health.succeeded(SECOND);
    assert_eq!(health.grade(), Grade::Unknown, "one is too few");
    assert!(health.refusal().is_none(), "but more may come");
    health.up();
    health.down("unplugged");
    assert!(health.refusal().is_some(), "whoever says so now can take it back");

    let policy = EXACT.while_unknown(WhileUnknown::Refuse);
    let builder = Health::builder("never").policy(policy).probe(Target::new(ANSWERS));
    let (health, monitor) = builder.monitor();
    drop(monitor);
    assert!(health.refusal().is_none(), "nobody would ever know it");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_was_never_polled_is_one_until_it_is_dropped() {
    let (health, monitor) = Health::builder("idle").probe(Target::new(ANSWERS)).monitor();
    assert!(health.is_monitored());
    drop(monitor);
    assert!(!health.is_monitored());
}

#[tokio::test(start_paused = true)]
async fn a_monitor_ends_with_the_last_handle_whatever_it_is_at() {
    for act in [ANSWERS, Act::Hangs] {
        let target = Target::new(act);
        let (health, monitor) = Health::builder("short").probe(target.clone()).monitor();
        let signals = health.signals();
        let task = tokio::spawn(monitor);
        target.probed(1).await;
        let clone = health.clone();
        drop(health);
        sleep(10 * SECOND).await;
        assert!(!task.is_finished(), "a handle is left");
        target.probed(target.probes() + 1).await;
        let before = Instant::now();
        drop(clone);
        timeout(SECOND, task).await.unwrap().unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO, "at once, with {act:?}");
        assert_eq!(target.under_way(), 0);
        assert!(format!("{signals:?}").contains("None"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_what_is_known() {
    let ward = Ward::new(Act::Answers(SECOND / 10), EXACT);
    let before = ward.health.snapshot();
    assert_eq!((before.grade, before.last_check), (Grade::Unknown, None));
    assert_eq!(before.reason.as_str(), "not checked yet");
    ward.target.probed(20).await;
    sleep(SECOND / 2).await;
    let snapshot = ward.health.snapshot();
    assert_eq!(snapshot.target.as_str(), "target");
    assert_eq!((snapshot.consecutive_successes, snapshot.consecutive_failures), (20, 0));
    assert_eq!(snapshot.success_rate, Some(tower_failover::Ratio::percent(100)));
    let near = |found: Option<Duration>| {
        let (found, usual) = (found.unwrap(), SECOND / 10);
        assert!((usual..usual + 2 * MILLISECOND).contains(&found), "{found:?}");
    };
    near(snapshot.latency);
    near(snapshot.baseline);
    let check = snapshot.last_check.unwrap();
    near(Some(check.took()));
    assert!(check.is_good() && check.error().is_none());
    assert!(check.at() <= std::time::SystemTime::now());
    let next = snapshot.next_check_in.unwrap();
    assert!((SECOND * 4 / 10..=SECOND / 2).contains(&next), "{next:?}");
    assert!(snapshot.since > 18 * SECOND && snapshot.since < 21 * SECOND);

    ward.target.now(Act::Fails);
    ward.checked(2).await;
    let snapshot = ward.health.snapshot();
    assert_eq!((snapshot.consecutive_successes, snapshot.consecutive_failures), (0, 2));
    assert_eq!(snapshot.success_rate, Some(tower_failover::Ratio::percent(90)));
    assert_eq!(snapshot.last_error.unwrap().as_str(), "connection refused");
    assert_eq!(snapshot.grade, Grade::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_lost_share_of_checks_is_degraded() {
    let ward = Ward::new(ANSWERS, EXACT);
    for round in 0..10 {
        ward.target.now(if round % 3 == 2 { Act::Fails } else { ANSWERS });
        ward.checked(1).await;
        ward.checked(usize::from(round < 5)).await;
    }
    let changes = ward.diary.changes();
    assert_eq!(ward.diary.grades()[..2], [Grade::Healthy, Grade::Degraded], "{changes:?}");
    let reason = changes[1].reason();
    assert!(reason.ends_with("% of the last checks were good"), "{reason}");
    assert!(ward.health.refusal().is_none(), "who is degraded answers");
}
