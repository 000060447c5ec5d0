//! gRPC: which calls fail, when that is known, and how refusals are said, over tonic on loopback.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

mod calls;
mod cancellation;
mod codes;
mod heads;
mod refusals;
mod retry_after;
#[path = "../support/grpc.rs"]
mod support;

use std::time::Duration;

use support::{Answer, WordClient, WordServer, Words};
use tonic::{service::Routes, transport::Channel};
use tower::Layer;
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreaker, CircuitBreakerLayer, Policy},
    grpc::Codes,
    http::AtEnd,
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens on one failure, for longer than any test.
const FRAGILE: Policy = Policy::consecutive(1).open_for(Backoff::fixed(Duration::from_secs(600)));

const NAME: &str = "the-inside-story";

fn circuit(policy: Policy) -> Circuit {
    Circuit::builder(NAME).policy(policy).build()
}

type Guarded = WordClient<CircuitBreaker<Channel, Circuit, AtEnd<Codes>>>;

/// A server that answers so, and a client behind the circuit.
fn pair(
    circuit: &Circuit,
    answer: impl Fn(String) -> Answer + Send + Sync + 'static,
) -> (Words, WordServer, Guarded) {
    let words = Words::new(answer);
    let server = WordServer::start(Routes::new(words.clone()));
    let client = guarded(circuit, &server);
    (words, server, client)
}

fn guarded(circuit: &Circuit, server: &WordServer) -> Guarded {
    WordClient::new(CircuitBreakerLayer::for_grpc(circuit.clone()).layer(server.channel()))
}

fn boxed(error: impl Into<BoxError>) -> BoxError {
    error.into()
}
