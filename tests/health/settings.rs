//! Settings, and their replacement while it runs.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_failover::health::{Grade, Health, Policy, Unhealthy, WhileUnknown};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Target, Ward};

#[tokio::test(start_paused = true)]
async fn a_new_interval_counts_from_the_last_check() {
    let ward = Ward::new(ANSWERS, EXACT.interval(3_600 * SECOND));
    ward.checked(1).await;
    sleep(10 * SECOND).await;
    let changed = Instant::now();
    ward.health.set_policy(EXACT.interval(12 * SECOND)).unwrap();
    ward.target.probed(2).await;
    let waited = changed.elapsed();
    assert!(waited <= 2 * SECOND && waited > SECOND, "{waited:?}");
    ward.health.set_policy(EXACT.interval(5 * SECOND)).unwrap();
    ward.target.probed(4).await;
    let times = ward.target.times();
    assert!(times[3] - times[2] <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn new_thresholds_hold_from_the_next_check_on() {
    let ward = Ward::new(ANSWERS, EXACT.fall(1_000));
    ward.checked(1).await;
    ward.target.now(Act::Fails);
    ward.checked(5).await;
    assert_ne!(ward.health.grade(), Grade::Unhealthy);
    ward.health.set_policy(EXACT.fall(6)).unwrap();
    assert_ne!(ward.health.grade(), Grade::Unhealthy);
    ward.checked(1).await;
    assert_eq!(ward.health.grade(), Grade::Unhealthy);
    assert_eq!(ward.health.policy(), EXACT.fall(6));
}

#[tokio::test(start_paused = true)]
async fn who_is_unknown_may_pass_as_soon_as_the_settings_say_so() {
    let health = Health::builder("new").policy(EXACT.while_unknown(WhileUnknown::Refuse)).build();
    assert!(health.refusal().as_ref().map(Unhealthy::grade) == Some(Grade::Unknown));
    health.set_policy(EXACT).unwrap();
    assert!(health.refusal().is_none());
    health.set_policy(EXACT.while_unknown(WhileUnknown::Wait)).unwrap();
    assert!(health.refusal().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bad_setting_changes_nothing_and_is_named() {
    let ward = Ward::new(ANSWERS, EXACT);
    let error = ward.health.set_policy(EXACT.timeout(2 * SECOND)).unwrap_err();
    assert_eq!((error.field(), error.value()), ("timeout", "2s"));
    assert_eq!(ward.health.policy(), EXACT);
    let builder = || Health::builder("bad").policy(Policy::new().fall(0));
    let error = builder().try_build().unwrap_err();
    assert_eq!(error.to_string(), "health policy: fall is 0, allowed is 1 to 1,000");
    let error = builder().probe(Target::new(ANSWERS)).try_monitor().unwrap_err();
    assert_eq!(error.field(), "fall");
}

#[test]
#[should_panic(expected = "health policy: interval is 0ns, allowed is 1 ms to 24 h")]
fn a_bad_literal_panics() {
    let _ = Health::builder("bad").policy(Policy::new().interval(Duration::ZERO)).build();
}

#[tokio::test(start_paused = true)]
async fn the_shortest_interval_there_is_leaves_room_for_others() {
    let ward = Ward::new(ANSWERS, EXACT.interval(MILLISECOND).timeout(MILLISECOND));
    sleep(SECOND).await;
    let probes = ward.target.probes();
    assert!((500..=2_000).contains(&probes), "{probes} checks in a second");
}
