//! The promises of the circuit breaker, each by the scenario in which some other breaker breaks it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests spawn openly, fail by panicking, and look at single events"
)]

mod backend;
mod cancelled;
mod forced;
mod half_open;
mod keyed;
mod late;
mod metrics_only;
mod observers;
mod pacing;
mod probes;
mod readiness;
mod refusal;
mod router;
mod settings;
mod shared;
mod slow;
mod window;

use std::{sync::mpsc, thread, time::Duration};

use tokio::time::advance;
use tower::{Service, ServiceExt};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, Open, Permit, Policy, State},
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Opens on one failure for exactly a second.
const FRAGILE: Policy = Policy::consecutive(1).open_for(Backoff::fixed(SECOND));

fn circuit(policy: Policy) -> Circuit {
    Circuit::builder("backend").policy(policy).build()
}

fn succeed(circuit: &Circuit) {
    circuit.permit().unwrap().success();
}

fn fail(circuit: &Circuit) {
    circuit.permit().unwrap().failure();
}

/// Fails until the circuit is open; how often it took.
fn fail_until_open(circuit: &Circuit) -> u32 {
    (1..=10_000)
        .find(|_| {
            fail(circuit);
            circuit.state() == State::Open
        })
        .expect("10,000 failures do not open it")
}

/// A circuit that opened, and whose open time is over: the next permit is its first probe.
async fn half_opened(policy: Policy) -> Circuit {
    let circuit = circuit(policy);
    fail_until_open(&circuit);
    await_probe(&circuit).await;
    circuit
}

/// Waits until the circuit would let a call pass.
async fn await_probe(circuit: &Circuit) {
    advance(circuit.retry_after().unwrap()).await;
}

/// The probes that the circuit admits now, at once.
fn take_probes(circuit: &Circuit) -> Vec<Permit> {
    let probes: Vec<_> = std::iter::from_fn(|| circuit.permit().ok()).take(10_000).collect();
    assert!(probes.iter().all(Permit::is_probe), "admitted {} calls", probes.len());
    probes
}

/// How many probes the circuit would admit now.
fn free_slots(circuit: &Circuit) -> usize {
    let probes = take_probes(circuit);
    let free = probes.len();
    probes.into_iter().for_each(Permit::ignore);
    free
}

/// One call, as callers make it.
async fn call<S>(service: &mut S) -> Result<S::Response, BoxError>
where
    S: Service<(), Error = BoxError>,
{
    service.ready().await?.call(()).await
}

fn refusal<T>(result: &Result<T, BoxError>) -> Option<&Open> {
    result.as_ref().err()?.downcast_ref()
}

/// Runs a test in paused time on a thread of its own: a deadlock fails it, instead of hanging.
fn watched<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(test());
        done.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }
}
