//! Promise 10, first half: a forced state lasts until it is released, or until its own end.

use tokio::time::advance;
use tower_failover::{
    circuit_breaker::{Circuit, CircuitBreaker, State},
    event::History,
};

use crate::{
    FRAGILE, MILLISECOND, SECOND,
    backend::{Backend, Work},
    call, circuit, fail, half_opened, refusal, succeed,
};

#[tokio::test(start_paused = true)]
async fn promise_10_forced_open_lasts_until_it_is_released() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    circuit.force_open();
    for _ in 0..100 {
        assert!(refusal(&call(&mut service).await).is_some());
        advance(3_600 * SECOND).await;
        circuit.reset();
        circuit.set_policy(FRAGILE).unwrap();
        assert_eq!(circuit.state(), State::ForcedOpen);
    }
    circuit.release();
    assert_eq!(circuit.state(), State::Closed);
    call(&mut service).await.unwrap();
    assert_eq!(backend.called.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_10_forced_open_ends_at_its_own_end_and_no_earlier() {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(60 * SECOND);
    advance(60 * SECOND - MILLISECOND).await;
    assert!(circuit.permit().is_err());
    assert_eq!(circuit.state(), State::ForcedOpen);
    advance(MILLISECOND).await;
    assert!(!circuit.permit().unwrap().is_probe());
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_10_forced_closed_lets_everything_pass_and_counts_nothing() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Fails);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    circuit.force_closed();
    for _ in 0..1_000 {
        call(&mut service).await.unwrap_err();
    }
    advance(3_600 * SECOND).await;
    call(&mut service).await.unwrap_err();
    assert_eq!(backend.called.get(), 1_001);
    assert_eq!(circuit.state(), State::ForcedClosed);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
    circuit.release();
    assert_eq!(circuit.state(), State::Closed);
    call(&mut service).await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_10_forced_closed_ends_at_its_own_end() {
    let circuit = circuit(FRAGILE);
    circuit.force_closed_for(SECOND);
    (0..10).for_each(|_| fail(&circuit));
    advance(SECOND - MILLISECOND).await;
    fail(&circuit);
    assert_eq!(circuit.state(), State::ForcedClosed);
    advance(MILLISECOND).await;
    fail(&circuit);
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_10_the_last_hand_counts_whatever_the_state() {
    type Act = fn(&Circuit);
    let acts: [(Act, State); 6] = [
        (Circuit::force_open, State::ForcedOpen),
        (|circuit| circuit.force_open_for(SECOND), State::ForcedOpen),
        (Circuit::force_closed, State::ForcedClosed),
        (|circuit| circuit.force_closed_for(SECOND), State::ForcedClosed),
        (Circuit::metrics_only, State::MetricsOnly),
        (|circuit| circuit.metrics_only_for(SECOND), State::MetricsOnly),
    ];
    for (first, _) in acts {
        for (second, state) in acts {
            let half_open = half_opened(FRAGILE).await;
            let probe = half_open.permit().unwrap();
            first(&half_open);
            second(&half_open);
            assert_eq!(half_open.state(), state);
            probe.failure();
            assert_eq!(half_open.state(), state);
            assert_eq!(half_open.permit().is_err(), state == State::ForcedOpen);
            half_open.release();
            assert_eq!(half_open.state(), State::Closed);
            succeed(&half_open);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_10_a_hand_that_forces_again_takes_the_end_away_or_sets_it() {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(SECOND);
    circuit.force_open();
    advance(60 * SECOND).await;
    assert_eq!(circuit.state(), State::ForcedOpen);
    circuit.force_open_for(SECOND);
    advance(SECOND).await;
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_10_release_and_reset_of_an_automatic_circuit() {
    let circuit = circuit(FRAGILE);
    fail(&circuit);
    circuit.release();
    assert_eq!(circuit.state(), State::Open, "nothing was forced");
    circuit.reset();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_10_printing_a_circuit_changes_nothing_and_tells_nobody() {
    let history = History::new(8);
    let circuit = Circuit::builder("backend").observe(history.clone()).build();
    circuit.force_open_for(SECOND);
    advance(2 * SECOND).await;
    assert!(format!("{circuit:?}").contains("ForcedOpen"));
    assert_eq!(history.transitions().len(), 1);
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(history.transitions().len(), 2);
}
