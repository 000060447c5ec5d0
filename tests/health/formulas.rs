//! How long it takes to notice that a target stopped or began to answer, by its settings alone.

use std::{cell::Cell, time::Duration};

use proptest::{prelude::*, test_runner::TestRunner};
use tokio::time::{Instant, sleep};
use tower_failover::{
    Ratio,
    health::{Grade, Policy},
};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Ward, paused};

/// What happened in one case, as shares of what the formulas allow.
struct Found {
    detected: f64,
    recovered: f64,
    probes: usize,
}

/// A target falls in this way at this share of an interval after a check began, and is up again at
/// another.
async fn fall_and_rise(policy: Policy, interval: Duration, act: Act, phases: (f64, f64)) -> Found {
    let ward = Ward::new(ANSWERS, policy);
    ward.target.probed(3).await;
    assert_eq!(ward.health.grade(), Grade::Healthy);
    sleep(interval.mul_f64(phases.0)).await;
    let (fallen, before) = (Instant::now(), ward.target.probes());
    ward.target.now(act);
    let detected = ward.diary.hears(Grade::Unhealthy, fallen).await - fallen;
    let probes = ward.target.probes() - before;
    assert!(detected <= policy.detects_within(), "{detected:?}, {policy:?}");

    ward.target.probed(ward.target.probes() + 2).await;
    sleep(interval.mul_f64(phases.1)).await;
    let risen = Instant::now();
    ward.target.now(ANSWERS);
    let recovered = ward.diary.hears(Grade::Healthy, risen).await - risen;
    assert!(recovered <= policy.recovers_within(), "{recovered:?}, {policy:?}");
    let share = |of: Duration, whole: Duration| of.as_secs_f64() / whole.as_secs_f64();
    Found {
        detected: share(detected, policy.detects_within()),
        recovered: share(recovered, policy.recovers_within()),
        probes,
    }
}

#[test]
fn health_promise_4_detection_and_recovery_take_no_longer_than_the_formulas_say() {
    let settings = (
        (1_u32..6, 1_u32..6),
        (5_u64..5_000, 0.0..=1.0_f64, 0_u32..=50),
        prop_oneof![
            Just(Act::Fails),
            Just(Act::Hangs),
            Just(Act::PanicsWhenCalled),
            Just(Act::PanicsWhenPolled),
            Just(Act::PanicsWhenDropped),
        ],
        (0.0..1.0_f64, 0.0..1.0_f64),
    );
    let (cases, latest) = (Cell::new(0), Cell::new((0.0_f64, 0.0_f64)));
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    TestRunner::new(config)
        .run(&settings, |((fall, rise), (millis, timeout, jitter), act, phases)| {
            let interval = Duration::from_millis(millis);
            let policy = Policy::new()
                .interval(interval)
                .timeout(interval.mul_f64(timeout).max(MILLISECOND))
                .jitter(Ratio::percent(jitter))
                .fall(fall)
                .rise(rise);
            let found = paused(fall_and_rise(policy, interval, act, phases));
            assert!(found.probes >= fall as usize, "{} checks", found.probes);
            let (detected, recovered) = latest.get();
            latest.set((detected.max(found.detected), recovered.max(found.recovered)));
            cases.set(cases.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(cases.get() >= 300);
    let (detected, recovered) = latest.get();
    assert!(detected > 0.8 && recovered > 0.6, "far from the limit: {detected}, {recovered}");
}

#[test]
fn health_promise_4_the_formula_of_detection_is_reached() {
    for (fall, act) in [(1, Act::Hangs), (3, Act::Hangs), (5, Act::Hangs)] {
        let policy = EXACT.fall(fall);
        let found = paused(fall_and_rise(policy, SECOND, act, (0.001, 0.5)));
        assert_eq!(found.probes, fall as usize);
        assert!(found.detected > 0.99, "{} of {:?}", found.detected, policy.detects_within());
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_five_times_the_baseline_is_degraded_within_ten_seconds() {
    let usual = Duration::from_millis(10);
    let ward = Ward::new(Act::Answers(usual), Policy::new());
    ward.target.probed(30).await;
    assert_eq!(ward.health.grade(), Grade::Healthy);
    for round in 0..3 {
        let slowed = Instant::now();
        ward.target.now(Act::Answers(5 * usual));
        let took = ward.diary.hears(Grade::Degraded, slowed).await - slowed;
        assert!(took <= 10 * SECOND, "{took:?} in round {round}");
        let snapshot = ward.health.snapshot();
        assert!(snapshot.latency.unwrap() > 3 * usual, "{snapshot:?}");
        assert!(snapshot.reason.as_str().starts_with("takes "), "{snapshot:?}");

        let quick = Instant::now();
        ward.target.now(Act::Answers(usual));
        let took = ward.diary.hears(Grade::Healthy, quick).await - quick;
        assert!(took <= 10 * SECOND, "{took:?} in round {round}");
    }
    assert_eq!(ward.diary.grades().len(), 7, "{:?}", ward.diary.grades());
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_flapping_below_fall_changes_nothing() {
    let ward = Ward::new(ANSWERS, EXACT.success_floor(Ratio::percent(0)));
    for _ in 0..50 {
        ward.checked(1).await;
        ward.target.now(Act::Fails);
        ward.checked(2).await;
        ward.target.now(ANSWERS);
    }
    assert!(ward.target.probes() >= 150);
    assert_eq!(ward.diary.grades(), [Grade::Healthy]);
    assert!(ward.health.snapshot().last_error.is_some(), "nothing failed");
}

#[tokio::test(start_paused = true)]
async fn checks_begin_an_interval_apart_however_long_they_take() {
    for took in [Duration::ZERO, SECOND / 4, SECOND] {
        let ward = Ward::new(Act::Answers(took), EXACT);
        ward.target.probed(20).await;
        let times = ward.target.times();
        for pair in times.windows(2) {
            let apart = pair[1] - pair[0];
            let least = SECOND - 3 * MILLISECOND;
            assert!((least..=SECOND).contains(&apart), "{apart:?} after checks of {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_only_shortens_and_spreads() {
    let ward = Ward::new(ANSWERS, Policy::new().jitter(Ratio::percent(50)));
    ward.target.probed(400).await;
    let times = ward.target.times();
    let apart: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (shortest, longest) = (apart.iter().min().unwrap(), apart.iter().max().unwrap());
    assert!(*longest <= SECOND && *longest > SECOND * 9 / 10, "{longest:?}");
    assert!(*shortest >= SECOND * 49 / 100 && *shortest < SECOND * 6 / 10, "{shortest:?}");
}
