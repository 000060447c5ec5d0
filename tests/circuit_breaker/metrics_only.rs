//! Metrics-only: everything passes, everything counts, and what would have happened is told.

use tokio::time::advance;
use tower_failover::{
    circuit_breaker::{Circuit, CircuitBreaker, State},
    event::{Cause, History},
};

use crate::{
    FRAGILE, SECOND,
    backend::{Backend, Work},
    call, circuit, fail, succeed,
};

#[tokio::test(start_paused = true)]
async fn metrics_only_lets_everything_pass_and_tells_what_would_have_happened() {
    let history = History::new(16);
    let circuit = Circuit::builder("backend").policy(FRAGILE).observe(history.clone()).build();
    circuit.metrics_only();
    let backend = Backend::new(Work::Fails);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for _ in 0..100 {
        call(&mut service).await.unwrap_err();
        assert_eq!(circuit.state(), State::MetricsOnly);
    }
    assert_eq!(backend.called.get(), 100);
    backend.now(Work::Succeeds);
    advance(SECOND).await;
    call(&mut service).await.unwrap();
    assert_eq!(circuit.state(), State::MetricsOnly);

    let told: Vec<_> = history.transitions();
    assert!(!told[0].is_metrics_only(), "that it was forced is a fact: {}", told[0]);
    use State::{Closed, HalfOpen, Open};
    let would: Vec<_> = told[1..].iter().map(|t| (t.from(), t.to(), t.cause())).collect();
    assert_eq!(
        would,
        [
            (Closed, Open, Cause::ConsecutiveFailures),
            (Open, HalfOpen, Cause::OpenTimeOver),
            (HalfOpen, Closed, Cause::ProbesSucceeded),
        ]
    );
    assert!(told[1..].iter().all(|transition| transition.is_metrics_only()));
    assert!(told[1].to_string().contains("metrics only"), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn metrics_only_counts_and_never_refuses_whatever_the_probes_do() {
    let circuit = circuit(FRAGILE.consecutive_failures(3));
    circuit.metrics_only();
    fail(&circuit);
    fail(&circuit);
    assert_eq!(circuit.snapshot().consecutive_failures, 2);
    fail(&circuit);
    advance(SECOND).await;
    let all: Vec<_> = (0..1_000).map(|_| circuit.permit().unwrap()).collect();
    advance(60 * SECOND).await;
    drop(all);
    succeed(&circuit);
    assert_eq!(circuit.retry_after(), Some(std::time::Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn metrics_only_ends_at_its_own_end_or_when_released() {
    let circuit = circuit(FRAGILE);
    circuit.metrics_only_for(SECOND);
    fail(&circuit);
    succeed(&circuit);
    advance(SECOND).await;
    assert_eq!(circuit.state(), State::Closed);
    fail(&circuit);
    assert_eq!(circuit.state(), State::Open);
    circuit.metrics_only();
    advance(60 * SECOND).await;
    assert_eq!(circuit.state(), State::MetricsOnly);
    circuit.release();
    assert_eq!(circuit.state(), State::Closed);
}
