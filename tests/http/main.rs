//! Calls over HTTP: when they are settled and on what, and how refusals are answered.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

mod allocations;
mod at_end;
mod axum_app;
mod body;
mod coalesced;
mod constructors;
mod end_and_circuit;
mod end_and_trailers;
mod over_the_wire;
#[allow(unreachable_pub, reason = "other tests include it too")]
#[path = "../support/port.rs"]
mod port;
mod recorder;
mod refusals;
mod server;
mod server_errors;

use std::time::Duration;

use tower_failover::{
    Backoff,
    circuit_breaker::{Circuit, Policy, State},
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens on one failure for exactly a second.
const FRAGILE: Policy = Policy::consecutive(1).open_for(Backoff::fixed(SECOND));

const NAME: &str = "the-inside-story";

fn circuit(policy: Policy) -> Circuit {
    Circuit::builder(NAME).policy(policy).build()
}

/// A circuit that opened, and whose next call is its first probe.
async fn half_opened(policy: Policy) -> Circuit {
    let circuit = circuit(policy);
    circuit.permit().unwrap().failure();
    assert_eq!(circuit.state(), State::Open);
    tokio::time::advance(circuit.retry_after().unwrap()).await;
    circuit
}
