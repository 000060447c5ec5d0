//! HTTP clients and servers: what is a failure, when that is known, and how a refusal is said.
//!
//! # When to use it
//!
//! Around hyper-util's client, reqwest's or any other `Service` of HTTP requests, and
//! under `Router::layer` of axum, which it fits without glue.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower::ServiceBuilder;
//! use tower_failover::{
//!     circuit_breaker::{Circuit, CircuitBreakerLayer},
//!     http::AnswerRefusalsLayer,
//! };
//!
//! let circuit = Circuit::new("reports");
//! let app: Router = Router::new().route("/report", get(|| async { "all is well" })).layer(
//!     ServiceBuilder::new()
//!         .layer(AnswerRefusalsLayer::new().infallible())
//!         .layer(CircuitBreakerLayer::for_http(circuit)),
//! );
//! # let _ = app;
//! ```
//!
//! # What is a failure
//!
//! [`ServerErrors`] judges by the head of a response: errors and 5xx, or a range of statuses, or
//! what another classifier of tower-http says. [`AtEnd`] waits for the end of the body: one that is
//! cut is a failure although its head said `200`, and a verdict may stand in the trailers.
//! [`CircuitBreakerLayer::for_http`](crate::CircuitBreakerLayer::for_http) is a circuit breaker
//! with the latter. `Retry-After` of a failure lengthens the open time of a circuit.
//!
//! # Refusals
//!
//! A refused call ends in an [`Open`](crate::circuit_breaker::Open), an
//! [`Unhealthy`](crate::health::Unhealthy) or a [`NoBackend`](crate::failover::NoBackend).
//! [`AnswerRefusalsLayer`] turns each into a `503` with `Retry-After`, and [`handle_error`] does so
//! for axum's `HandleErrorLayer`; [`refusal`] is the bare function. They show neither names nor
//! messages of errors.
//!
//! # Cached pages
//!
//! [`cached`] keeps pages, and answers with them while they are fresh, or when the origin fails.
//!
//! # Where it stands
//!
//! ```text
//! answers to refusals → total deadline → fallback → circuit breaker → attempt timeout → client
//! ```

mod answer;
mod at_end;
pub mod cached;
mod circuit_breaker;
mod refused;
mod retry_after;
mod server_errors;
mod settled_body;

#[cfg(feature = "grpc")]
pub(crate) use self::refused::comes_back_after;
pub use self::{
    answer::{
        Answer, AnswerRefusals, AnswerRefusalsLayer, Everything, OrEmpty, RefusalsOnly, future,
        handle_error, refusal,
    },
    at_end::AtEnd,
    retry_after::retry_after,
    server_errors::ServerErrors,
    settled_body::SettledBody,
};
