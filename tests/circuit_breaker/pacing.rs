//! How long it stays open, and how it takes up its work again.

use std::time::Duration;

use tokio::time::advance;
use tower_failover::{
    Backoff, BoxError, Classify, Outcome, Ratio,
    circuit_breaker::{Circuit, CircuitBreaker, State},
};

use crate::{
    FRAGILE, SECOND, await_probe,
    backend::{Backend, Work},
    call, circuit, fail, half_opened, succeed,
};

const GROWING: Backoff = Backoff::growing(SECOND, SECOND.saturating_mul(5));

/// Fails every probe; the open times in seconds.
async fn openings(circuit: &Circuit, times: usize) -> Vec<u64> {
    let mut waits = Vec::new();
    for _ in 0..times {
        fail(circuit);
        waits.push(circuit.retry_after().unwrap().as_secs());
        await_probe(circuit).await;
    }
    waits
}

#[tokio::test(start_paused = true)]
async fn the_open_time_grows_up_to_its_cap_and_a_success_that_closes_resets_it() {
    let circuit = circuit(FRAGILE.open_for(GROWING));
    assert_eq!(openings(&circuit, 5).await, [1, 2, 4, 5, 5]);
    assert_eq!(circuit.snapshot().openings, 5);
    succeed(&circuit);
    assert_eq!(circuit.snapshot().openings, 0);
    assert_eq!(openings(&circuit, 3).await, [1, 2, 4]);
    circuit.reset();
    assert_eq!(openings(&circuit, 2).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_does_not_close_resets_nothing() {
    let circuit = circuit(FRAGILE.open_for(GROWING).successes_to_close(2));
    assert_eq!(openings(&circuit, 2).await, [1, 2]);
    succeed(&circuit);
    assert_eq!(openings(&circuit, 1).await, [4]);
}

#[tokio::test(start_paused = true)]
async fn an_overdue_probe_counts_as_another_opening() {
    let circuit = circuit(FRAGILE.open_for(GROWING).probe_deadline(SECOND));
    assert_eq!(openings(&circuit, 1).await, [1]);
    let hung = circuit.permit().unwrap();
    advance(SECOND).await;
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(circuit.retry_after(), Some(2 * SECOND));
    drop(hung);
}

#[tokio::test(start_paused = true)]
async fn jitter_takes_away_no_more_than_its_share_and_differs() {
    let backoff = Backoff::fixed(10 * SECOND).jitter(Ratio::percent(20));
    let waits: Vec<_> = (0..200)
        .map(|_| {
            let circuit = circuit(FRAGILE.open_for(backoff));
            fail(&circuit);
            circuit.retry_after().unwrap()
        })
        .collect();
    assert!(waits.iter().all(|wait| (8 * SECOND..=10 * SECOND).contains(wait)));
    let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*high - *low > SECOND, "{low:?} to {high:?}");
}

/// Says how long the backend asked to be left alone.
struct Asks(Option<Duration>);

impl Classify<usize, BoxError> for Asks {
    fn classify(&self, result: &Result<usize, BoxError>) -> Outcome {
        tower_failover::ErrorsAreFailures.classify(result)
    }

    fn retry_after(&self, _: &Result<usize, BoxError>) -> Option<Duration> {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_lengthens_the_open_time_and_is_capped() {
    let policy = FRAGILE.longest_retry_after(30 * SECOND);
    let cases = [
        (None, SECOND),
        (Some(Duration::ZERO), SECOND),
        (Some(SECOND / 2), SECOND),
        (Some(20 * SECOND), 20 * SECOND),
        (Some(Duration::MAX), 30 * SECOND),
    ];
    for (asked, open) in cases {
        for half_open in [false, true] {
            let circuit = if half_open { half_opened(policy).await } else { circuit(policy) };
            let asks = std::sync::Arc::new(Asks(asked));
            let classifier = Shared(asks);
            let mut service = CircuitBreaker::new(Backend::new(Work::Fails), circuit.clone())
                .classify(classifier);
            call(&mut service).await.unwrap_err();
            assert_eq!(circuit.state(), State::Open);
            assert_eq!(circuit.retry_after(), Some(open), "{asked:?}, half-open: {half_open}");
        }
    }
}

/// A service clones its classifier for each call.
#[derive(Clone)]
struct Shared(std::sync::Arc<Asks>);

impl Classify<usize, BoxError> for Shared {
    fn classify(&self, result: &Result<usize, BoxError>) -> Outcome {
        self.0.classify(result)
    }

    fn retry_after(&self, result: &Result<usize, BoxError>) -> Option<Duration> {
        self.0.retry_after(result)
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_holds_for_futures_without_tower() {
    let circuit = circuit(FRAGILE);
    let future = async { Err::<usize, BoxError>("slow down".into()) };
    circuit.call(future).classify(Asks(Some(20 * SECOND))).await.unwrap_err();
    assert_eq!(circuit.retry_after(), Some(20 * SECOND));
}

/// How many of 1,000 calls pass now.
fn passing(circuit: &Circuit) -> usize {
    (0..1_000).filter(|_| circuit.permit().map(|permit| permit.success()).is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn after_closing_a_share_of_the_calls_passes_that_grows_to_all() {
    let circuit = half_opened(FRAGILE.ramp_for(10 * SECOND)).await;
    succeed(&circuit);
    assert_eq!(circuit.state(), State::Closed);
    let mut last = 0;
    for second in 0..10 {
        let passed = passing(&circuit);
        assert!(passed >= last, "{passed} after {last} at {second} s");
        assert!(passed.abs_diff(100 * second.max(1)) <= 20, "{passed} at {second} s");
        last = passed;
        advance(SECOND).await;
    }
    assert_eq!(passing(&circuit), 1_000);
}

#[tokio::test(start_paused = true)]
async fn failures_on_the_ramp_count() {
    let circuit = half_opened(FRAGILE.ramp_for(10 * SECOND)).await;
    succeed(&circuit);
    fail(&circuit);
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn only_closing_by_probes_has_a_ramp() {
    let circuit = half_opened(FRAGILE.ramp_for(10 * SECOND)).await;
    circuit.reset();
    assert_eq!(passing(&circuit), 1_000);
}
