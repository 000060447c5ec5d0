//! Promises 1 and 2: what is counted, and for how long.

use std::time::Duration;

use tokio::time::advance;
use tower_failover::{
    Backoff, Ratio,
    circuit_breaker::{CircuitBreaker, Policy, Rate, Share, State, Window},
};

use crate::{
    FRAGILE, SECOND, await_probe,
    backend::{Backend, Work},
    call, circuit, fail, fail_until_open, succeed,
};

fn half_of(window: Window) -> Policy {
    Policy::rate(Rate::new(Ratio::percent(50), window)).open_for(Backoff::fixed(SECOND))
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_10_opens_5_failures_after_1_000_successes() {
    let circuit = circuit(half_of(Window::Calls(10)));
    let backend = Backend::new(Work::Succeeds);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for _ in 0..1_000 {
        call(&mut service).await.unwrap();
    }
    backend.now(Work::Fails);
    let failures = (1..=1_000usize).find(|_| {
        let answer = futures::executor::block_on(call(&mut service));
        assert!(answer.is_err());
        circuit.state() == State::Open
    });
    assert_eq!(failures, Some(5));
    assert_eq!(backend.called.get(), 1_005);
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_1_000_is_not_cut_short() {
    let circuit = circuit(half_of(Window::Calls(1_000)));
    (0..5_000).for_each(|_| succeed(&circuit));
    assert_eq!(fail_until_open(&circuit), 500);
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_calls_forgets_failures_too() {
    let circuit = circuit(half_of(Window::Calls(10)));
    for _ in 0..1_000 {
        // Never more than 4 failures among any 10, and by and by in every place of the ring.
        (0..4).for_each(|_| fail(&circuit));
        (0..7).for_each(|_| succeed(&circuit));
    }
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 3, calls: 10 }));
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_time_forgets_what_is_older() {
    let circuit = circuit(half_of(Window::Time(10 * SECOND)));
    (0..100_000).for_each(|_| succeed(&circuit));
    advance(11 * SECOND).await;
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 0, calls: 0 }));
    assert_eq!(fail_until_open(&circuit), 10, "min_calls of Rate is 10");
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_time_keeps_what_is_younger() {
    let circuit = circuit(half_of(Window::Time(10 * SECOND)));
    (0..100).for_each(|_| succeed(&circuit));
    advance(8 * SECOND).await;
    assert_eq!(circuit.snapshot().failures, Some(Share { part: 0, calls: 100 }));
    assert_eq!(fail_until_open(&circuit), 100);
}

#[tokio::test(start_paused = true)]
async fn promise_1_under_steady_traffic_a_window_of_time_opens_after_half_of_it() {
    let circuit = circuit(half_of(Window::Time(10 * SECOND)));
    for _ in 0..1_000 {
        succeed(&circuit);
        advance(SECOND / 10).await;
    }
    let mut outage = Duration::ZERO;
    loop {
        fail(&circuit);
        if circuit.state() == State::Open {
            break;
        }
        advance(SECOND / 10).await;
        outage += SECOND / 10;
        assert!(outage < 20 * SECOND, "does not open");
    }
    // The oldest of the ten slices is a part of its second.
    assert!((4 * SECOND..=5 * SECOND).contains(&outage), "{outage:?}");
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_window_of_slow_calls_slides() {
    let rate = Rate::new(Ratio::percent(50), Window::Calls(10));
    let circuit = circuit(Policy::manual().slow_calls(SECOND, rate));
    (0..1_000).for_each(|_| succeed(&circuit));
    for n in 1..=5 {
        assert_eq!(circuit.state(), State::Closed, "after {n}");
        let permit = circuit.permit().unwrap();
        advance(SECOND).await;
        permit.success();
    }
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_success_between_starts_the_row_anew() {
    let circuit = circuit(Policy::consecutive(5));
    for _ in 0..1_000 {
        (0..4).for_each(|_| fail(&circuit));
        succeed(&circuit);
    }
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(fail_until_open(&circuit), 5);
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_rate_of_100_percent_takes_failures_only() {
    let rate = Rate::new(Ratio::percent(100), Window::Calls(10));
    let circuit = circuit(Policy::rate(rate));
    for _ in 0..100 {
        succeed(&circuit);
        (0..9).for_each(|_| fail(&circuit));
    }
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(fail_until_open(&circuit), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_2_after_recovery_202_successes_and_one_failure_leave_it_closed() {
    let circuit = circuit(Policy::new());
    fail_until_open(&circuit);
    await_probe(&circuit).await;
    succeed(&circuit);
    assert_eq!(circuit.state(), State::Closed);
    (0..202).for_each(|_| succeed(&circuit));
    fail(&circuit);
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_2_what_was_counted_before_a_trip_is_not_counted_after_closing() {
    for window in [Window::Calls(10), Window::Time(60 * SECOND)] {
        for how in ["probe", "reset", "force", "metrics only"] {
            let circuit = circuit(half_of(window).consecutive_failures(9));
            (0..5).for_each(|_| succeed(&circuit));
            assert_eq!(fail_until_open(&circuit), 5);
            match how {
                "probe" => {
                    await_probe(&circuit).await;
                    succeed(&circuit);
                }
                "reset" => circuit.reset(),
                "force" => {
                    circuit.force_open();
                    circuit.release();
                }
                _ => {
                    circuit.metrics_only();
                    (0..50).for_each(|_| fail(&circuit));
                    circuit.release();
                }
            }
            let snapshot = circuit.snapshot();
            assert_eq!(snapshot.state, State::Closed, "{how}");
            assert_eq!(snapshot.consecutive_failures, 0, "{how}");
            assert_eq!(snapshot.failures, Some(Share { part: 0, calls: 0 }), "{how}");
            assert_eq!(fail_until_open(&circuit), 9, "{how}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_2_probes_are_not_counted_after_closing_either() {
    let circuit = circuit(FRAGILE.consecutive_failures(2).probes(3).successes_to_close(3));
    fail_until_open(&circuit);
    await_probe(&circuit).await;
    for _ in 0..3 {
        succeed(&circuit);
    }
    assert_eq!(circuit.state(), State::Closed);
    fail(&circuit);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn promise_1_on_many_threads_no_call_is_counted_twice_or_lost() {
    const THREADS: usize = 4;
    // A thread that is interrupted while it notes its call in a window of calls leaves a place
    // there that looks like a success, so the share is a little less than everything.
    let nearly_all = |window| Rate::new(Ratio::percent(99), window).min_calls(1_000);
    let policies = [
        Policy::consecutive(1_000),
        Policy::rate(nearly_all(Window::Calls(1_000))),
        Policy::rate(nearly_all(Window::Time(3_600 * SECOND))),
    ];
    for policy in policies {
        let policy = policy.open_for(Backoff::fixed(3_600 * SECOND));
        for _ in 0..20 {
            let circuit = circuit(policy);
            let start = std::sync::Barrier::new(THREADS);
            let failed: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            std::iter::from_fn(|| circuit.permit().ok())
                                .map(|permit| permit.failure())
                                .take(10_000)
                                .count()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            // One a thread may have been under way when it opened.
            assert!((1_000..1_000 + THREADS).contains(&failed), "{failed} for {policy:?}");
        }
    }
}
