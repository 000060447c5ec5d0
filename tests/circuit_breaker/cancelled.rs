//! Promise 6: cancelled calls follow a policy; panics of the inner service are failures.

use std::{future::pending, panic::AssertUnwindSafe};

use futures::FutureExt;
use tokio::time::timeout;
use tower_failover::{
    BoxError, ErrorsAreFailures, Outcome,
    circuit_breaker::{Cancelled, Circuit, CircuitBreaker, Policy, State},
};

use crate::{
    FRAGILE, MILLISECOND, SECOND,
    backend::{Backend, Readiness, Work},
    call, circuit,
};

const POLICY: Policy = Policy::consecutive(3);

/// Calls a hung backend this often, each time with an outer timeout of a second.
async fn cancel(circuit: &Circuit, times: usize) -> usize {
    let backend = Backend::new(Work::Hangs);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for _ in 0..times {
        let _ = timeout(SECOND, call(&mut service)).await;
    }
    backend.called.get()
}

#[tokio::test(start_paused = true)]
async fn promise_6_cancelled_calls_are_ignored_by_default() {
    let circuit = circuit(POLICY);
    assert_eq!(cancel(&circuit, 50).await, 50);
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn promise_6_cancelled_calls_count_if_the_policy_says_so() {
    let circuit = circuit(POLICY.cancelled(Cancelled::Failure));
    assert_eq!(cancel(&circuit, 50).await, 3, "hung backend, 50 timeouts");
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_6_cancelled_calls_count_from_a_given_time_on() {
    let late = circuit(POLICY.cancelled(Cancelled::FailureAfter(SECOND)));
    assert_eq!(cancel(&late, 50).await, 3);
    let early = circuit(POLICY.cancelled(Cancelled::FailureAfter(SECOND + MILLISECOND)));
    assert_eq!(cancel(&early, 50).await, 50);
    assert_eq!(early.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_6_every_policy_holds_for_permits_and_for_futures_without_tower() {
    for (policy, opens) in [(Cancelled::Ignored, false), (Cancelled::Failure, true)] {
        let by_permit = circuit(FRAGILE.cancelled(policy));
        drop(by_permit.permit().unwrap());
        assert_eq!(by_permit.state() == State::Open, opens, "{policy:?}");

        let by_call = circuit(FRAGILE.cancelled(policy));
        drop(by_call.call(pending::<Result<(), BoxError>>()));
        assert_eq!(by_call.state(), State::Closed, "never polled, so never asked: {policy:?}");
        let _ = timeout(SECOND, by_call.call(pending::<Result<(), BoxError>>())).await;
        assert_eq!(by_call.state() == State::Open, opens, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_call_that_ended_is_not_cancelled_when_dropped() {
    let circuit = circuit(FRAGILE.cancelled(Cancelled::Failure));
    let mut service = CircuitBreaker::new(Backend::new(Work::Succeeds), circuit.clone());
    for _ in 0..10 {
        call(&mut service).await.unwrap();
    }
    circuit.permit().unwrap().success();
    circuit.permit().unwrap().ignore();
    circuit.call(async { Ok::<_, BoxError>(()) }).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_cancelled_probe_follows_the_policy_too() {
    let circuit = crate::half_opened(FRAGILE.cancelled(Cancelled::Failure)).await;
    drop(circuit.permit().unwrap());
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_6_panics_count_whatever_is_said_of_cancelled_calls() {
    for work in [Work::PanicsInCall, Work::PanicsInPoll] {
        let circuit = circuit(POLICY.cancelled(Cancelled::Ignored));
        let backend = Backend::new(work);
        let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
        for _ in 0..100 {
            let _ = AssertUnwindSafe(call(&mut service)).catch_unwind().await;
        }
        assert_eq!(backend.called.get(), 3);
        assert_eq!(circuit.state(), State::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_panics_in_poll_ready_count() {
    let circuit = circuit(POLICY);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Panics);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for _ in 0..100 {
        let _ = AssertUnwindSafe(call(&mut service)).catch_unwind().await;
    }
    assert_eq!(backend.polled.get(), 3);
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_6_panics_of_futures_without_tower_count() {
    let circuit = circuit(POLICY);
    for _ in 0..3 {
        let panics = circuit.call(async { panic!("in a future") as Result<(), BoxError> });
        assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    }
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_the_classifier_ignores_is_neither_good_nor_bad() {
    let circuit = circuit(POLICY);
    let ignore = |_: &Result<usize, BoxError>| Outcome::Ignored;
    let backend = Backend::new(Work::Fails);
    let mut ignoring = CircuitBreaker::new(backend.clone(), circuit.clone()).classify(ignore);
    let mut counting = CircuitBreaker::new(backend, circuit.clone()).classify(ErrorsAreFailures);
    for failures in 1..=3 {
        assert_eq!(circuit.state(), State::Closed);
        for _ in 0..100 {
            call(&mut ignoring).await.unwrap_err();
        }
        call(&mut counting).await.unwrap_err();
        assert!(failures == 3 || circuit.snapshot().consecutive_failures == failures);
    }
    assert_eq!(circuit.state(), State::Open);
}
