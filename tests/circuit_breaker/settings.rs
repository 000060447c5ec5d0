//! Promise 11: settings are replaced at run time without losing state; bad ones are refused.

use std::time::Duration;

use tokio::time::advance;
use tower_failover::{
    Backoff, Ratio,
    circuit_breaker::{Cancelled, Circuit, Policy, Rate, Share, State, Window},
};

use crate::{
    FRAGILE, MILLISECOND, SECOND, await_probe, circuit, fail, fail_until_open, half_opened, succeed,
};

#[tokio::test(start_paused = true)]
async fn promise_11_a_row_of_failures_survives_new_settings() {
    let circuit = circuit(Policy::consecutive(10));
    (0..4).for_each(|_| fail(&circuit));
    circuit.set_policy(Policy::consecutive(5)).unwrap();
    assert_eq!(circuit.snapshot().consecutive_failures, 4);
    assert_eq!(fail_until_open(&circuit), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_11_a_window_survives_another_share() {
    let rate = |percent| Rate::new(Ratio::percent(percent), Window::Calls(10));
    let circuit = circuit(Policy::rate(rate(100)));
    let early = circuit.permit().unwrap();
    (0..5).for_each(|_| succeed(&circuit));
    (0..3).for_each(|_| fail(&circuit));
    circuit.set_policy(Policy::rate(rate(50))).unwrap();
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 3, calls: 8 }));
    early.failure();
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 4, calls: 9 }));
    assert_eq!(fail_until_open(&circuit), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_11_a_window_of_another_shape_starts_anew_and_the_state_stays() {
    let rate = |calls| Rate::new(Ratio::percent(50), Window::Calls(calls));
    let circuit = circuit(Policy::rate(rate(10)));
    let early = circuit.permit().unwrap();
    (0..5).for_each(|_| succeed(&circuit));
    (0..4).for_each(|_| fail(&circuit));
    circuit.set_policy(Policy::rate(rate(20))).unwrap();
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 0, calls: 0 }));
    early.failure();
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 0, calls: 0 }), "admitted before");
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(fail_until_open(&circuit), 10);
}

#[tokio::test(start_paused = true)]
async fn promise_11_an_open_circuit_stays_open_for_what_it_was_told() {
    let circuit = circuit(FRAGILE.open_for(Backoff::fixed(10 * SECOND)));
    fail(&circuit);
    circuit.set_policy(FRAGILE).unwrap();
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(circuit.retry_after(), Some(10 * SECOND));
    await_probe(&circuit).await;
    fail(&circuit);
    assert_eq!(circuit.retry_after(), Some(SECOND), "the new settings hold for the next opening");
}

#[tokio::test(start_paused = true)]
async fn promise_11_half_open_stays_half_open_with_its_probes() {
    let circuit = half_opened(FRAGILE.probes(1).successes_to_close(2)).await;
    let probe = circuit.permit().unwrap();
    circuit.permit().unwrap_err();
    circuit.set_policy(FRAGILE.probes(2).successes_to_close(2)).unwrap();
    assert_eq!(circuit.state(), State::HalfOpen);
    let second = circuit.permit().unwrap();
    circuit.permit().unwrap_err();
    probe.success();
    assert_eq!(circuit.state(), State::HalfOpen);
    second.success();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_11_a_forced_state_and_its_end_stay() {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(10 * SECOND);
    advance(SECOND).await;
    circuit.set_policy(Policy::new()).unwrap();
    assert_eq!(circuit.state(), State::ForcedOpen);
    assert_eq!(circuit.retry_after(), Some(9 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn promise_11_every_handle_and_every_criterion_follows() {
    let circuit = circuit(Policy::manual());
    (0..1_000).for_each(|_| fail(&circuit));
    assert_eq!(circuit.state(), State::Closed);
    circuit.clone().set_policy(FRAGILE).unwrap();
    assert_eq!(circuit.policy(), FRAGILE);
    assert_eq!(fail_until_open(&circuit), 1);
    circuit.reset();
    circuit.set_policy(FRAGILE.cancelled(Cancelled::Failure)).unwrap();
    drop(circuit.permit().unwrap());
    assert_eq!(circuit.state(), State::Open);
    circuit.reset();
    circuit.set_policy(Policy::manual()).unwrap();
    (0..1_000).for_each(|_| fail(&circuit));
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_11_bad_settings_change_nothing_and_say_what_is_wrong() {
    let rate = |window| Rate::new(Ratio::percent(50), window);
    let bad = [
        (Policy::consecutive(0), "consecutive_failures"),
        (FRAGILE.probes(0), "probes"),
        (FRAGILE.probes(1_001), "probes"),
        (FRAGILE.successes_to_close(0), "successes_to_close"),
        (FRAGILE.probe_deadline(Duration::ZERO), "probe_deadline"),
        (FRAGILE.ramp_for(Duration::ZERO), "ramp_for"),
        (Policy::rate(Rate::new(Ratio::percent(0), Window::Calls(10))), "failure_rate.share"),
        (Policy::rate(rate(Window::Calls(0))), "failure_rate.window"),
        (Policy::rate(rate(Window::Calls(1_025))), "failure_rate.window"),
        (Policy::rate(rate(Window::Time(Duration::ZERO))), "failure_rate.window"),
        (Policy::rate(rate(Window::Time(Duration::MAX))), "failure_rate.window"),
        (Policy::rate(rate(Window::Calls(10)).min_calls(0)), "failure_rate.min_calls"),
        (Policy::rate(rate(Window::Calls(10)).min_calls(11)), "failure_rate.min_calls"),
        (FRAGILE.slow_calls(Duration::ZERO, rate(Window::Calls(10))), "slow_calls.threshold"),
        (FRAGILE.slow_calls(SECOND, rate(Window::Calls(0))), "slow_calls.window"),
    ];
    let circuit = circuit(FRAGILE);
    for (policy, field) in bad {
        let error = circuit.set_policy(policy).unwrap_err();
        assert_eq!(error.field(), field);
        let text = error.to_string();
        for part in [field, error.value(), error.allowed()] {
            assert!(!part.is_empty() && text.contains(part), "{text}");
        }
        assert_eq!(circuit.policy(), FRAGILE);
        assert_eq!(Circuit::builder("bad").policy(policy).try_build().unwrap_err(), error);
        let build = || Circuit::builder("bad").policy(policy).build();
        assert!(std::panic::catch_unwind(build).is_err());
    }
    assert_eq!(fail_until_open(&circuit), 1);
}

#[tokio::test(start_paused = true)]
async fn presets_are_in_range_and_trip_as_their_documentation_says() {
    let trips = |policy: Policy| {
        policy.check().unwrap();
        fail_until_open(&circuit(policy))
    };
    assert_eq!(trips(Policy::new()), 5);
    assert_eq!(trips(Policy::default()), 5);
    assert_eq!(trips(Policy::eager()), 3);
    assert_eq!(trips(Policy::patient()), 50);
    assert_eq!(trips(Policy::consecutive(7)), 7);
    let row_only = Policy::new().without_failure_rate().consecutive_failures(100);
    assert_eq!(trips(row_only), 100);
    assert_eq!(trips(Policy::new().without_consecutive_failures()), 10);
}

#[tokio::test(start_paused = true)]
async fn promise_11_a_row_of_failures_survives_a_window_of_another_shape() {
    let rate = |calls| Rate::new(Ratio::percent(100), Window::Calls(calls)).min_calls(calls);
    let circuit = circuit(Policy::consecutive(3).failure_rate(rate(50)));
    fail(&circuit);
    fail(&circuit);
    circuit.set_policy(Policy::consecutive(3).failure_rate(rate(60))).unwrap();
    assert_eq!(circuit.snapshot().consecutive_failures, 2);
    fail(&circuit);
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_11_what_was_switched_on_can_be_switched_off() {
    let rate = Rate::new(Ratio::percent(1), Window::Calls(1));
    let circuit = circuit(Policy::patient().slow_calls(MILLISECOND, rate));
    circuit.set_policy(circuit.policy().without_slow_calls().without_ramp()).unwrap();
    let permit = circuit.permit().unwrap();
    advance(SECOND).await;
    permit.success();
    assert_eq!((circuit.state(), circuit.snapshot().slow_calls), (State::Closed, None));
}
