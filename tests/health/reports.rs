//! A target without a monitor knows what it is told.

use tower_failover::health::{Grade, Health};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Ward};

#[tokio::test(start_paused = true)]
async fn reports_count_like_checks() {
    let health = Health::builder("told").policy(EXACT).build();
    health.succeeded(SECOND);
    health.failed("one");
    let error: &dyn std::error::Error = &std::io::Error::other("two");
    health.failed(error);
    assert_eq!(health.grade(), Grade::Healthy);
    health.failed(format!("three of {}", 3));
    assert_eq!(health.refusal().unwrap().reason(), "three of 3");
    health.succeeded(SECOND);
    assert_eq!(health.grade(), Grade::Unhealthy);
    health.succeeded(SECOND);
    assert_eq!(health.grade(), Grade::Healthy);
    assert_eq!(health.snapshot().last_check, None, "nobody checked");
}

#[tokio::test(start_paused = true)]
async fn down_counts_at_once_and_so_does_up_without_a_monitor() {
    let health = Health::builder("told").policy(EXACT.fall(9).rise(9)).build();
    health.down("unplugged");
    assert_eq!(health.grade(), Grade::Unhealthy);
    health.up();
    assert_eq!(health.grade(), Grade::Healthy);
}

#[tokio::test(start_paused = true)]
async fn with_a_monitor_bad_news_is_believed_and_good_news_is_checked() {
    let ward = Ward::new(ANSWERS, EXACT.interval(60 * SECOND).rise(2));
    ward.checked(1).await;
    ward.health.down("said to be down");
    assert_eq!(ward.health.grade(), Grade::Unhealthy);
    ward.target.now(Act::Fails);
    ward.health.up();
    assert_eq!(ward.health.grade(), Grade::Unhealthy);
    ward.checked(1).await;
    assert_eq!(ward.target.probes(), 2, "checked at once");
    assert_eq!(ward.health.grade(), Grade::Unhealthy);
    ward.target.now(ANSWERS);
    for left in [1, 0] {
        ward.health.up();
        ward.checked(1).await;
        let expected = if left == 0 { Grade::Healthy } else { Grade::Unhealthy };
        assert_eq!(ward.health.grade(), expected);
    }
    assert!(ward.target.times()[3] - ward.target.times()[0] < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_baseline_is_learned_anew() {
    let ward = Ward::new(Act::Answers(10 * MILLISECOND), EXACT);
    ward.checked(20).await;
    ward.target.now(Act::Answers(100 * MILLISECOND));
    ward.checked(10).await;
    assert_eq!(ward.health.grade(), Grade::Degraded);
    ward.health.forget_baseline();
    ward.checked(5).await;
    assert_eq!(ward.health.grade(), Grade::Healthy);
    assert!(ward.health.snapshot().baseline.unwrap() >= 100 * MILLISECOND);
}
