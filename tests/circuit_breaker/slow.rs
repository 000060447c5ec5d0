//! Promise 9: a slow success in half-open does not close a circuit that opened for slowness.

use tokio::time::advance;
use tower_failover::{
    Backoff, Ratio,
    circuit_breaker::{Circuit, CircuitBreaker, Policy, Rate, State, Window},
    event::{Cause, History},
};

use crate::{
    SECOND,
    backend::{Backend, Work},
    call,
};

const POLICY: Policy = Policy::manual()
    .slow_calls(SECOND, Rate::new(Ratio::percent(50), Window::Calls(4)))
    .open_for(Backoff::fixed(SECOND))
    .probe_deadline(Backoff::fixed(SECOND).longest().saturating_mul(30));

#[tokio::test(start_paused = true)]
async fn promise_9_a_backend_that_is_always_slow_does_not_make_it_flap() {
    let history = History::new(1_000);
    let circuit = Circuit::builder("backend").policy(POLICY).observe(history.clone()).build();
    let backend = Backend::new(Work::Takes(2 * SECOND));
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for calls in 0..4 {
        assert_eq!(circuit.state(), State::Closed, "after {calls}");
        call(&mut service).await.unwrap();
    }
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(history.transitions()[0].cause(), Cause::SlowCallRate);
    for _ in 0..50 {
        advance(SECOND).await;
        call(&mut service).await.expect("a slow probe is still an answer");
        assert_eq!(circuit.state(), State::Open);
    }
    let closings = history.transitions().iter().filter(|t| t.to() == State::Closed).count();
    assert_eq!(closings, 0);
    assert_eq!(history.transitions().last().unwrap().cause(), Cause::ProbeSlow);

    backend.now(Work::Takes(SECOND / 2));
    advance(SECOND).await;
    call(&mut service).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_call_is_slow_from_the_threshold_on_and_a_failure_may_be_slow() {
    for (takes, slow) in [(SECOND - crate::MILLISECOND, false), (SECOND, true)] {
        for failed in [false, true] {
            let circuit = crate::circuit(POLICY);
            for _ in 0..4 {
                let permit = circuit.permit().unwrap();
                advance(takes).await;
                if failed { permit.failure() } else { permit.success() }
            }
            assert_eq!(circuit.state() == State::Open, slow, "{takes:?}, failed: {failed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_without_a_slow_call_rate_a_slow_probe_closes_it() {
    let circuit = crate::half_opened(crate::FRAGILE.probe_deadline(60 * SECOND)).await;
    let probe = circuit.permit().unwrap();
    advance(59 * SECOND).await;
    probe.success();
    assert_eq!(circuit.state(), State::Closed);
}
