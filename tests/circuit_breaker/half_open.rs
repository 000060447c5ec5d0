//! Promise 3: half-open admits no more than `probes`.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures::future::join_all;
use tokio::time::{advance, timeout};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Backoff,
    circuit_breaker::{CircuitBreakerLayer, Policy, State},
};

use crate::{
    FRAGILE, MILLISECOND, SECOND,
    backend::{Backend, Work},
    circuit, fail, fail_until_open, free_slots, half_opened, refusal, take_probes,
};

#[tokio::test(start_paused = true)]
async fn promise_3_of_1_000_concurrent_callers_half_open_admits_exactly_probes() {
    for probes in [1, 5, 100] {
        let circuit = half_opened(FRAGILE.probes(probes)).await;
        let backend = Backend::new(Work::Hangs);
        let service = CircuitBreakerLayer::new(circuit.clone()).layer(backend.clone());
        let callers = (0..1_000).map(|_| timeout(MILLISECOND, service.clone().oneshot(())));
        let answers = join_all(callers).await;
        let hung = answers.iter().filter(|answer| answer.is_err()).count();
        let refused = answers.iter().flatten().filter(|answer| refusal(answer).is_some()).count();
        assert_eq!((backend.called.get(), hung, refused), {
            let probes = probes as usize;
            (probes, probes, 1_000 - probes)
        });
    }
}

#[test]
fn promise_3_of_1_000_callers_on_8_threads_half_open_admits_exactly_probes() {
    const THREADS: usize = 8;
    for round in 0..20 {
        let probes = 1 + round % 7;
        let policy = Policy::consecutive(1)
            .open_for(Backoff::fixed(MILLISECOND))
            .probes(probes)
            .probe_deadline(3_600 * SECOND);
        let circuit = circuit(policy);
        fail(&circuit);
        while !circuit.retry_after().unwrap().is_zero() {
            thread::yield_now();
        }
        let (start, end) = (Barrier::new(THREADS), Barrier::new(THREADS));
        let admitted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let permits: Vec<_> =
                        (0..1_000 / THREADS).filter_map(|_| circuit.permit().ok()).collect();
                    admitted.fetch_add(permits.len(), Ordering::SeqCst);
                    end.wait();
                });
            }
        });
        assert_eq!(admitted.into_inner(), probes as usize);
        assert_eq!(circuit.state(), State::HalfOpen);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_place_is_given_on_when_its_probe_ends() {
    let circuit = half_opened(FRAGILE.probes(2).successes_to_close(5)).await;
    let mut probes = take_probes(&circuit);
    assert_eq!(probes.len(), 2);
    for done in 1..5 {
        probes.pop().unwrap().success();
        assert_eq!(circuit.state(), State::HalfOpen, "after {done} successes");
        let next = take_probes(&circuit);
        assert_eq!(next.len(), 1, "after {done} successes");
        probes.extend(next);
        assert_eq!(circuit.snapshot().probes_in_flight, 2);
    }
    probes.pop().unwrap().success();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_3_one_failure_opens_it_again_and_takes_every_place_with_it() {
    let circuit = half_opened(FRAGILE.probes(3).successes_to_close(3)).await;
    let mut probes = take_probes(&circuit);
    probes.pop().unwrap().success();
    probes.pop().unwrap().failure();
    assert_eq!(circuit.state(), State::Open);
    assert!(circuit.permit().is_err());
    advance(SECOND).await;
    // The one still out belongs to the half-open before.
    assert_eq!(free_slots(&circuit), 3);
    drop(probes);
    assert_eq!(free_slots(&circuit), 3);
}

#[tokio::test(start_paused = true)]
async fn promise_3_every_opening_is_followed_by_probes_again_and_successes_start_anew() {
    let circuit = circuit(FRAGILE.probes(2).successes_to_close(2));
    fail_until_open(&circuit);
    for _ in 0..100 {
        advance(SECOND).await;
        let mut probes = take_probes(&circuit);
        assert_eq!(probes.len(), 2);
        probes.pop().unwrap().success();
        probes.pop().unwrap().failure();
        assert_eq!(circuit.state(), State::Open, "one success was left from before");
    }
}
