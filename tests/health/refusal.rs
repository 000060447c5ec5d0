//! What a refused caller is told: since when, why, and when to come back.

use std::error::Error;

use tokio::time::{advance, sleep};
use tower_failover::{
    BoxError,
    gate::Guard,
    health::{Grade, Health, Unhealthy, WhileUnknown},
};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Ward};

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_refusal_says_since_when_why_and_when_to_come_back() {
    let ward = Ward::new(ANSWERS, EXACT.rise(3));
    ward.checked(3).await;
    ward.target.now(Act::Fails);
    ward.checked(3).await;
    let unhealthy = ward.health.refusal().unwrap();
    assert_eq!((unhealthy.target(), unhealthy.grade()), ("target", Grade::Unhealthy));
    assert_eq!(unhealthy.reason(), "connection refused");
    assert!(unhealthy.since() <= 2 * MILLISECOND, "{:?}", unhealthy.since());
    let near = |wait: std::time::Duration, seconds: u32| {
        let until = SECOND * seconds;
        assert!((until - 5 * MILLISECOND..=until).contains(&wait), "{wait:?}, not {until:?}");
    };
    near(unhealthy.retry_after().unwrap(), 3);
    let text = unhealthy.to_string();
    let told = "target has been unhealthy for 0ns (connection refused): back in 3s at the earliest";
    assert_eq!(text, told);

    // Who comes back then is let in.
    ward.target.now(ANSWERS);
    let wait = unhealthy.retry_after().unwrap();
    sleep(wait - 10 * MILLISECOND).await;
    assert_eq!(ward.health.refusal().unwrap().since(), wait - 10 * MILLISECOND);
    assert!(unhealthy.retry_after().unwrap() <= 10 * MILLISECOND, "counted from now");
    sleep(12 * MILLISECOND).await;
    assert!(ward.health.refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_good_checks_bring_the_return_nearer() {
    let ward = Ward::new(Act::Fails, EXACT.rise(4));
    ward.checked(1).await;
    let waits = |ward: &Ward| {
        let wait = ward.health.refusal().unwrap().retry_after().unwrap();
        (wait.as_secs_f64() + 0.01).floor()
    };
    assert_eq!(waits(&ward), 4.0);
    ward.target.now(ANSWERS);
    for left in [3.0, 2.0, 1.0] {
        ward.checked(1).await;
        assert_eq!(waits(&ward), left, "{:?}", ward.health.snapshot());
    }
    ward.checked(1).await;
    assert!(ward.health.refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_monitor_nobody_knows_when_it_is_back() {
    let health = Health::new("alone");
    health.down("unplugged");
    advance(7 * SECOND).await;
    let unhealthy = health.refusal().unwrap();
    assert_eq!((unhealthy.retry_after(), unhealthy.since()), (None, 7 * SECOND));
    assert_eq!(unhealthy.to_string(), "alone has been unhealthy for 7s (unplugged)");
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_while_unknown_it_passes_or_refuses_as_chosen() {
    for (calls, refuses) in
        [(WhileUnknown::Pass, false), (WhileUnknown::Wait, true), (WhileUnknown::Refuse, true)]
    {
        let health = Health::builder("new").policy(EXACT.while_unknown(calls)).build();
        assert_eq!(health.refusal().is_some(), refuses, "{calls:?}");
        assert_eq!(Guard::admit(&health, &()).is_err(), refuses, "{calls:?}");
        if let Some(unhealthy) = health.refusal() {
            assert_eq!(unhealthy.grade(), Grade::Unknown);
            assert_eq!(unhealthy.reason(), "not checked yet");
        }
        health.succeeded(SECOND);
        assert!(health.refusal().is_none());
    }
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_found_among_the_sources_of_an_error() {
    let health = Health::new("deep");
    health.down("unplugged");
    let error = Wrapped(Wrapped(health.refusal().unwrap().into()).into());
    assert_eq!(Unhealthy::find(&error).unwrap().target(), "deep");
    assert!(Unhealthy::find(&std::io::Error::other("no")).is_none());
}
