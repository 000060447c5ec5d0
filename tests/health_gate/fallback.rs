//! Fallbacks that ask for health.

use std::{sync::Arc, task::Poll, time::Duration};

use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_failover::{
    FallbackLayer,
    event::Event,
    fallback::{Retries, Served, Source, Value},
    health::HealthGateLayer,
};

use crate::{
    SECOND,
    backend::{Backend, Count, Readiness, Work},
    call, fall, healthy, rise, unhealthy,
};

/// What a backend never answers.
const FALLBACK: usize = 1_000_000;

fn fallback() -> FallbackLayer<Value<Arc<usize>>> {
    FallbackLayer::new(Value::of(FALLBACK))
}

fn source(served: &Served<usize>) -> (Source, usize) {
    (served.source(), *served.value())
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_the_strategy_answers_and_the_target_is_neither_polled_nor_called()
 {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let told = Count::default();
    let counted = told.clone();
    let layer = fallback().by_health(health.clone()).served().observe(move |event: &Event<'_>| {
        if matches!(event, Event::FellBack { .. }) {
            counted.add();
        }
    });
    let mut service = layer.layer(backend.clone());
    for _ in 0..100 {
        let mut call = task::spawn(call(&mut service));
        let Poll::Ready(answer) = call.poll() else { panic!("an unhealthy target was waited for") };
        assert_eq!(source(&answer.unwrap()), (Source::Value, FALLBACK));
    }
    assert_eq!((backend.polled.get(), backend.called.get(), told.get()), (0, 0, 100));

    backend.readiness(Readiness::Ready);
    rise(&health);
    assert_eq!(source(&call(&mut service).await.unwrap()), (Source::Primary, 0));
    assert_eq!((backend.called.get(), told.get()), (1, 100));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_failures_of_a_healthy_target_go_to_the_caller() {
    let backend = Backend::new(Work::Fails);
    let mut service = fallback().by_health(healthy()).layer(backend.clone());
    assert_eq!(call(&mut service).await.unwrap_err().to_string(), "down");
    backend.readiness(Readiness::Fails);
    assert_eq!(call(&mut service).await.unwrap_err().to_string(), "not ready");
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_who_waits_for_the_target_gets_the_fallback_when_health_falls() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let service = fallback().by_health(health.clone()).layer(backend.clone());
    let mut call = task::spawn(service.oneshot(()));
    assert_pending!(call.poll());
    fall(&health);
    assert!(call.is_woken());
    assert_eq!(call.await.unwrap(), FALLBACK);
    assert_eq!(backend.called.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_a_refusal_is_not_tried_again_and_a_failure_is() {
    let health = unhealthy();
    let backend = Backend::new(Work::Fails);
    let layer = fallback().after_retries(Retries::up_to(5)).by_health(health.clone());
    let mut service = layer.layer(backend.clone());
    let begun = tokio::time::Instant::now();
    assert_eq!(call(&mut service).await.unwrap(), FALLBACK);
    assert_eq!((begun.elapsed(), backend.called.get()), (Duration::ZERO, 0));

    rise(&health);
    call(&mut service).await.unwrap_err();
    assert_eq!(backend.called.get(), 6);
    // And health that falls between two tries ends them.
    let fails = health.clone();
    let breaks = tower::service_fn(move |()| {
        fails.down("broken by the call");
        async { Err::<usize, _>(tower_failover::BoxError::from("down")) }
    });
    let layer = fallback().after_retries(Retries::up_to(5)).by_health(health);
    assert_eq!(layer.layer(breaks).oneshot(()).await.unwrap(), FALLBACK);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_a_target_that_hangs_is_answered_for_within_its_budget() {
    let (health, backend) = (healthy(), Backend::new(Work::Hangs));
    let mut service =
        fallback().by_health(health.clone()).inner_within(SECOND).layer(backend.clone());
    let begun = tokio::time::Instant::now();
    assert_eq!(call(&mut service).await.unwrap(), FALLBACK);
    assert!(begun.elapsed() >= SECOND);
    fall(&health);
    assert_eq!(call(&mut service).await.unwrap(), FALLBACK);
    assert_eq!(backend.called.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_only_when_unhealthy_answers_the_refusals_of_a_gate_anywhere_below() {
    let (health, backend) = (healthy(), Backend::new(Work::Fails));
    let mut service = ServiceBuilder::new()
        .layer(fallback().only_when_unhealthy())
        .timeout(60 * SECOND)
        .layer(HealthGateLayer::new(health.clone()).hold_for(SECOND, 1))
        .service(backend.clone());
    assert_eq!(call(&mut service).await.unwrap_err().to_string(), "down");
    fall(&health);
    assert_eq!(call(&mut service).await.unwrap(), FALLBACK);
    backend.now(Work::Hangs);
    rise(&health);
    call(&mut service).await.expect_err("a timeout is not a matter of health");
    assert_eq!(backend.called.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_by_health_the_refusal_of_another_target_goes_to_the_caller() {
    let (mine, other) = (healthy(), tower_failover::health::Health::new("another"));
    other.down("unplugged");
    let inner = HealthGateLayer::new(other).layer(Backend::new(Work::Succeeds));
    let error = fallback().by_health(mine.clone()).layer(inner.clone()).oneshot(()).await;
    let error = error.unwrap_err();
    let unhealthy = tower_failover::health::Unhealthy::find(&*error).unwrap();
    assert_eq!(unhealthy.target(), "another");
    fall(&mine);
    fallback().by_health(mine).layer(inner).oneshot(()).await.unwrap();
}
