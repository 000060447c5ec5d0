//! Calls that wait until the target is back.

mod circuit;
mod ends;
mod model;
mod places;
mod readiness;

use std::time::Duration;

use futures::{FutureExt, future::poll_fn};
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt};
use tower_failover::health::{Health, HealthGateLayer, hold::HoldLayer};

use crate::{
    MILLISECOND, SECOND,
    backend::{Backend, Count, Work},
    call, healthy, refusal, rise, unhealthy,
};

pub(crate) fn hold(health: &Health, limit: Duration, at_most: usize) -> HoldLayer {
    HealthGateLayer::new(health.clone()).hold_for(limit, at_most)
}

/// Counts how often a future is polled.
async fn counted<F: Future>(future: F, polls: Count) -> F::Output {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        polls.add();
        future.as_mut().poll(cx)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_waits_and_is_woken_when_health_returns() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    let mut held = task::spawn(service.call(()));
    assert_pending!(held.poll());
    advance(SECOND / 2).await;
    assert!(!held.is_woken());
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0), "it is unhealthy");
    rise(&health);
    assert!(held.is_woken(), "nobody told the call that waits");
    assert_eq!(assert_ready!(held.poll()).unwrap(), 0);
    assert_eq!((backend.polled.get(), backend.called.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_thousand_held_calls_cost_no_polls_and_are_all_served() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let service = hold(&health, 60 * SECOND, 1_000).layer(backend.clone());
    let polls = Count::default();
    let held: Vec<_> = (0..1_000)
        .map(|_| tokio::spawn(counted(service.clone().oneshot(()), polls.clone())))
        .collect();
    while polls.get() < 1_000 {
        tokio::task::yield_now().await;
    }
    for _ in 0..50 {
        sleep(SECOND).await;
        health.failed("still broken");
    }
    assert_eq!(polls.get(), 1_000, "who waits is left alone");
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
    let back = Instant::now();
    rise(&health);
    for call in held {
        call.await.unwrap().unwrap();
    }
    assert_eq!(back.elapsed(), Duration::ZERO);
    assert_eq!((polls.get(), backend.called.get()), (2_000, 1_000));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_call_is_held_no_longer_than_the_limit() {
    for limit in [Duration::ZERO, MILLISECOND, SECOND, 3_600 * SECOND] {
        let health = unhealthy();
        let backend = Backend::new(Work::Succeeds);
        let mut service = hold(&health, limit, 1).layer(backend.clone());
        let begun = Instant::now();
        let answer = timeout(limit + SECOND, call(&mut service)).await.expect("the limit ends it");
        assert_eq!(refusal(&answer).unwrap().reason(), "the disk is full");
        let held = begun.elapsed();
        assert!(held >= limit && held <= limit + 2 * MILLISECOND, "{limit:?}: {held:?}");
        assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_target_is_well_calls_run_in_place_and_need_no_place_and_no_timer() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 0).layer(backend.clone());
    for n in 0..100 {
        assert_eq!(call(&mut service).now_or_never().unwrap().unwrap(), n);
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (100, 100));
}

#[test]
fn a_call_that_is_not_held_needs_no_runtime() {
    let mut service = hold(&healthy(), SECOND, 1).layer(Backend::new(Work::Succeeds));
    call(&mut service).now_or_never().unwrap().unwrap();
}
