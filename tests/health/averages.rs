//! What is usual for a target, and one check that was not.

use tokio::time::advance;
use tower_failover::health::{Grade, Health};

use crate::support::{Act, EXACT, MILLISECOND, SECOND, Ward};

#[tokio::test(start_paused = true)]
async fn one_quick_check_among_the_first_ten_does_no_harm() {
    for quick in 1..10 {
        let health = Health::builder("told").policy(EXACT).build();
        for check in 0..600 {
            health.succeeded(if check == quick { MILLISECOND / 2 } else { 10 * MILLISECOND });
            assert_eq!(health.grade(), Grade::Healthy, "check {check}, quick {quick}");
            advance(SECOND).await;
        }
        let baseline = health.snapshot().baseline.unwrap();
        assert!(baseline > 8 * MILLISECOND, "{baseline:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_check_that_had_to_connect_does_not_degrade() {
    let health = Health::builder("told").policy(EXACT).build();
    health.succeeded(200 * MILLISECOND);
    for _ in 0..30 {
        advance(SECOND).await;
        health.succeeded(15 * MILLISECOND);
        assert_eq!(health.grade(), Grade::Healthy, "{:?}", health.snapshot());
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_baseline_is_learned_anew_on_a_quicker_machine() {
    let health = Health::builder("told").policy(EXACT).build();
    for _ in 0..30 {
        health.succeeded(200 * MILLISECOND);
        advance(SECOND).await;
    }
    health.forget_baseline();
    for _ in 0..30 {
        health.succeeded(10 * MILLISECOND);
        assert_eq!(health.grade(), Grade::Healthy, "{:?}", health.snapshot());
        advance(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn targets_whose_latency_never_changes_are_not_degraded_for_good() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut normal = || {
        let (u, v) = (1.0 - random.f64(), random.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    for _ in 0..200 {
        let health = Health::builder("told").policy(EXACT).build();
        let mut good = 0;
        for check in 0..600 {
            health.succeeded((10 * MILLISECOND).mul_f64((0.5 * normal()).exp()));
            advance(SECOND).await;
            good += u32::from(check >= 300 && health.grade() == Grade::Healthy);
        }
        assert!(good > 0, "{:?}", health.snapshot());
    }
}

#[tokio::test(start_paused = true)]
async fn one_slow_check_is_no_slow_target_whatever_the_interval() {
    for seconds in [1_u32, 2, 5, 10, 60] {
        let policy = EXACT.interval(seconds * SECOND);
        let ward = Ward::new(Act::Answers(10 * MILLISECOND), policy);
        ward.checked(30).await;
        ward.target.now(Act::Answers(200 * MILLISECOND));
        ward.checked(1).await;
        ward.target.now(Act::Answers(10 * MILLISECOND));
        ward.checked(5).await;
        assert_eq!(ward.diary.grades(), [Grade::Healthy], "every {seconds} s");
        if seconds <= 10 {
            ward.target.now(Act::Answers(200 * MILLISECOND));
            ward.checked(8).await;
            assert_eq!(ward.health.grade(), Grade::Degraded, "several are");
        }
    }
}
