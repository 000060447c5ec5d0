//! Promise 5: a late answer from an earlier period changes nothing.

use tokio::time::advance;
use tower_failover::{
    Backoff, Ratio,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Permit, Policy, Rate, Share, State, Window},
};
use tower_test::mock;

use crate::{
    FRAGILE, SECOND, await_probe, circuit, fail, fail_until_open, half_opened, succeed, take_probes,
};

/// The two ends that a late answer may come to.
const ENDS: [fn(Permit); 2] = [Permit::success, Permit::failure];

#[tokio::test(start_paused = true)]
async fn promise_5_a_straggler_does_not_decide_half_open() {
    for end in ENDS {
        let circuit = circuit(FRAGILE);
        let straggler = circuit.permit().unwrap();
        fail(&circuit);
        advance(SECOND).await;
        let probe = circuit.permit().unwrap();
        assert!(probe.is_probe() && !straggler.is_probe());
        end(straggler);
        assert_eq!(circuit.state(), State::HalfOpen);
        assert_eq!(circuit.snapshot().probes_in_flight, 1);
        assert!(circuit.permit().is_err(), "the real probe is still out");
        probe.success();
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_straggler_behind_a_service_does_not_decide_half_open() {
    for good in [true, false] {
        let circuit = circuit(FRAGILE);
        let (mut service, mut handle) =
            mock::spawn_layer::<(), (), _>(CircuitBreakerLayer::new(circuit.clone()));
        assert!(service.poll_ready().is_ready());
        let straggler = service.call(());
        let (_, late) = handle.next_request().await.unwrap();
        fail(&circuit);
        advance(SECOND).await;
        assert!(service.poll_ready().is_ready());
        let probe = service.call(());
        let (_, answer) = handle.next_request().await.unwrap();

        if good {
            late.send_response(())
        } else {
            late.send_error("late")
        }
        assert_eq!(straggler.await.is_ok(), good, "the caller gets his answer");
        assert_eq!(circuit.state(), State::HalfOpen);
        answer.send_response(());
        probe.await.unwrap();
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_straggler_changes_nothing_while_open() {
    for end in ENDS {
        let circuit = circuit(FRAGILE);
        let straggler = circuit.permit().unwrap();
        fail(&circuit);
        let before = circuit.snapshot();
        end(straggler);
        assert_eq!(circuit.snapshot(), before);
        advance(SECOND).await;
        assert!(circuit.permit().is_ok(), "not open for longer than told");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_stragglers_do_not_open_a_circuit_that_closed_since() {
    let circuit = circuit(FRAGILE.consecutive_failures(5));
    let stragglers: Vec<_> = (0..1_000).map(|_| circuit.permit().unwrap()).collect();
    fail_until_open(&circuit);
    await_probe(&circuit).await;
    succeed(&circuit);
    stragglers.into_iter().for_each(Permit::failure);
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
    assert_eq!(fail_until_open(&circuit), 5);
}

#[tokio::test(start_paused = true)]
async fn promise_5_stragglers_do_not_count_in_a_window_that_began_since() {
    for window in [Window::Calls(10), Window::Time(10 * SECOND)] {
        let half = Rate::new(Ratio::percent(50), window);
        let circuit = circuit(Policy::rate(half).open_for(Backoff::fixed(SECOND)));
        let stragglers: Vec<_> = (0..1_000).map(|_| circuit.permit().unwrap()).collect();
        fail_until_open(&circuit);
        await_probe(&circuit).await;
        succeed(&circuit);
        (0..5).for_each(|_| succeed(&circuit));
        stragglers.into_iter().for_each(Permit::failure);
        assert_eq!(circuit.state(), State::Closed);
        assert_eq!(circuit.snapshot().failures, Some(Share { part: 0, calls: 5 }));
        assert_eq!(fail_until_open(&circuit), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_probe_of_one_half_open_does_not_decide_the_next() {
    for end in ENDS {
        let circuit = half_opened(FRAGILE.probes(2)).await;
        let mut probes = take_probes(&circuit);
        probes.pop().unwrap().failure();
        let straggler = probes.pop().unwrap();
        advance(SECOND).await;
        let mut probes = take_probes(&circuit);
        assert_eq!(probes.len(), 2);
        end(straggler);
        assert_eq!(circuit.state(), State::HalfOpen);
        assert_eq!(circuit.snapshot().probes_in_flight, 2);
        probes.pop().unwrap().success();
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_an_overdue_probe_that_answers_after_all_changes_nothing() {
    for end in ENDS {
        let circuit = half_opened(FRAGILE.probe_deadline(SECOND)).await;
        let overdue = circuit.permit().unwrap();
        advance(SECOND).await;
        assert_eq!(circuit.state(), State::Open);
        end(overdue);
        assert_eq!(circuit.state(), State::Open);
        advance(SECOND).await;
        succeed(&circuit);
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_what_hands_did_voids_what_was_out() {
    let acts: [fn(&Circuit); 4] = [
        Circuit::reset,
        |circuit| {
            circuit.force_open();
            circuit.release();
        },
        |circuit| {
            circuit.force_closed();
            circuit.release();
        },
        |circuit| {
            circuit.metrics_only();
            circuit.release();
        },
    ];
    for act in acts {
        let circuit = circuit(FRAGILE);
        let straggler = circuit.permit().unwrap();
        act(&circuit);
        straggler.failure();
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_calls_admitted_while_forced_closed_do_not_count_later() {
    let circuit = circuit(FRAGILE);
    circuit.force_closed();
    let straggler = circuit.permit().unwrap();
    circuit.release();
    straggler.failure();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_permit_that_outlives_its_circuit_touches_no_other() {
    // The state of circuits that are gone may be used again for new ones.
    for end in ENDS {
        let old: Vec<_> = (0..64).map(|_| circuit(FRAGILE)).collect();
        let stragglers: Vec<_> = old.iter().map(|circuit| circuit.permit().unwrap()).collect();
        drop(old);
        let late_probes: Vec<_> = {
            let old = half_opened(FRAGILE.probes(64)).await;
            take_probes(&old)
        };
        let closed: Vec<_> = (0..64).map(|_| circuit(FRAGILE)).collect();
        let mut half_open = Vec::new();
        for _ in 0..64 {
            half_open.push(half_opened(FRAGILE).await);
        }
        let probes: Vec<_> = half_open.iter().map(|circuit| circuit.permit().unwrap()).collect();
        stragglers.into_iter().chain(late_probes).for_each(end);
        assert!(closed.iter().all(|circuit| circuit.state() == State::Closed));
        assert!(half_open.iter().all(|circuit| circuit.state() == State::HalfOpen));
        probes.into_iter().for_each(Permit::success);
        assert!(half_open.iter().all(|circuit| circuit.state() == State::Closed));
    }
}
